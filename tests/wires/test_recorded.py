"""Recorded chats of real providers pass unchanged, however their bytes are cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from everup.shapes.events import Seen
from everup.shapes.fault import FaultKind
from tests.wires.support import JSON, LIMITS, STREAMED, WIRE, Recorded, ask, candidate, recordings, relay, run

BROKEN_STREAMS = {
    "test_groq/test_tool_use_failed_error_streaming_with_text": FaultKind.UNSUPPORTED,
    "test_openrouter/test_openrouter_stream_error": FaultKind.BAD_REQUEST,
}
NOT_CHATS = {"test_openai/test_text_response", "test_openai/test_invalid_response"}


@pytest.fixture(scope="module")
def chats(shared: Path) -> list[Recorded]:
    """Return the recorded chats."""
    found = recordings(shared)
    assert len(found) > 50
    return found


def streams(chats: list[Recorded]) -> list[Recorded]:
    """Return those that were streamed."""
    return [chat for chat in chats if chat.content_type.startswith("text/event-stream")]


def test_streams_pass_byte_for_byte(chats: list[Recorded]) -> None:
    """Every recorded stream comes out as it went in and complete, except those that end in an error event."""
    assert len(streams(chats)) >= 6
    for chat in streams(chats):
        out = run(relay(), chat.body)
        if out.fault is None:
            assert chat.body == out.raw, chat.name
            assert out.seen & Seen.END, chat.name
            assert out.seen & Seen.FINISH, chat.name
            assert out.seen & Seen.CONTENT, chat.name
        else:
            assert BROKEN_STREAMS[chat.name] is out.fault.kind
            assert chat.body.startswith(out.raw), chat.name
            assert out.raw, chat.name


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_slices_change_nothing(chats: list[Recorded], size: int) -> None:
    """A recorded stream gives the same bytes, flags and usage in slices of any size."""
    for chat in streams(chats):
        whole, sliced = relay(), relay()
        once, again = run(whole, chat.body), run(sliced, chat.body, size)
        assert (once.raw, once.seen & ~Seen.PING) == (again.raw, again.seen & ~Seen.PING), chat.name
        assert (once.fault, whole.usage, whole.model) == (again.fault, sliced.usage, sliced.model), chat.name


def test_streams_tell_their_usage_and_model(chats: list[Recorded]) -> None:
    """The usage of a recorded stream that ended well is the provider's own, not an estimate."""
    for chat in streams(chats):
        stream = relay()
        if run(stream, chat.body).fault is None:
            assert stream.usage, chat.name
            assert not stream.usage.is_estimated, chat.name
            assert stream.usage.output_tokens > 0, chat.name
            assert stream.model, chat.name


def test_replies_pass_byte_for_byte(chats: list[Recorded]) -> None:
    """Every recorded whole answer is accepted unchanged, with the provider's own usage."""
    checked = 0
    for chat in chats:
        if chat.status != 200 or chat in streams(chats) or chat.name in NOT_CHATS:
            continue
        reply = WIRE.read_reply(chat.content_type, chat.body, STREAMED, candidate())
        assert reply.fault is None, chat.name
        assert chat.body == reply.raw
        assert reply.usage, chat.name
        assert not reply.usage.is_estimated, chat.name
        checked += 1
    assert checked > 30


def test_requests_reach_upstream_with_all_their_fields(chats: list[Recorded]) -> None:
    """A recorded request is read and rewritten with nothing changed but the model and the usage option."""
    for chat in chats:
        if chat.request is None:
            continue
        asked = WIRE.read_request(json.dumps(chat.request).encode(), LIMITS)
        sent = json.loads(WIRE.encode_request(asked, candidate(), foreign=frozenset()))
        expected = {**chat.request, "model": "gpt-5-mini"}
        if asked.is_stream and not asked.wants_usage:
            expected["stream_options"] = {**(chat.request.get("stream_options") or {}), "include_usage": True}
        assert expected == sent, chat.name
        assert list(expected) == list(sent), chat.name
        assert asked.needs.tools == bool(chat.request.get("tools")), chat.name


def test_a_whole_answer_becomes_the_stream_that_was_asked_for(chats: list[Recorded]) -> None:
    """A recorded JSON answer to a streamed request arrives as a complete stream with the same text and calls."""
    for chat in chats:
        if chat.status != 200 or chat in streams(chats) or chat.name in NOT_CHATS:
            continue
        out = run(relay(content_type=JSON), chat.body, 4096)
        assert out.fault is None, chat.name
        assert out.seen & Seen.END, chat.name
        again = run(relay(ask(stream=True)), out.raw)
        assert again.fault is None, chat.name
        assert again.seen & Seen.CONTENT, chat.name
        message = json.loads(chat.body)["choices"][0]["message"]
        first = json.loads(out.raw.split(b"\n\n")[0][6:])["choices"][0]["delta"]
        assert message.get("content") == first.get("content"), chat.name
        assert len(message.get("tool_calls") or ()) == len(first.get("tool_calls") or ()), chat.name


def test_refusals_are_told_apart(chats: list[Recorded]) -> None:
    """Every recorded refusal is recognised."""
    kinds = {
        chat.name: WIRE.read_refusal(chat.status, {"content-type": JSON}, chat.body, candidate()).kind
        for chat in chats
        if chat.status != 200
    }
    assert kinds
    assert {
        FaultKind.MODEL_NOT_FOUND,
        FaultKind.UNSUPPORTED,
    } >= set(kinds.values()), kinds
