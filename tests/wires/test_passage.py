"""A stream between two wires: what its first bytes are, what broke, and what it used (FAULTS rows 31-43, ruling 9)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from everup.shapes.chat import Answer, ChatRequest, StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Seen, Usage
from everup.shapes.fault import FaultKind
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.shapes.stream import (
    BlockEnded,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.passage import Passage, events_of
from everup.wires.road import Talk
from everup.wires.table import WIRES

if TYPE_CHECKING:
    from everup.wires.base import Wire

OPENAI, OLLAMA, ANTHROPIC = WIRES["openai_chat"], WIRES["ollama"], WIRES["anthropic"]
LIMITS = Limits()
SSE = "text/event-stream"
NDJSON = "application/x-ndjson"


def candidate_of(wire: Wire) -> Candidate:
    """Return a candidate that speaks a wire."""
    profile = Profile(id="default", provider="p")
    provider = Provider(name="p", wire=wire.name, base_url="http://127.0.0.1:1", profiles=(profile,))
    return Candidate(index=0, provider=provider, model=Model(ref=ModelRef("p", "m")), profile=profile)


def passage(upstream: Wire, client: Wire, content_type: str = "", limits: Limits = LIMITS, **fields: Any) -> Passage:
    """Return a fresh passage of a streamed answer to a simple question."""
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}], **fields}
    asked = client.read_request(json.dumps(body).encode(), limits)
    talk = Talk(asked, client, lambda: 1.0)
    candidate = candidate_of(upstream)
    assert talk.encode(upstream, candidate, foreign=None).fault is None
    chat = talk.chat if isinstance(talk.chat, ChatRequest) else None
    return Passage(upstream, client, asked, chat, candidate, content_type, limits)


def line(**fields: Any) -> bytes:
    """Return one line of an Ollama stream."""
    return json.dumps({"model": "m", "created_at": "2026-11-25T00:00:00Z", "done": False, **fields}).encode() + b"\n"


def said(text: str) -> bytes:
    """Return a line with content."""
    return line(message={"role": "assistant", "content": text})


LAST = line(
    message={"role": "assistant", "content": ""}, done=True, done_reason="stop", prompt_eval_count=7, eval_count=3
)


def texts(raw: bytes) -> str:
    """Return what a person would read of a chat-completions stream."""
    events = [json.loads(each[6:]) for each in raw.split(b"\n\n") if each.startswith(b"data: {")]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


def test_a_stream_is_told_in_the_client_s_wire_and_ends_once() -> None:
    """Lines become chunks as they come, the last one the reason and the end, and the usage is known."""
    stream = passage(OLLAMA, OPENAI, NDJSON)
    first, last, after = stream.feed(said("Hel") + said("lo")), stream.feed(LAST), stream.close()
    assert ("Hello", None) == (texts(first.raw), first.fault)
    assert last.raw.endswith(b"data: [DONE]\n\n")
    assert Seen.END in last.seen
    assert (b"", None) == (after.raw, after.fault)
    assert Usage(input_tokens=7, output_tokens=3) == stream.usage
    assert "m" == stream.model


def test_any_cut_of_the_bytes_gives_the_same_stream() -> None:
    """However the bytes arrive, the client gets the same."""
    whole = said("Grüße ") + said("an alle") + LAST
    wanted = b"".join(passage(OLLAMA, OPENAI).feed(each).raw for each in [whole])
    for size in (1, 2, 3, 7, 50):
        stream = passage(OLLAMA, OPENAI)
        assert wanted == b"".join(stream.feed(whole[at : at + size]).raw for at in range(0, len(whole), size))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", FaultKind.EMPTY_BODY),
        (b" \n", FaultKind.EMPTY_BODY),
        (b"<html>Bad gateway</html>", FaultKind.HTML_PAGE),
        (b"ERROR: no model", FaultKind.MALFORMED),
        (b'{"model"\n{"mo\n', FaultKind.MALFORMED),
        (said("Hel"), FaultKind.CUT),
        (LAST, FaultKind.EMPTY_ANSWER),
        (b'{"error":"an error was encountered while running the model"}\n', FaultKind.SERVER_ERROR),
        (b"\xef\xbb\xbf", FaultKind.MALFORMED),
    ],
)
def test_what_is_no_whole_answer_is_a_fault(data: bytes, kind: FaultKind) -> None:
    """A stream that is none, broke off, said nothing or told an error ends in that fault and never in an end."""
    stream = passage(OLLAMA, OPENAI, NDJSON)
    batches = [stream.feed(data), stream.close()]
    assert [kind] == [batch.fault.kind for batch in batches if batch.fault is not None]
    assert b"[DONE]" not in b"".join(batch.raw for batch in batches)


def test_an_error_after_content_may_have_been_billed() -> None:
    """What broke after content is told after the content, marked as possibly billed."""
    stream = passage(OLLAMA, OPENAI, NDJSON)
    batch = stream.feed(said("Hel") + b'{"error":"out of memory"}\n' + said("lost"))
    assert batch.fault is not None
    assert batch.fault.possibly_billed
    assert "Hel" == texts(batch.raw)
    assert stream.usage is not None
    assert stream.usage.is_estimated


def test_a_broken_line_is_dropped_and_counted_and_inside_structure_it_is_a_cut() -> None:
    """One line that cannot be read costs that line; where content would be lost unseen it ends the stream."""
    broken = said("Hel") + b'{"message":{"con\n' + said("lo") + LAST
    stream = passage(OLLAMA, OPENAI, NDJSON)
    batch = stream.feed(broken)
    assert ("Hello", None, 1) == (texts(batch.raw), batch.fault, stream.dropped_events)
    structured = passage(OLLAMA, OPENAI, NDJSON, response_format={"type": "json_object"})
    fault = structured.feed(broken).fault
    assert fault is not None
    assert (FaultKind.CUT, "R9") == (fault.kind, fault.rule)


def test_a_line_that_never_ends_is_a_cut() -> None:
    """An event past its bound ends the stream and is not kept."""
    limits = Limits(sse_line_bytes_max=100)
    stream = passage(OLLAMA, OPENAI, NDJSON, limits)
    fault = stream.feed(said("Hel") + b'{"message":' + b" " * 200).fault
    assert fault is not None
    assert (FaultKind.CUT, "5.42") == (fault.kind, fault.rule)


def test_a_whole_answer_becomes_the_stream_that_was_asked_for() -> None:
    """Chat completions that answer a stream with one JSON body are told as a stream (row 33)."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    stream = passage(OPENAI, OLLAMA, "application/json")
    data = json.dumps(body).encode()
    assert Seen.PING == stream.feed(data[:20]).seen
    assert Seen.PING == stream.feed(data[20:]).seen
    batch = stream.close()
    lines = [json.loads(each) for each in batch.raw.splitlines()]
    assert "Hello." == "".join(each["message"]["content"] for each in lines)
    assert [True] == [each["done"] for each in lines if each["done"]]
    assert batch.fault is None
    assert Usage(input_tokens=5, output_tokens=2) == stream.usage


def test_a_whole_answer_that_never_ends_is_oversize() -> None:
    """A body past its bound is a fault before it is kept."""
    stream = passage(OPENAI, OLLAMA, "application/json", Limits(upstream_body_bytes_max=100))
    fault = stream.feed(b'{"choices":' + b" " * 200).fault
    assert fault is not None
    assert FaultKind.OVERSIZE is fault.kind


def test_a_whole_body_that_is_no_answer_is_its_own_fault() -> None:
    """What came whole instead of a stream is judged as a whole answer."""
    stream = passage(OPENAI, OLLAMA, "application/json")
    stream.feed(b'{"error":{"message":"The server had an error","type":"server_error"}}')
    fault = stream.close().fault
    assert fault is not None
    assert FaultKind.SERVER_ERROR is fault.kind


def test_events_of_any_type_are_read_whatever_they_are_called() -> None:
    """An event stream under another content type is one, also when its first bytes come one by one."""
    chunk = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
    data = b": ping\n\ndata: " + json.dumps(chunk).encode() + b"\n\n"
    stream = passage(OPENAI, OLLAMA, "text/plain")
    batches = [stream.feed(data[at : at + 1]) for at in range(len(data))]
    assert [b'"Hi"' in batch.raw for batch in batches if batch.raw] == [True]


def test_a_reason_without_the_wire_s_own_end_is_whole() -> None:
    """Chat completions whose `[DONE]` is missing are complete after a finish reason, and end in the client's way."""
    chunk = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    stream = passage(OPENAI, OLLAMA, SSE)
    raw = stream.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n").raw
    last = stream.close()
    assert last.fault is None
    assert [True] == [json.loads(each)["done"] for each in (raw + last.raw).splitlines()][-1:]


def test_the_same_wire_passes_byte_for_byte_but_for_what_is_broken() -> None:
    """With one wire on both sides the lines stay as they are; a broken one is left out."""
    stream = passage(OLLAMA, OLLAMA, NDJSON)
    good = said("Hel") + said("lo") + LAST
    assert good == stream.feed(said("Hel") + b"{broken\n" + said("lo") + LAST).raw
    assert 1 == stream.dropped_events


def test_a_ping_keeps_a_shown_stream_alive_in_the_client_s_way() -> None:
    """A comment of the provider's is a comment of ours once there is content, and nothing before it."""
    chunk = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
    stream = passage(OPENAI, OLLAMA, SSE)
    assert (b"", Seen.PING) == (stream.feed(b": ping\n\n").raw, Seen.PING)
    stream.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    assert OLLAMA.keep_alive == stream.feed(b": ping\n\n").raw


def test_a_whole_answer_s_events_are_its_parts_in_order() -> None:
    """An answer as a stream has its parts as blocks, its calls counted, then usage and reason."""
    answer = Answer(
        id="a",
        model="m",
        parts=(
            Thinking(text="Hm", signature="s"),
            Text("Hi"),
            ToolCall(id="c1", name="f", arguments="{}"),
            ToolCall(id="c2", name="g", arguments='{"x":1}'),
        ),
        stop=StopReason.TOOL,
        usage=Usage(input_tokens=1),
    )
    assert [
        Started("a", "m"),
        ThinkingDelta("Hm", "s"),
        BlockEnded(),
        TextDelta("Hi"),
        BlockEnded(),
        ToolCallStarted(0, "c1", "f"),
        ToolCallDelta(0, "{}"),
        BlockEnded(),
        ToolCallStarted(1, "c2", "g"),
        ToolCallDelta(1, '{"x":1}'),
        BlockEnded(),
        UsageSeen(Usage(input_tokens=1)),
        Finished(StopReason.TOOL),
    ] == events_of(answer)


def test_a_cut_answer_is_counted_by_what_was_seen_of_it() -> None:
    """A stream cut before its count has the prompt as told and the answer as far as it came."""
    begun = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 400}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    stream = passage(ANTHROPIC, OPENAI, SSE)
    for event in (begun, block, delta):
        stream.feed(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    assert stream.close().fault is not None
    assert Usage(input_tokens=9, output_tokens=100, is_estimated=True) == stream.usage
