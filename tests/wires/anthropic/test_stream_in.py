"""A streamed answer of Anthropic's is read event by event, whatever order the provider keeps."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from everup.shapes.chat import ChatRequest, Format, StopReason, Tool
from everup.shapes.events import Usage
from everup.shapes.fault import FaultKind
from everup.shapes.stream import (
    Ended,
    Failed,
    Finished,
    Pinged,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from tests.wires.anthropic.upstream import (
    BUDGET,
    END,
    FINISH,
    FIRST,
    HI,
    LAST,
    OLD,
    PING,
    START,
    USED,
    begun,
    closed,
    delta,
    ended,
    event,
    hear,
    opened,
    told,
    within,
)


def test_a_whole_stream() -> None:
    """Begin, text, usage, reason and end are told in the promised order."""
    parts = (begun(), PING, opened(text=""), delta(text="Hel"), delta(text="lo"), closed(), ended(), LAST)
    assert [START, FIRST, TextDelta("Hel"), TextDelta("lo"), END, USED, FINISH, Ended()] == told(*parts)


def test_what_says_nothing_is_a_sign_of_life() -> None:
    """Pings, comments, begins of blocks and empty deltas are a sign of life."""
    parts = (PING, b": hello\n\n", b"event: ping\n\n", begun(), opened(text=""), delta(text=""), PING)
    assert [Pinged()] * 3 + [START, FIRST] + [Pinged()] * 3 == hear(*parts)


def test_text_in_the_begin_of_a_block() -> None:
    """A text that comes with the begin of its block is not lost."""
    assert [TextDelta("Hel"), TextDelta("lo"), END] == within(opened(text="Hel"), delta(text="lo"), closed())


def test_thinking() -> None:
    """Thinking's signature is told whole, behind its text."""
    parts = (
        opened(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="h"),
        delta(0, "thinking_delta", thinking="m"),
        delta(0, "signature_delta", signature="s="),
        delta(0, "signature_delta", signature="="),
        closed(0),
    )
    assert [ThinkingDelta("h"), ThinkingDelta("m"), ThinkingDelta(signature="s=="), END] == within(*parts)


def test_thinking_whose_text_is_left_out() -> None:
    """Thinking that shows only its signature is told, so that it can go back."""
    parts = (opened(0, "thinking", thinking="", signature=""), delta(0, "signature_delta", signature="s=="), closed(0))
    assert [ThinkingDelta(signature="s=="), END] == within(*parts)


def test_thinking_in_the_begin_of_a_block() -> None:
    """Thinking that comes whole with its block is told, its signature last."""
    assert [ThinkingDelta("hm"), ThinkingDelta(signature="s=="), END] == within(
        opened(0, "thinking", thinking="hm", signature="s=="), closed(0)
    )


def test_a_block_ends_with_its_end() -> None:
    """A block that came whole is over when its end comes, not later."""
    whole = opened(0, "thinking", thinking="hm", signature="s==")
    assert [ThinkingDelta("hm"), ThinkingDelta(signature="s=="), END] == told(begun(), whole, closed(0))[2:]
    hidden = opened(0, "redacted_thinking", data="d==")
    assert [ThinkingDelta(hidden="d=="), END, Pinged()] == hear(begun(), hidden, closed(0), PING)[2:]
    assert [TextDelta("a"), END, Pinged()] == hear(begun(), opened(text="a"), closed(0), PING)[2:]


def test_hidden_thinking() -> None:
    """Hidden thinking is one event with its data."""
    assert [ThinkingDelta(hidden="d=="), END] == within(opened(0, "redacted_thinking", data="d=="), closed(0))


def test_calls() -> None:
    """Calls are counted from 0 and their arguments told as they come; the first piece is often empty."""
    parts = (
        opened(0, text=""),
        delta(0, text="See:"),
        closed(0),
        opened(1, "tool_use", id="toolu_1", name="f", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"a":'),
        delta(1, "input_json_delta", partial_json=" 1}"),
        closed(1),
        opened(2, "tool_use", id="toolu_2", name="g", input={}),
        delta(2, "input_json_delta", partial_json="{}"),
        closed(2),
    )
    assert [
        TextDelta("See:"),
        END,
        ToolCallStarted(0, "toolu_1", "f"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(0, " 1}"),
        END,
        ToolCallStarted(1, "toolu_2", "g"),
        ToolCallDelta(1, "{}"),
        END,
    ] == within(*parts)


@pytest.mark.parametrize(
    ("given", "arguments"),
    [({}, "{}"), (None, "{}"), ({"a": 1}, '{"a": 1}'), ({"b": 1.0, "a": [2]}, '{"b": 1.0, "a": [2]}')],
)
def test_a_call_without_pieces(given: Any, arguments: str) -> None:
    """A call whose arguments never came in pieces has those of its begin, else an empty object."""
    parts = (
        opened(0, "tool_use", id="toolu_1", name="f", input=given),
        delta(0, "input_json_delta", partial_json=""),
        closed(0),
    )
    assert [ToolCallStarted(0, "toolu_1", "f"), ToolCallDelta(0, arguments), END] == within(*parts)


def test_pieces_win_over_the_begin() -> None:
    """Arguments that come both ways are told once, as the pieces have them."""
    parts = (
        opened(0, "tool_use", id="toolu_1", name="f", input={"a": 1}),
        delta(0, "input_json_delta", partial_json='{"a":2}'),
        closed(0),
    )
    assert [ToolCallStarted(0, "toolu_1", "f"), ToolCallDelta(0, '{"a":2}'), END] == within(*parts)


def test_a_call_without_an_id_gets_one() -> None:
    """A call that came without an id gets one, the same for the same place."""
    part = opened(0, "tool_use", name="f", input={})
    first, second = (within(part)[0] for _ in range(2))
    assert isinstance(first, ToolCallStarted)
    assert first == second
    assert first.id.startswith("call_")


def test_a_call_without_a_name_breaks_the_answer() -> None:
    """A call of nothing cannot be answered."""
    (failed,) = [each for each in hear(begun(), opened(0, "tool_use", id="toolu_1")) if isinstance(each, Failed)]
    assert FaultKind.MALFORMED is failed.fault.kind


# Ends.


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        ("end_turn", StopReason.END),
        ("max_tokens", StopReason.LENGTH),
        ("stop_sequence", StopReason.SEQUENCE),
        ("tool_use", StopReason.TOOL),
        ("pause_turn", StopReason.PAUSE),
        ("refusal", StopReason.FILTER),
        ("model_context_window_exceeded", StopReason.WINDOW),
        ("a_new_one", StopReason.END),
    ],
)
def test_why_it_ended(word: str, stop: StopReason) -> None:
    """Each reason has its meaning."""
    assert Finished(stop) in told(begun(), ended(word), LAST)


def test_the_stop_sequence() -> None:
    """The sequence that ended an answer is told."""
    assert Finished(StopReason.SEQUENCE, "END") in told(begun(), ended("stop_sequence", "END"))


def test_calls_that_end_plainly() -> None:
    """Who calls a tool and says that it simply ended, ended for the call."""
    call = opened(0, "tool_use", id="toolu_1", name="f", input={})
    assert Finished(StopReason.TOOL) in told(begun(), call, closed(0), ended("end_turn"))


def test_the_reason_is_told_once() -> None:
    """A message may end in two steps: the counts are told again, the reason once."""
    found = told(begun(), opened(text="x"), closed(), ended(None), ended("max_tokens"), ended("end_turn"), LAST)
    assert [Finished(StopReason.LENGTH)] == [each for each in found if isinstance(each, Finished)]


def test_a_stream_without_a_reason() -> None:
    """The end of a message without a reason is a plain end; the end of the connection is none."""
    assert [FINISH, Ended()] == told(begun(), opened(text="x"), closed(), LAST)[-2:]
    assert FINISH not in told(begun(), opened(text="x"), closed())


# Counts.


def last_usage(*parts: bytes) -> Usage | None:
    """Return the usage that counts in the end."""
    found = [each.usage for each in hear(*parts) if isinstance(each, UsageSeen)]
    return found[-1] if found else None


def test_counts_are_cumulative() -> None:
    """The end replaces the output; it may leave the input out, repeat or correct it."""
    cached = {"cache_creation_input_tokens": 10, "cache_read_input_tokens": 100}
    usage = Usage(input_tokens=119, output_tokens=5, cached_tokens=100, cache_write_tokens=10)
    assert usage == last_usage(begun(**cached), ended())
    assert usage == last_usage(begun(**cached), ended(input_tokens=9, **cached))
    assert usage == last_usage(begun(input_tokens=0), ended(input_tokens=9, **cached))


def test_thinking_is_counted() -> None:
    """Thinking's share of the output is told where the provider tells it."""
    counts = {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30}}
    end = event("message_delta", delta={"stop_reason": "end_turn"}, usage=counts)
    assert Usage(input_tokens=9, output_tokens=50, reasoning_tokens=30) == last_usage(begun(), end)


def test_what_was_counted_at_the_begin_stays() -> None:
    """The begin's share of thinking counts where the end does not tell it again."""
    counts = {"input_tokens": 9, "output_tokens": 1, "output_tokens_details": {"thinking_tokens": 1}}
    start = event("message_start", message={"usage": counts})
    assert Usage(input_tokens=9, output_tokens=5, reasoning_tokens=1) == last_usage(start, ended())


def test_what_a_cut_stream_counted_is_marked() -> None:
    """Until the end the output is hardly counted: such a usage is marked as an estimate."""
    assert Usage(input_tokens=9, output_tokens=1, is_estimated=True) == last_usage(begun(), opened(text="x"))


@pytest.mark.parametrize("counts", [{"input_tokens": -1}, {"output_tokens": 1e15}])
def test_absurd_counts_are_no_usage(counts: dict[str, Any]) -> None:
    """An absurd count is no count (row 55)."""
    bad = event("message_start", message={"usage": {"input_tokens": 9, "output_tokens": 1, **counts}})
    assert last_usage(bad) is None


def test_an_absurd_count_gives_way_to_a_believable_one() -> None:
    """A believable count of a later event mends an absurd one."""
    bad = event("message_start", message={"usage": {"input_tokens": -5, "output_tokens": 1}})
    assert Usage(input_tokens=7, output_tokens=5) == last_usage(bad, ended(input_tokens=7))


# Structured answers of older models.

ASKED = ChatRequest(messages=(HI,), format=Format(schema=Raw(b'{"type":"object"}'), name="count"))
ANSWER = (
    opened(0, "tool_use", id="toolu_1", name="count", input={}),
    delta(0, "input_json_delta", partial_json=""),
    delta(0, "input_json_delta", partial_json='{"n":'),
    delta(0, "input_json_delta", partial_json=" 3}"),
    closed(0),
)


def test_the_forced_tool_is_the_answer_s_text() -> None:
    """What an older model puts into the forced tool is told as text, and the answer simply ended."""
    found = told(begun(), *ANSWER, ended("tool_use"), LAST, chat=ASKED, to=OLD)
    assert [TextDelta('{"n":'), TextDelta(" 3}"), END, USED, FINISH, Ended()] == found[2:]


def test_a_forced_tool_without_pieces() -> None:
    """A structured answer that came whole, or not at all, is told when its block ends."""
    for whole, text in (({"n": 3}, '{"n": 3}'), ({}, "{}")):
        start = opened(0, "tool_use", id="toolu_1", name="count", input=whole)
        assert [TextDelta(text), END] == within(start, closed(0), chat=ASKED, to=OLD)


def test_a_call_of_the_client_s_stays_one() -> None:
    """Where the client has tools too a call of one of them is a call, and only its own are counted."""
    asked = ChatRequest(messages=(HI,), format=ASKED.format, tools=(Tool(name="f"),))
    call = (opened(1, "tool_use", id="toolu_2", name="f", input={}), closed(1))
    found = told(begun(), *ANSWER, *call, ended("tool_use"), chat=asked, to=OLD)
    assert ToolCallStarted(0, "toolu_2", "f") in found
    assert Finished(StopReason.TOOL) in found


def test_newer_models_answer_in_text() -> None:
    """A newer model's tool of that name is the client's own."""
    assert ToolCallStarted(0, "toolu_1", "count") in told(begun(), *ANSWER, chat=ASKED, to=BUDGET)
