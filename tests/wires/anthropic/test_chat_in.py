"""Every turn and block of a Messages request is read as another wire can say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.errors import RequestError
from everup.shapes.chat import (
    CacheMark,
    ChatRequest,
    Document,
    Image,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from everup.shapes.fault import Fault, FaultKind
from everup.wires.anthropic.chat_in import read_chat
from everup.wires.anthropic.request_in import read_request
from tests.wires.anthropic.client import LIMITS, SCHEMA, ask, chat, recordings, request, turn

HOUR = {"type": "ephemeral", "ttl": "1h"}
MARK = {"type": "ephemeral"}
BASE64 = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
TOOL = {"name": "f", "input_schema": SCHEMA}


def part(block: dict[str, Any], role: str = "user") -> Part:
    """Return the one part that a block of a turn gives."""
    (message,) = chat(messages=turn(block, role=role)).messages
    (only,) = message.parts
    return only


def document(source: dict[str, Any]) -> Part:
    """Return what a document of this source gives, with a title and a mark."""
    return part({"type": "document", "source": source, "title": "t", "cache_control": HOUR})


def test_a_text_is_a_turn() -> None:
    """A message with a text is a turn with one text."""
    assert (Message(Role.USER, (Text("hi"),)),) == chat().messages


def test_roles_stay() -> None:
    """User, assistant and mid-conversation system turns keep their order and roles."""
    messages = [{"role": role, "content": role} for role in ("user", "assistant", "user", "system")]
    expected = [(Role.USER, "user"), (Role.ASSISTANT, "assistant"), (Role.USER, "user"), (Role.SYSTEM, "system")]
    found = chat(messages=messages).messages
    assert [Message(role, (Text(text),)) for role, text in expected] == list(found)


def test_system_text_comes_first() -> None:
    """A top-level system text is the first turn."""
    found = chat(system="Be brief.").messages
    assert (Message(Role.SYSTEM, (Text("Be brief."),)), Message(Role.USER, (Text("hi"),))) == found


def test_system_blocks_keep_their_marks() -> None:
    """System blocks stay apart, each with its cache mark."""
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": HOUR}]
    assert Message(Role.SYSTEM, (Text("a"), Text("b", CacheMark("1h")))) == chat(system=blocks).messages[0]


@pytest.mark.parametrize("system", ["", [], None])
def test_no_system_is_no_turn(system: object) -> None:
    """An empty system is no turn."""
    assert [Role.USER] == [message.role for message in chat(system=system).messages]


def test_text_blocks() -> None:
    """A text block keeps its text and its cache mark."""
    assert Text("x") == part({"type": "text", "text": "x"})
    assert Text("x", CacheMark("")) == part({"type": "text", "text": "x", "cache_control": MARK})
    assert Text("x") == part({"type": "text", "text": "x", "cache_control": None})


def test_empty_texts_are_left_out() -> None:
    """An empty text says nothing, the turn stays."""
    messages = [{"role": "user", "content": ""}, {"role": "assistant", "content": [{"type": "text", "text": ""}]}]
    assert (Message(Role.USER, ()), Message(Role.ASSISTANT, ())) == chat(messages=messages).messages


def test_image_in_the_request() -> None:
    """A base64 image keeps its bytes, media type and cache mark."""
    found = part({"type": "image", "source": BASE64, "cache_control": HOUR})
    assert Image(media_type="image/png", data="AAAA", cache=CacheMark("1h")) == found


def test_image_by_address() -> None:
    """An image by address keeps it."""
    source = {"type": "url", "url": "https://pictures.example/a.png"}
    found = part({"type": "image", "source": source, "cache_control": HOUR})
    assert Image(url="https://pictures.example/a.png", cache=CacheMark("1h")) == found


def test_image_by_file() -> None:
    """An image that the provider keeps is named by its file."""
    found = part({"type": "image", "source": {"type": "file", "file_id": "file_1"}, "cache_control": HOUR})
    assert Image(file_id="file_1", cache=CacheMark("1h")) == found


def test_document_in_the_request() -> None:
    """A base64 document keeps its bytes, media type, title and cache mark."""
    found = part({"type": "document", "source": PDF, "title": "a.pdf", "cache_control": MARK})
    expected = Document(name="a.pdf", media_type="application/pdf", data="JVBE", cache=CacheMark(""))
    assert expected == found


def test_document_of_text() -> None:
    """A document of plain text keeps it."""
    source = {"type": "text", "media_type": "text/plain", "data": "words"}
    expected = Document(name="t", media_type="text/plain", text="words", cache=CacheMark("1h"))
    assert expected == document(source)


def test_document_of_content() -> None:
    """A document of content that is a text keeps it."""
    source = {"type": "content", "content": "words"}
    assert Document(name="t", text="words", cache=CacheMark("1h")) == document(source)


def test_document_by_address() -> None:
    """A document by address keeps it."""
    source = {"type": "url", "url": "https://papers.example/a.pdf"}
    expected = Document(name="t", url="https://papers.example/a.pdf", cache=CacheMark("1h"))
    assert expected == document(source)


def test_document_by_file() -> None:
    """A document that the provider keeps is named by its file."""
    source = {"type": "file", "file_id": "file_1"}
    assert Document(name="t", file_id="file_1", cache=CacheMark("1h")) == document(source)


def test_thinking() -> None:
    """Thinking keeps its text and signature, hidden thinking its data."""
    shown = {"type": "thinking", "thinking": "hm", "signature": "s=="}
    assert Thinking(text="hm", signature="s==") == part(shown, "assistant")
    assert Thinking(hidden="d==") == part({"type": "redacted_thinking", "data": "d=="}, "assistant")


def test_tool_call() -> None:
    """A tool call keeps its id, name and cache mark, and its input byte for byte."""
    body = b"""{"model": "m", "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1",
        "name": "f", "input": {"b" : 1.50, "a":"\\u00e9"}, "cache_control": {"type": "ephemeral"}}]}]}"""
    found = read_chat(read_request(body, LIMITS))
    assert isinstance(found, ChatRequest)
    arguments = '{"b" : 1.50, "a":"\\u00e9"}'
    expected = ToolCall(id="toolu_1", name="f", arguments=arguments, cache=CacheMark(""))
    assert (Message(Role.ASSISTANT, (expected,)),) == found.messages


def test_tool_call_without_input() -> None:
    """A tool call without input has no arguments."""
    assert ToolCall(id="t", name="f") == part({"type": "tool_use", "id": "t", "name": "f"}, "assistant")


def test_tool_result() -> None:
    """A tool result is a turn of its own, with its id, text and cache mark."""
    block = {"type": "tool_result", "tool_use_id": "t", "content": "21 C", "cache_control": HOUR}
    (message,) = chat(messages=turn(block)).messages
    expected = ToolResult(id="t", parts=(Text("21 C"),), cache=CacheMark("1h"))
    assert Message(Role.TOOL, (expected,)) == message


@pytest.mark.parametrize(("said", "expected"), [({}, False), ({"is_error": True}, True), ({"is_error": False}, False)])
def test_tool_result_that_failed(said: dict[str, bool], expected: bool) -> None:  # noqa: FBT001  # parametrised
    """A tool result tells whether the tool failed."""
    found = part({"type": "tool_result", "tool_use_id": "t", **said})
    assert ToolResult(id="t", is_error=expected) == found


def test_tool_result_of_blocks() -> None:
    """A tool result keeps texts, images and documents in their order."""
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "image", "source": BASE64},
        {"type": "document", "source": PDF},
    ]
    found = part({"type": "tool_result", "tool_use_id": "t", "content": blocks})
    parts = (
        Text("a"),
        Image(media_type="image/png", data="AAAA"),
        Document(media_type="application/pdf", data="JVBE"),
    )
    assert ToolResult(id="t", parts=parts) == found


def test_results_stand_before_what_the_user_adds() -> None:
    """All results of a turn come first, in one turn, and the user's own words after them."""
    blocks = [
        {"type": "text", "text": "before"},
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "b"},
        {"type": "text", "text": "after"},
    ]
    expected = (
        Message(Role.TOOL, (ToolResult(id="a"), ToolResult(id="b"))),
        Message(Role.USER, (Text("before"), Text("after"))),
    )
    assert expected == chat(messages=turn(*blocks)).messages


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "source", "text", "name", "id", "input", "tool_use_id", "data"]
            ),
            inner
            | st.sampled_from(["text", "image", "tool_use", "tool_result", "user", "assistant", "base64", "auto"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(["messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata"])


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_never_raises(fields: dict[str, Any]) -> None:
    """Whatever JSON the fields hold, a request is read or told to be unsayable."""
    try:
        asked = ask(**fields)
    except RequestError:
        return
    found = read_chat(asked)
    assert isinstance(found, ChatRequest) or found.kind is FaultKind.UNSUPPORTED


def test_recorded_requests(shared: Path) -> None:
    """Every recorded request is read in full, those with the provider's own tools are told by place."""
    found = recordings(shared)
    for recorded in found:
        asked = read_request(json.dumps(recorded.request).encode(), LIMITS)
        read = read_chat(asked)
        if recorded.uses_server_tools():
            assert isinstance(read, Fault), recorded.name
            assert read.param.startswith(("messages[", "tools[")), recorded.name
        else:
            assert isinstance(read, ChatRequest), (recorded.name, read.message if isinstance(read, Fault) else "")
            assert len(recorded.request.get("tools", ())) == len(read.tools), recorded.name
            assert texts_of(recorded.request) == [*texts_in(read)], recorded.name
    assert 0 < sum(not recorded.uses_server_tools() for recorded in found)


def texts_of(body: dict[str, Any]) -> list[str]:
    """Return the texts of a recorded request outside tool results, in order."""
    contents = [body.get("system") or "", *(message["content"] for message in body["messages"])]
    blocks = [block for content in contents for block in ([{"text": content}] if isinstance(content, str) else content)]
    return [block["text"] for block in blocks if block.get("text")]


def texts_in(read: ChatRequest) -> list[str]:
    """Return the texts of a read request outside tool results, in order."""
    return [each.text for message in read.messages for each in message.parts if isinstance(each, Text)]


def test_sizes_only_in_its_repr() -> None:
    """A read request shows no text when it is printed."""
    assert "hi" not in repr(chat())
    assert request()
