"""A provider's chunks become events in the promised order, whatever order they come in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from everup.shapes.chat import StopReason
from everup.shapes.events import Usage
from everup.shapes.fault import FaultKind
from everup.shapes.stream import (
    Ended,
    Failed,
    Finished,
    Pinged,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.framing import read_event
from tests.wires.openai_chat.chats import frame
from tests.wires.openai_chat.chunks import CALLED, END, REASONED, START, chunk, piece, read, reader
from tests.wires.support import WIRE, candidate


def test_a_text() -> None:
    """A text is told piece by piece, its end and the stream's once they are certain."""
    chunks = (chunk(role="assistant", content=""), chunk(content="Hel"), chunk(content="lo"))
    assert [START, TextDelta("Hel"), TextDelta("lo"), END, *REASONED] == read(*chunks)
    first, second = reader(), reader()
    assert [START] == first.read(frame(**chunks[0]))
    assert [START, TextDelta("Hel")] == second.read(frame(**chunks[1]))
    assert [TextDelta("lo")] == second.read(frame(**chunks[2]))
    assert [Pinged()] == second.read(frame(**chunk("stop")))


def test_the_first_chunk_with_a_choice_begins_the_answer() -> None:
    """Azure's first chunk, which has no choices and no names, does not begin it."""
    azure = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    assert [START, TextDelta("a"), END, *REASONED] == read(azure, chunk(content="a"))


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thinking_before_text(key: str) -> None:
    """Thinking of either name is a block of its own."""
    told = read(chunk(**{key: "h"}), chunk(**{key: "m", "content": ""}), chunk(content="a"), chunk(content="b"))
    expected = [START, ThinkingDelta("h"), ThinkingDelta("m"), END, TextDelta("a"), TextDelta("b"), END, *REASONED]
    assert expected == told


SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "h", "index": 1}


def test_details_that_repeat_the_text() -> None:
    """Details beside plain thinking add their signature, not their text, and hidden thinking as its own block."""
    repeated = chunk(reasoning="h", reasoning_details=[{"type": "reasoning.text", "text": "h", "index": 0}])
    told = read(repeated, chunk(reasoning="m"), chunk(reasoning_details=[SIGNED, HIDDEN]), chunk(reasoning="n"))
    assert told == [
        START,
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        ThinkingDelta(signature="s"),
        END,
        ThinkingDelta(hidden="h"),
        END,
        ThinkingDelta("n"),
        END,
        *REASONED,
    ]


def test_details_alone() -> None:
    """Details without plain thinking beside them, and LiteLLM's blocks, are told with their text."""
    expected = [
        START,
        ThinkingDelta("hm"),
        ThinkingDelta(signature="s"),
        END,
        ThinkingDelta(hidden="h"),
        END,
        *REASONED,
    ]
    assert expected == read(chunk(reasoning_details=[SIGNED, HIDDEN]))
    two = read(chunk(reasoning_details=[SIGNED, {**SIGNED, "index": 1}]))
    assert [START, *expected[1:4], *expected[1:4], *REASONED] == two
    litellm = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "h"}]
    assert expected == read(chunk(thinking_blocks=litellm))


def test_contents_of_parts() -> None:
    """Mistral's lists of thinking and text are told in their order."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "s"}
    told = read(chunk(content=[thought, {"type": "text", "text": "a"}]), chunk(content="b"))
    thinking = [ThinkingDelta("hm"), ThinkingDelta(signature="s"), END]
    assert [START, *thinking, TextDelta("a"), TextDelta("b"), END, *REASONED] == told


def test_refusals_and_older_forms() -> None:
    """A refusal is told as one, and so are the text of old servers and a message in place of a delta."""
    assert [START, TextDelta("no", is_refusal=True), END, *REASONED] == read(chunk(refusal="no"))
    old = {"id": "c", "model": "m-1", "choices": [{"text": "a"}]}
    message = {"id": "c", "model": "m-1", "choices": [{"message": {"content": "b"}}]}
    assert [START, TextDelta("a"), TextDelta("b"), END, *REASONED] == read(old, message)


def test_text_beside_something_else_is_not_lost() -> None:
    """A chunk that holds more than text while a text is open tells all of it."""
    beside: list[tuple[dict[str, Any], StreamEvent]] = [
        ({"refusal": "no"}, TextDelta("no", is_refusal=True)),
        ({"tool_calls": [{"index": 0, "id": "i", "function": {"name": "f"}}]}, ToolCallStarted(0, "i", "f")),
        ({"function_call": {"name": "f", "arguments": "{}"}}, ToolCallDelta(0, "{}")),
        ({"reasoning_content": "hm"}, ThinkingDelta("hm")),
        ({"reasoning": "hm"}, ThinkingDelta("hm")),
        ({"reasoning_details": [HIDDEN]}, ThinkingDelta(hidden="h")),
        ({"thinking_blocks": [{"type": "redacted_thinking", "data": "h"}]}, ThinkingDelta(hidden="h")),
    ]
    for delta, expected in beside:
        told = read(chunk(content="a"), chunk(content="b", **delta), finish=None)
        assert TextDelta("b") in told
        assert expected in told
    assert [START, TextDelta("a"), TextDelta("b"), END, Finished(StopReason.LENGTH), Ended()] == read(
        chunk(content="a"), chunk("length", content="b"), finish=None
    )


def test_usage_stands_before_the_reason() -> None:
    """The last usage told counts, whichever chunk holds it, and comes once."""
    usage = {"prompt_tokens": 9, "completion_tokens": 5}
    first, last = (
        {"id": "c", "model": "m-1", "choices": [], "usage": each} for each in ({**usage, "prompt_tokens": 1}, usage)
    )
    seen = UsageSeen(Usage(input_tokens=9, output_tokens=5))
    expected = [START, TextDelta("a"), END, seen, *REASONED]
    assert expected == read(first, chunk(content="a"), last)
    assert expected == read({**chunk(content="a"), "usage": usage})
    assert expected == read({**chunk(content="a"), "x_groq": {"usage": usage}})
    assert expected == read(chunk(content="a"), chunk("stop"), last, finish=None)
    assert [START, TextDelta("a"), END, *REASONED] == read(
        {**chunk(content="a"), "usage": {**usage, "prompt_tokens": -1}}
    )


def test_content_after_the_reason_is_kept() -> None:
    """Text, calls and usage that follow the finish reason belong to the answer."""
    told = read(chunk("stop", content="a"), chunk(content="b"), piece(0, "i0", "f", "{}"), finish=None)
    call = [ToolCallStarted(0, "i0", "f"), ToolCallDelta(0, "{}")]
    assert [START, TextDelta("a"), TextDelta("b"), END, *call, *CALLED] == told


def test_a_stream_without_its_marker() -> None:
    """A stream that ends after its finish reason is whole; one that ends before adds nothing but its usage."""
    usage = {"id": "c", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}
    seen = UsageSeen(Usage(input_tokens=9, output_tokens=5))
    whole = read(chunk(content="a"), chunk("length"), usage, is_done=False)
    assert [START, TextDelta("a"), END, seen, Finished(StopReason.LENGTH)] == whole
    stream = reader()
    assert [START, TextDelta("a")] == stream.read(frame(**chunk(content="a")))
    assert [] == stream.close()
    stream.read(frame(**usage))
    assert [seen] == stream.close()


def test_a_marker_without_a_reason() -> None:
    """A stream that says it is done is done, and one that said nothing else begins all the same."""
    assert [START, TextDelta("a"), END, *REASONED] == read(chunk(content="a"), finish=None)
    assert [Started(), *REASONED] == read(finish=None)


@pytest.mark.parametrize("reason", ["error", "abort", "network_error", "insufficient_system_resource"])
def test_an_answer_broken_off(reason: str) -> None:
    """A finish reason that says the provider broke off ends the answer as a cut."""
    told = reader().read(frame(**chunk(reason, content="a")))
    assert told is not None
    assert [START, TextDelta("a")] == told[:-1]
    assert isinstance(told[-1], Failed)
    assert FaultKind.CUT is told[-1].fault.kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'data: {"error": {"message": "x", "code": "rate_limit_exceeded"}}\n\n', FaultKind.RATE_LIMIT),
        (b'data: {"error": {"message": "x", "code": 429}, "choices": []}\n\n', FaultKind.RATE_LIMIT),
        (b'event: error\ndata: {"choices": []}\n\n', FaultKind.SERVER_ERROR),
        (b'data: {"error": [1]}\n\n', FaultKind.SERVER_ERROR),
    ],
)
def test_errors_in_a_stream(data: bytes, kind: FaultKind) -> None:
    """An error object in any envelope is a fault, and the last event."""
    told = reader().read(read_event(data))
    assert told is not None
    assert isinstance(told[-1], Failed)
    assert (1, kind) == (len(told), told[-1].fault.kind)
    assert told[-1].fault.message


def test_a_local_server_that_loads_its_model_says_so() -> None:
    """An error in the stream of a local provider is judged as a local one's."""
    loading = frame(error={"message": "Loading model", "code": 503, "type": "unavailable_error"})
    kinds = []
    for is_local in (True, False):
        told = WIRE.open_reader(None, candidate(is_local=is_local)).read(loading) or []
        kinds += [event.fault.kind for event in told if isinstance(event, Failed)]
    assert [FaultKind.LOADING, FaultKind.UNAVAILABLE] == kinds


@pytest.mark.parametrize(
    "data",
    [
        b": hello\n\n",
        b"event: ping\n\n",
        b"data:\n\n",
        b"data: \n\n",
        b'data: {"foo": 1}\n\n',
        b'data: {"choices": 5}\n\n',
        b'data: {"choices": null}\n\n',
        b'data: {"choices": [], "usage": {"prompt_tokens": 1}}\n\n',
    ],
)
def test_signs_of_life(data: bytes) -> None:
    """What means nothing is a sign of life."""
    assert [Pinged()] == reader().read(read_event(data))


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: [1]\n\n",
        b"data: 5\n\n",
        b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
        b": \xff\n\n",
        b'data: {"a"\ndata: \x00}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"choices": [{"delta": {"content": ' + b"[" * 100_000 + b"\n\n",
        b'data: {"choices": 5, \n\n',
        b'data: {"unknown": "\xff", "choices": []}\n\n',
    ],
)
def test_broken_events(data: bytes) -> None:
    """What is no JSON object, or no text, is broken."""
    assert reader().read(read_event(data)) is None


def test_odd_forms_are_read_all_the_same() -> None:
    """Events of several lines and chunks with odd usage are read like plain ones."""
    folded = b"data: " + json.dumps(chunk(content="a"), indent=1).encode().replace(b"\n", b"\r\ndata: ") + b"\r\n\r\n"
    assert [START, TextDelta("a")] == reader().read(read_event(folded))
    assert [START, TextDelta("a")] == reader().read(frame(**chunk(content="a"), usage=[1]))
    assert [Started("", ""), TextDelta("a")] == reader().read(
        frame(id=5, model=5, choices=chunk(content="a")["choices"])
    )
    assert [START] == reader().read(frame(**chunk(tool_calls=5, content={"a": 1})))
