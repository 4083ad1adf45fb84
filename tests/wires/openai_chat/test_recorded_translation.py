"""Recorded chats of real providers can be said in no wire's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from everup.shapes.chat import ChatRequest, Text, ToolCall
from everup.shapes.fault import Fault
from everup.shapes.stream import Failed, Finished, StreamEvent, TextDelta, ThinkingDelta, UsageSeen
from everup.wires.framing import SseSplitter
from tests.wires.openai_chat.chats import OPENROUTER, check_order
from tests.wires.support import JSON, LIMITS, WIRE, Recorded, candidate, recordings

NATIVE = {"messages[0].content[1]", "tools[0]", "web_search_options"}
"""A video, and OpenRouter's own web search: what only the recorded provider has."""
NOT_CHATS = {"test_openai/test_text_response", "test_openai/test_invalid_response"}


@pytest.fixture(scope="module")
def chats(shared: Path) -> list[Recorded]:
    """Return the recorded chats."""
    return recordings(shared)


def test_requests(chats: list[Recorded]) -> None:
    """Every recorded request is read, except those that ask for what one provider has, and says all it said."""
    native = 0
    for chat in [each for each in chats if each.request is not None]:
        read = WIRE.read_chat(WIRE.read_request(json.dumps(chat.request).encode(), LIMITS))
        if isinstance(read, Fault):
            assert read.param in NATIVE, (chat.name, read.message)
            native += 1
            continue
        assert len(chat.request["messages"]) == len(read.messages)
        assert len(chat.request.get("tools") or ()) == len(read.tools)
        written = WIRE.write_chat(read, OPENROUTER, foreign=None)
        again = WIRE.read_chat(WIRE.read_request(written.body, LIMITS))
        assert isinstance(again, ChatRequest)
        assert texts(read) == texts(again), chat.name
    assert native < 10


def texts(chat: ChatRequest) -> list[object]:
    """Return the texts and calls of a request."""
    return [part for turn in chat.messages for part in turn.parts if isinstance(part, Text | ToolCall)]


def test_answers(chats: list[Recorded]) -> None:
    """Every recorded whole answer is read: its text, its calls, its usage and why it ended."""
    checked = 0
    for chat in chats:
        if chat.status != 200 or not chat.content_type.startswith(JSON) or chat.name in NOT_CHATS:
            continue
        answer = WIRE.read_answer(chat.content_type, chat.body, None, candidate())
        assert answer.fault is None, chat.name
        message = json.loads(chat.body)["choices"][0]["message"]
        if isinstance(message.get("content"), str):
            assert message["content"] == "".join(part.text for part in answer.parts if isinstance(part, Text)), (
                chat.name
            )
        calls = [part for part in answer.parts if isinstance(part, ToolCall)]
        told = message.get("tool_calls") or []
        assert [call["function"]["name"] for call in told] == [call.name for call in calls]
        assert answer.usage is not None
        assert answer.usage.output_tokens == json.loads(chat.body)["usage"]["completion_tokens"]
        checked += 1
    assert checked > 40


def test_streams(chats: list[Recorded]) -> None:
    """Every recorded stream keeps the promised order and all its text, and ends as it ended."""
    checked = 0
    for chat in chats:
        if not chat.content_type.startswith("text/event-stream"):
            continue
        stream = WIRE.open_reader(None, candidate())
        told: list[StreamEvent] = []
        for each in SseSplitter(LIMITS.sse_line_bytes_max).feed(chat.body):
            told += stream.read(each) or []
            if told and isinstance(told[-1], Failed):
                break
        check_order(told)
        spoken, thought = said(chat.body)
        assert spoken == "".join(event.text for event in told if isinstance(event, TextDelta)), chat.name
        assert thought == "".join(event.text for event in told if isinstance(event, ThinkingDelta)), chat.name
        ends = [type(event) for event in told if isinstance(event, UsageSeen | Finished | Failed)]
        assert ends in ([UsageSeen, Finished], [Failed]), chat.name
        checked += 1
    assert checked >= 6


def said(stream: bytes) -> tuple[str, str]:
    """Return the text and the thinking of a stream, read without any of our code."""
    spoken, thought = "", ""
    for line in stream.decode().split("\n"):
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:]).get("choices") or ():
            delta = choice["delta"]
            content = delta.get("content") or ""
            pieces: list[dict[str, Any]] = content if isinstance(content, list) else [{"text": content}]
            spoken += "".join(piece.get("text", "") for piece in pieces)
            thought += "".join(each.get("text", "") for piece in pieces for each in piece.get("thinking", ()))
            thought += delta.get("reasoning_content") or delta.get("reasoning") or ""
    return spoken, thought
