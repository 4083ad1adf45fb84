"""Rows that only Anthropic's wire has: its errors' own words, its events, and every place where a stream can stop."""

from __future__ import annotations

from msgspec import structs

from everup.testing import anthropic as a
from everup.testing import scripts as s
from tests.faults.dialects import whole
from tests.faults.shape import SAYS, Expect, Row, broken, failed, moved, served

FIRST = a.reply("first")
OPENED = (a.BEGUN, a.TEXT_BEGUN)
SHOWN = (*OPENED, *a.texts("shown "), s.Pause(0.15))
CALLED = (a.block_begun(a.tool_block("toolu_a", "f", {})), a.delta("input_json_delta", partial_json='{"a": '))
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
DATED = "Sun, 06 Nov 1994 08:49:36 GMT"
OVERLOADED = a.error_event("overloaded_error", f"Overloaded {SAYS}")

TOLD = structs.replace(broken("shown "), holds=b'"finish_reason":"stop"')
"""Broken after the stop reason went out: what was told stays told, and the error follows it."""


def refusal(id_: str, about: str, first: s.Script, trail: str, status: int = 503) -> Row:
    """Return a refusal that the next provider answers, and that is this status when there is none."""
    return Row(id=id_, about=about, first=first, pair=moved(trail), alone=failed(status, trail))


def streamed(id_: str, about: str, *events: bytes | s.Step, pair: Expect, alone: Expect, is_ended: bool = True) -> Row:
    """Return a row that only a stream has: a whole answer is good."""
    told = a.stream(*events, is_ended=is_ended, whole=FIRST.whole)
    row = Row(id=id_, about=about, first=told, pair=served(), alone=served())
    return structs.replace(row, streamed_pair=pair, streamed_alone=alone)


def cut(id_: str, about: str, *events: bytes | s.Step, says: str | None) -> tuple[Row, ...]:
    """Return rows whose stream stops here, by FIN, by RST and in good order; `says` None if nothing was shown."""
    pair, alone = (moved("cut"), failed(503, "cut", "cut")) if says is None else (broken(says), broken(says))
    return tuple(
        streamed(
            f"A.cut.{id_}{letter}",
            f"{how} {about}",
            *(*events, *last),
            pair=pair,
            alone=alone,
            is_ended=not last,
        )
        for letter, how, last in (
            ("", "FIN", (s.Pause(0.1), s.Close())),
            ("b", "RST", (s.Pause(0.1), s.Reset())),
            ("c", "a clean end", ()),
        )
    )


REFUSED: tuple[Row, ...] = (
    refusal("A.529", "529 in its own words", a.error(529, message="Overloaded"), "overloaded 529"),
    refusal(
        "A.billing",
        "400 that means billing",
        a.error(
            400,
            message="Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
            f"upgrade or purchase credits. {SAYS}",
        ),
        "billing 400",
    ),
    refusal(
        "A.limits",
        "400 about a spend limit of one's own",
        a.error(
            400,
            message="You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 "
            "UTC.",
        ),
        "billing 400",
    ),
    refusal(
        "A.long",
        "prompt is too long",
        a.error(400, message=f"prompt is too long: 210047 tokens > 200000 maximum {SAYS}"),
        "context_overflow 400",
        400,
    ),
    refusal(
        "A.window",
        "prompt and max_tokens together are too long",
        a.error(
            400,
            message="input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input "
            f"length or `max_tokens` and try again {SAYS}",
        ),
        "context_overflow 400",
        400,
    ),
    refusal(
        "A.413",
        "request_too_large of a proxy before the API",
        a.error(413, message="Request exceeds the maximum size"),
        "too_large 413",
        413,
    ),
    refusal("A.404", "an unknown model, named and no more", a.error(404, message="model: m"), "model_not_found 404"),
    Row(
        id="A.filter",
        about="an answer that was stopped by a filter before it began",
        first=a.error(400, message="Output blocked by content filtering policy"),
        pair=failed(400, "content_filter 400"),
        alone=failed(400, "content_filter 400"),
    ),
    Row(
        id="A.429",
        about="429 whose own headers say when",
        first=lambda d: (
            a.error(
                429,
                message=f"This request would exceed your organization's rate limit of 50 requests per minute {SAYS}",
                date=DATED,
                anthropic_ratelimit_requests_limit="50",
                anthropic_ratelimit_requests_remaining="0",
                anthropic_ratelimit_requests_reset="1994-11-06T08:49:37Z",
            ),
            d.first,
        ),
        pair=served("rate_limit 429"),
        alone=served("rate_limit 429"),
    ),
    Row(
        id="A.200",
        about="200 with its own error envelope",
        first=s.body(200, a.error_json("overloaded_error", f"Overloaded {SAYS}")),
        pair=moved("overloaded"),
        alone=failed(503, "overloaded"),
    ),
)

ERRORS: tuple[Row, ...] = (
    *(
        streamed(
            f"A.error{letter}",
            f"overloaded_error after {after}",
            *(*events, OVERLOADED),
            pair=moved("overloaded"),
            alone=failed(503, "overloaded"),
        )
        for letter, after, events in (
            ("", "nothing", ()),
            ("b", "message_start", (a.BEGUN,)),
            ("c", "content_block_start", OPENED),
            ("d", "an empty delta", (*OPENED, *a.texts(""))),
        )
    ),
    *(
        streamed(f"A.error.shown{letter}", f"{after}, then an error", *events, pair=broken(says), alone=broken(says))
        for letter, after, says, events in (
            ("", "text", "shown ", (*SHOWN, OVERLOADED)),
            ("b", "a whole block", "shown ", (*SHOWN, a.TEXT_ENDED, OVERLOADED)),
            ("c", "api_error", "shown ", (*SHOWN, a.error_event("api_error", f"Internal server error {SAYS}"))),
            ("d", "thinking", "", (a.BEGUN, *a.thinking("hm", signature="c2ln"), s.Pause(0.1), OVERLOADED)),
        )
    ),
    streamed(
        "A.error.told",
        "an error after the stop reason",
        *(*SHOWN, a.TEXT_ENDED, a.FINISHED, s.Pause(0.1), OVERLOADED),
        pair=TOLD,
        alone=TOLD,
    ),
)

CUTS: tuple[Row, ...] = (
    *cut("start", "after message_start", a.BEGUN, says=None),
    *cut("block", "after content_block_start", *OPENED, says=None),
    *cut("ping", "after a ping", *OPENED, a.PING, says=None),
    *cut("text", "after a text_delta", *SHOWN, says="shown "),
    *cut("block-end", "after content_block_stop", *SHOWN, a.TEXT_ENDED, says="shown "),
    *cut("thought", "inside thinking", a.BEGUN, *a.thinking("hm", signature="c2ln")[:2], says=""),
    *cut("signed", "after a block of thinking", a.BEGUN, *a.thinking("hm", signature="c2ln"), says=""),
    *(structs.replace(row, fields={"tools": TOOLS}) for row in cut("tool", "inside a call", a.BEGUN, *CALLED, says="")),
    streamed(
        "A.unstopped",
        "a stop reason, no message_stop",
        *a.message_sse("first", is_stopped=False),
        pair=served(),
        alone=served(),
    ),
    streamed(
        "A.unstopped.cut",
        "a stop reason, then a cut",
        *(*a.message_sse("first", is_stopped=False), s.Pause(0.1), s.Reset()),
        pair=served(),
        alone=served(),
        is_ended=False,
    ),
    streamed(
        "A.reasonless",
        "message_stop without a stop reason",
        *(*OPENED, *a.texts("first"), a.TEXT_ENDED, a.STOPPED),
        pair=served(),
        alone=served(),
    ),
)


def odd(id_: str, about: str, *events: bytes) -> Row:
    """Return a row whose stream breaks the order of events and is served all the same."""
    return streamed(f"A.odd.{id_}", about, *events, pair=served(), alone=served())


INTERLEAVED = (
    a.BEGUN,
    *(a.block_begun(a.tool_block(f"toolu_{place}", "f", {}), place) for place in (0, 1)),
    *(a.delta("input_json_delta", place, partial_json=piece) for place, piece in ((0, '{"a":'), (1, "{}"), (0, "1}"))),
    *(a.block_ended(0), a.block_ended(1), a.finished("tool_use"), a.STOPPED),
)
ODD: tuple[Row, ...] = (
    structs.replace(
        # Blocks come one after the other in this wire: what grows a block that is over is a cut, never glued wrongly.
        # In one write: where the first call came in a read of its own, it was shown and nobody else may follow.
        streamed(
            "A.mixed", "two calls mixed", b"".join(INTERLEAVED), pair=moved("cut"), alone=failed(503, "cut", "cut")
        ),
        fields={"tools": TOOLS},
    ),
    odd("start", "message_start twice", a.BEGUN, *a.message_sse("first")),
    odd("stop", "a block that is never closed", *OPENED, *a.texts("first"), a.FINISHED, a.STOPPED),
    odd("open", "a delta of a block that was never opened", a.BEGUN, *a.texts("first"), a.FINISHED, a.STOPPED),
    odd("index", "a first block that is the third", a.BEGUN, *a.text("first", index=2), a.FINISHED, a.STOPPED),
    odd("late", "events after message_stop", *a.message_sse("first"), a.PING, *a.texts("more")),
    odd("two", "two blocks of text", a.BEGUN, *a.text("fi"), *a.text("rst", index=1), a.FINISHED, a.STOPPED),
    *(
        Row(
            id=f"A.stop.{stop}",
            about=f"stop_reason {stop}",
            first=a.stream(
                *(*OPENED, *a.texts("first"), a.TEXT_ENDED, a.finished(stop), a.STOPPED),
                whole=whole(a.message_json("first", stop=stop)),
            ),
            pair=served(holds=reason),
            alone=served(holds=reason),
        )
        for stop, reason in (
            ("max_tokens", b'"length"'),
            ("stop_sequence", b'"stop"'),
            ("refusal", b'"content_filter"'),
            ("pause_turn", b'"stop"'),
            ("model_context_window_exceeded", b'"length"'),
        )
    ),
)

ROWS = (*REFUSED, *ERRORS, *CUTS, *ODD)
