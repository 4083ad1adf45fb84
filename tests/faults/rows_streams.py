"""Rows in which a stream begins well and goes wrong: FAULTS section 5, 38 to 43."""

from __future__ import annotations

from everup.testing import scripts as s
from tests.faults.rows_broken import FIRST, whole
from tests.faults.shape import SAYS, Row, broken, failed, moved, served

SHOWN = (s.ROLE, *s.texts("shown "), s.Pause(0.15))
TOOL_BITS = (
    s.event(
        {"tool_calls": [{"index": 0, "id": "call_a", "type": "function", "function": {"name": "f", "arguments": ""}}]}
    ),
    s.event(
        {"tool_calls": [{"index": 1, "id": "call_b", "type": "function", "function": {"name": "g", "arguments": ""}}]}
    ),
    s.event({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": tru'}}]}),
    s.event({"tool_calls": [{"index": 1, "function": {"arguments": "}{"}}]}),
    s.event({"tool_calls": [{"index": 1, "function": {"arguments": "}{"}}]}),
)
TOOL_CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"a": tru'}},
    {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "}{}{"}},
]
TOOLS = [{"type": "function", "function": {"name": n, "parameters": {"type": "object"}}} for n in ("f", "g")]


def sse_error(kind: str, code: str | int | None, name: bytes = b"") -> bytes:
    """Return an error as an event of a stream."""
    return name + b"data: " + s.error_json(kind, code, SAYS) + b"\n\n"


def odd(id_: str, about: str, *events: bytes) -> Row:
    """Return a row whose stream holds these odd bytes before and after its text, and is served all the same."""
    streamed = s.stream(*events, s.ROLE, *s.texts("first"), *events, s.FINISH, s.DONE, whole=FIRST.whole)
    return Row(id=id_, about=about, first=streamed, pair=served(), alone=served())


ROWS: tuple[Row, ...] = (
    Row(
        id="5.38",
        about="an error event before content",
        first=s.stream(s.ROLE, sse_error("rate_limit_error", None), whole=s.error(429, None, None, SAYS).whole),
        pair=moved("rate_limit"),
        alone=failed(429, "rate_limit"),
    ),
    Row(
        id="5.38b",
        about="a named error event before content",
        first=s.stream(
            b": ping\n\n",
            sse_error("overloaded_error", None, b"event: error\n"),
            whole=s.error(529, "overloaded_error", None, SAYS).whole,
        ),
        pair=moved("overloaded"),
        alone=failed(503, "overloaded"),
    ),
    Row(
        id="5.39",
        about="an error event after content; a body cut by its length",
        first=s.stream(
            *SHOWN,
            sse_error("server_error", None),
            whole=(s.Send(s.sized(200, s.chat_json("half"))[:-40]), s.Close()),
        ),
        pair=moved("cut"),
        alone=failed(503, "cut", "cut"),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
    ),
    *(
        Row(
            id=f"5.39{letter}",
            about=f"{about} after content, in the middle of a chunked body",
            first=s.stream(
                *SHOWN,
                last,
                is_ended=False,
                whole=(
                    s.Send(s.head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})),
                    s.Send(s.chunk(b'{"id": "x", "choices"')),
                    s.Pause(0.1),
                    last,
                ),
            ),
            pair=moved("cut"),
            alone=failed(503, "cut", "cut"),
            streamed_pair=broken("shown "),
            streamed_alone=broken("shown "),
        )
        for letter, about, last in (("b", "FIN", s.Close()), ("c", "RST", s.Reset()))
    ),
    Row(
        id="5.39d",
        about="a cut before content",
        first=s.stream(s.ROLE, s.Pause(0.1), s.Reset(), is_ended=False),
        pair=moved("cut"),
        alone=failed(503, "cut", "cut"),
        billed=True,
    ),
    Row(
        id="5.40",
        about="no [DONE], but a finish reason",
        first=s.stream(*s.chat_sse("first", is_done=False), whole=FIRST.whole),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.40b",
        about="a finish reason, then a cut",
        first=s.stream(*s.chat_sse("first", is_done=False), s.Close(), is_ended=False, whole=FIRST.whole),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.41",
        about="a clean end without a finish reason",
        first=s.stream(*SHOWN, whole=FIRST.whole),
        pair=served(),
        alone=served(),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
    ),
    Row(
        id="5.41b",
        about="a clean end before content and without a finish reason",
        first=s.stream(s.ROLE, whole=FIRST.whole),
        pair=served(),
        alone=served(),
        streamed_pair=moved("cut"),
        streamed_alone=failed(503, "cut", "cut"),
        billed=False,
    ),
    odd("5.42", "comments and pings", b": ping\n\n", b":\n\n"),
    odd("5.42b", "a line that is garbage", b"garbage without a colon\n\n", b'data: {"half": \n\n'),
    odd("5.42c", "invalid UTF-8 and NUL", b"data: \xff\xfe\x00\n\n", b": \xc3\x28\n\n"),
    odd("5.42d", "unknown fields and a byte order mark", b"\xef\xbb\xbfid: 7\nretry: 10\nnovelty: x\n\n"),
    odd("5.42e", "a comment of one MiB", b": " + b"x" * (1 << 20) + b"\n\n"),
    Row(
        id="5.42f",
        about="CR only, and data without a space",
        first=s.stream(
            *(
                each.replace(b"data: ", b"data:").replace(b"\n", b"\r")
                for each in (s.ROLE, *s.texts("first"), s.FINISH, s.DONE)
            ),
            whole=FIRST.whole,
        ),
        pair=served(holds=b"first"),
        alone=served(holds=b"first"),
    ),
    Row(
        id="5.42g",
        about="CRLF in slices of one byte",
        first=s.Script(
            FIRST.whole,
            s.sse(b"".join(s.chat_sse("f", "irst")).replace(b"\n", b"\r\n")),
        ).sliced(1),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.42h",
        about="a line over the limit, after content",
        first=s.stream(*SHOWN, s.Send(s.chunk(b"data: " + b"x" * (1 << 20)), times=12), whole=FIRST.whole),
        pair=served(),
        alone=served(),
        streamed_pair=broken("shown "),
        streamed_alone=broken("shown "),
    ),
    Row(
        id="5.43",
        about="interleaved, doubled and invalid tool calls",
        first=s.Script(
            whole(s.chat_json(None, finish="tool_calls", message={"role": "assistant", "tool_calls": TOOL_CALLS})),
            s.sse(s.ROLE, *TOOL_BITS, s.event(finish="tool_calls"), s.DONE),
        ),
        pair=served(says="", holds=b'{\\"a\\": tru'),
        alone=served(says="", holds=b"}{"),
        fields={"tools": TOOLS},
    ),
)
