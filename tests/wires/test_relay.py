"""What a relay sees in a stream, what it lets through, and how a stream ends (FAULTS rows 30-43, ruling 9)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.shapes.events import Batch, Seen, Usage
from everup.shapes.fault import FaultKind
from everup.shapes.limits import Limits
from tests.wires.support import CALL, DONE, JSON, ROLE, SSE, STOP, STREAMED, TEXT, USAGE, ask, delta, event, relay, run

K = FaultKind
GOOD = ROLE + TEXT + STOP + USAGE + DONE
HIDDEN = ask(stream=True)
COMPLETION: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
}
WHOLE = json.dumps(COMPLETION).encode()
STREAM_TOKENS = STREAMED.needs.prompt_tokens


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (ROLE, Seen.START),
        (delta(), Seen.START),
        (event(choices=[], prompt_filter_results=[{"prompt_index": 0}]), Seen.START),
        (event(choices=[], usage=None, prompt_filter_results=[]), Seen.START),
        (TEXT, Seen.CONTENT),
        (delta(refusal="No."), Seen.CONTENT),
        (delta(reasoning_content="Hm"), Seen.CONTENT),
        (delta(reasoning="Hm", content=""), Seen.CONTENT),
        (delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]), Seen.CONTENT),
        (delta(audio={"data": "UklG"}), Seen.CONTENT),
        (event(choices=[{"index": 0, "text": "Hello"}]), Seen.CONTENT),
        (CALL, Seen.TOOL | Seen.CONTENT),
        (delta(tool_calls=[{"id": "x", "function": {"name": "f", "arguments": "{}"}}]), Seen.TOOL | Seen.CONTENT),
        (delta(function_call={"name": "f"}), Seen.TOOL | Seen.CONTENT),
        (delta(tool_calls=[]), Seen.START),
        (STOP, Seen.FINISH),
        (delta("tired", content="x"), Seen.CONTENT | Seen.FINISH),
        (USAGE, Seen.USAGE),
        (event(object="novelty", x=[1]), Seen.PING),
        (event(timings={"predicted_ms": 1.5}, choices=[]), Seen.START),
        (b": keep-alive\n\n", Seen.PING),
        (b"id: 7\n\n", Seen.PING),
        (b"garbage\n\n", Seen.PING),
    ],
)
def test_one_event(data: bytes, seen: Seen) -> None:
    """Each kind of event has its flags and passes byte for byte."""
    assert Batch(data, seen) == relay().feed(data)


def test_a_good_stream() -> None:
    """A whole stream passes unchanged, tells usage and model, and its end adds nothing."""
    stream = relay()
    assert Batch(GOOD, Seen.START | Seen.CONTENT | Seen.FINISH | Seen.USAGE | Seen.END) == stream.feed(GOOD)
    assert Batch() == stream.close()
    assert Usage(input_tokens=9, output_tokens=5) == stream.usage
    assert "m-1" == stream.model
    assert Batch() == stream.feed(b"data: late\n\n")


def test_the_usage_chunk_nobody_asked_for_is_hidden() -> None:
    """The injected usage chunk is read and kept from a client that did not ask for it."""
    stream = relay(HIDDEN)
    assert Batch(ROLE + TEXT + STOP + DONE, Seen(118)) == run(stream, GOOD)
    assert Usage(input_tokens=9, output_tokens=5) == stream.usage


def test_usage_inside_a_chunk_passes() -> None:
    """A usage that comes with choices is the provider's own habit and stays."""
    data = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage={"prompt_tokens": 1})
    assert data == relay(HIDDEN).feed(data).raw


def test_data_after_the_finish_reason_is_kept() -> None:
    """What comes after the finish reason passes too, and what comes after the end does not."""
    tail = event(choices=[], citations=["x"])
    assert ROLE + TEXT + STOP + tail + DONE == run(relay(), ROLE + TEXT + STOP + tail + DONE + TEXT).raw


@pytest.mark.parametrize(
    ("data", "added"),
    [
        (ROLE + TEXT + STOP, DONE),
        (ROLE + TEXT + STOP + USAGE, DONE),
        (ROLE + TEXT + STOP.rstrip(b"\n"), b"\n\n" + DONE),
        (ROLE + TEXT + STOP + DONE.rstrip(b"\n"), b"\n\n"),
        (ROLE + TEXT + DONE, b""),
        ((ROLE + TEXT + STOP + DONE).replace(b"\n", b"\r"), b""),
    ],
)
def test_a_complete_stream_ends_properly(data: bytes, added: bytes) -> None:
    """A finish reason completes a stream (row 40), and the client's stream gets the end it lacks."""
    assert (data + added, None) == (run(relay(), data).raw, run(relay(), data).fault)


@pytest.mark.parametrize(
    ("data", "kind", "rule"),
    [
        (b"", K.EMPTY_BODY, "5.30"),
        (b": ping\n\n", K.EMPTY_BODY, "5.30"),
        (ROLE, K.CUT, "5.41"),
        (ROLE + TEXT, K.CUT, "5.41"),
        (ROLE + TEXT + STOP[:-20], K.CUT, "5.41"),
        (ROLE + STOP + DONE, K.EMPTY_ANSWER, "5.35"),
        (ROLE + STOP, K.EMPTY_ANSWER, "5.35"),
        (event(choices=[]) + DONE, K.EMPTY_ANSWER, "5.35"),
        (DONE, K.EMPTY_ANSWER, "5.35"),
    ],
)
def test_a_stream_that_is_no_answer(data: bytes, kind: FaultKind, rule: str) -> None:
    """A stream without an end is cut, one without content is empty."""
    fault = run(relay(), data).fault
    assert fault
    assert (kind, rule) == (fault.kind, fault.rule)


@pytest.mark.parametrize("finish", ["length", "content_filter", "tool_calls", "function_call"])
def test_a_finish_reason_may_explain_silence(finish: str) -> None:
    """An answer without text is whole when its length, a filter or a tool explains that."""
    assert run(relay(), ROLE + delta(finish) + DONE).fault is None


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (event(error={"message": "slow down", "type": "rate_limit_error"}), K.RATE_LIMIT),
        (event(error={"message": "Provider returned error", "code": 502}, choices=[{"delta": {}}]), K.BAD_GATEWAY),
        (event(error="out of order"), K.SERVER_ERROR),
        (event(error={"type": "overloaded_error"}), K.OVERLOADED),
        (event(code=429, message="slow"), K.RATE_LIMIT),
        (event(object="error", message="bad", code=400), K.BAD_REQUEST),
        (event(error=True), K.SERVER_ERROR),
        (b'event: error\ndata: {"reason": "unknown"}\n\n', K.SERVER_ERROR),
    ],
)
def test_an_error_event(data: bytes, kind: FaultKind) -> None:
    """An error in a stream is a fault by its type and never reaches the client as an event (rows 31, 38)."""
    batch = relay().feed(ROLE + data + TEXT)
    assert ROLE == batch.raw
    assert batch.fault
    assert kind is batch.fault.kind


def test_an_error_after_content_may_have_cost_something() -> None:
    """A fault after content is marked as possibly billed (row 39)."""
    stream = relay()
    stream.feed(ROLE + TEXT)
    fault = stream.feed(event(error={"type": "overloaded_error"})).fault
    assert fault
    assert fault.possibly_billed
    assert stream.usage
    assert stream.usage.is_estimated


BROKEN = (
    b'data: {"choices": [\n\n',
    b"data: \xff\xfe\n\n",
    b'data: {"id": "\xff", "choices": []}\n\n',
    b'data: {"choices": []}\x00\n\n',
    b"data: [1]\n\n",
    b'data: "text"\n\n',
    b": \xff\n\n",
    b"event: x\ndata: {}\nx\x00y\n\n",
    b'data: {"choices": ' + b"[" * 5000 + b"\n\n",
)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_event_is_dropped(broken: bytes) -> None:
    """A broken event in a stream that goes on is not relayed and counted (ruling 9)."""
    stream = relay()
    assert (GOOD, None) == (run(stream, ROLE + broken + GOOD[len(ROLE) :]).raw, None)
    assert 1 == stream.dropped_events


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("is_together", [True, False])
def test_a_broken_event_in_a_tool_call_is_a_cut(broken: bytes, *, is_together: bool) -> None:
    """Inside a begun tool call a broken event ends the stream: nobody may run half a call (ruling 9)."""
    stream = relay()
    if not is_together:
        stream.feed(CALL)
    fault = stream.feed((CALL if is_together else b"") + broken + DONE).fault
    assert fault
    assert (K.CUT, "R9") == (fault.kind, fault.rule)


def test_a_broken_event_in_structured_output_is_a_cut() -> None:
    """The same where the answer must be JSON."""
    structured = ask(stream=True, response_format={"type": "json_object"})
    fault = relay(structured).feed(TEXT + BROKEN[0]).fault
    assert fault
    assert K.CUT is fault.kind


@pytest.mark.parametrize("size", [0, 1, 7])
def test_a_line_over_the_limit_is_a_cut(size: int) -> None:
    """A line beyond the limit ends the stream as cut (row 42)."""
    data = ROLE + TEXT + b"data: " + b"x" * 5000
    batch = run(relay(limits=Limits(sse_line_bytes_max=1000)), data, size)
    assert batch.fault
    assert (K.CUT, "5.42", ROLE + TEXT) == (batch.fault.kind, batch.fault.rule, batch.raw)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage(input_tokens=STREAM_TOKENS, output_tokens=2, is_estimated=True)),
        ([1], Usage(input_tokens=STREAM_TOKENS, output_tokens=2, is_estimated=True)),
        (
            {"prompt_tokens": -5, "completion_tokens": 10**12},
            Usage(input_tokens=STREAM_TOKENS, output_tokens=2, is_estimated=True),
        ),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 15},
            },
            Usage(input_tokens=100, output_tokens=20, cached_tokens=64, reasoning_tokens=15),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 20, "prompt_cache_hit_tokens": 64},
            Usage(input_tokens=100, output_tokens=20, cached_tokens=64),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 999}},
            Usage(input_tokens=10, output_tokens=2, cached_tokens=10),
        ),
        ({"prompt_tokens": 1, "completion_tokens": True}, Usage(input_tokens=1, output_tokens=2, is_estimated=True)),
    ],
)
def test_usage(usage: object, expected: Usage) -> None:
    """Usage is normalised; what is missing or absurd is estimated and marked so (row 55)."""
    stream = relay()
    assert run(stream, ROLE + TEXT + STOP + event(choices=[], usage=usage) + DONE).fault is None
    assert expected == stream.usage


@pytest.mark.parametrize("content_type", [JSON, "text/plain", SSE, ""])
@pytest.mark.parametrize("size", [0, 1, 50])
def test_json_where_a_stream_was_asked_for(content_type: str, size: int) -> None:
    """A whole JSON answer becomes a stream: one chunk of content, one of finish, the usage if asked, the end."""
    stream = relay(content_type=content_type)
    out = run(stream, b" \n" + WHOLE, size)
    assert out.fault is None
    chunks = [json.loads(each[6:]) for each in out.raw.split(b"\n\n")[:-2]]
    assert [{"role": "assistant", "content": "Hello"}, {}] == [each["choices"][0]["delta"] for each in chunks[:2]]
    assert [None, "stop"] == [each["choices"][0]["finish_reason"] for each in chunks[:2]]
    assert ([], COMPLETION["usage"]) == (chunks[2]["choices"], chunks[2]["usage"])
    assert {"chat.completion.chunk"} == {each["object"] for each in chunks}
    assert out.raw.endswith(DONE)
    assert (Usage(input_tokens=9, output_tokens=5), "m-1") == (stream.usage, stream.model)
    assert 2 == run(relay(HIDDEN, content_type), WHOLE).raw.count(b'"chat.completion.chunk"')


def test_a_whole_tool_call_gets_its_index() -> None:
    """Tool calls of a whole answer become deltas with an index, in order."""
    calls = [{"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}} for name in "ab"]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {**COMPLETION, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    out = run(relay(content_type=JSON), json.dumps(body).encode())
    assert out.seen & Seen.TOOL
    first = json.loads(out.raw.split(b"\n\n")[0][6:])
    assert [0, 1] == [call["index"] for call in first["choices"][0]["delta"]["tool_calls"]]


@pytest.mark.parametrize(
    ("content_type", "data", "kind"),
    [
        ("text/html; charset=utf-8", b"<html>", K.HTML_PAGE),
        ("text/html", WHOLE, K.HTML_PAGE),
        (SSE, b"<!doctype html><p>", K.HTML_PAGE),
        ("", b"\n  <html>", K.HTML_PAGE),
        ("text/plain", b"method=POST pathname=/x", K.MALFORMED),
        (JSON, b"null", K.MALFORMED),
        (JSON, b"[]", K.MALFORMED),
        (JSON, WHOLE[:-9], K.MALFORMED),
        (JSON, b"{}", K.MALFORMED),
        (JSON, b'{"error": {"type": "rate_limit_error"}}', K.RATE_LIMIT),
        (JSON, b'{"choices": []}', K.EMPTY_ANSWER),
        (JSON, b"", K.EMPTY_BODY),
        (JSON, b" \n ", K.EMPTY_BODY),
    ],
)
@pytest.mark.parametrize("size", [0, 1])
def test_neither_stream_nor_answer(content_type: str, data: bytes, kind: FaultKind, size: int) -> None:
    """A page, text or half an answer never reaches the client, whatever its type says."""
    out = run(relay(content_type=content_type), data, size)
    assert out.fault
    assert (kind, b"") == (out.fault.kind, out.raw)


@pytest.mark.parametrize("content_type", ["application/octet-stream", JSON, "text/plain", ""])
@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_stream_under_the_wrong_type(content_type: str, size: int) -> None:
    """A stream is known by its first bytes where its type is wrong (row 33)."""
    for data in (GOOD, b": hi\n\n" + GOOD, b"\xef\xbb\xbf" + GOOD, b"\n\nevent: x\n\n" + GOOD):
        out = run(relay(content_type=content_type), data, size)
        assert (data, None) == (out.raw, out.fault)


def test_a_whole_answer_is_bounded() -> None:
    """A JSON answer without end is given up at the limit (row 47)."""
    out = run(relay(content_type=JSON, limits=Limits(upstream_body_bytes_max=1000)), b"{" + b" " * 5000, 100)
    assert out.fault
    assert K.OVERSIZE is out.fault.kind


def test_minted_signatures_are_told() -> None:
    """Signatures in reasoning details, thinking blocks and tool calls are noted, bounded (ruling 8, 1a)."""
    stream = relay()
    details = [{"type": "reasoning.encrypted", "data": "enc-1"}, {"type": "reasoning.text", "signature": "sig-2"}]
    call = {"index": 0, "id": "a", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": "g-3"}}}
    stream.feed(delta(reasoning="x", reasoning_details=details) + delta(tool_calls=[call]))
    assert ["enc-1", "sig-2", "g-3"] == stream.minted
    for number in range(2000):
        stream.feed(delta(tool_calls=[{**call, "thought_signature": f"s{number}"}]))
    assert len(stream.minted) <= 256


LINES = st.sampled_from([ROLE, TEXT, CALL, STOP, USAGE, DONE, b": p\n\n", b"\r\n", *BROKEN, event(error={"code": 429})])


@given(
    st.lists(LINES | st.binary(max_size=40), max_size=12).map(b"".join),
    st.integers(1, 40),
    st.sampled_from([SSE, JSON, ""]),
)
def test_any_bytes_end_in_at_most_one_fault(data: bytes, size: int, content_type: str) -> None:
    """Whatever an upstream streams, in any slices, nothing is raised and broken bytes are not relayed (S27)."""
    stream = relay(content_type=content_type)
    out = run(stream, data, size)
    assert out.fault is None or out.fault.message
    out.raw.decode()
    assert Batch() == stream.feed(b"data: x\n\n")
