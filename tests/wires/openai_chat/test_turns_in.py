"""A client's messages are read into turns of typed parts."""

from __future__ import annotations

from typing import Any

import pytest

from everup.shapes.chat import (
    Audio,
    CacheMark,
    Document,
    Image,
    Message,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from everup.shapes.fault import FaultKind
from everup.wires.mint import mint_call_id
from tests.wires.openai_chat.chats import chat, parts, refused

MARK = {"type": "ephemeral", "ttl": "1h"}
HOUR = CacheMark("1h")
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("system", Role.SYSTEM),
        ("developer", Role.SYSTEM),
        ("user", Role.USER),
        ("assistant", Role.ASSISTANT),
    ],
)
def test_roles(role: str, expected: Role) -> None:
    """Each role is read wherever it stands, with its text and its name."""
    read = chat(messages=[USER, {"role": role, "content": "words", "name": "Ann"}, USER]).messages
    assert (Message(Role.USER, (Text("hi"),)), Message(expected, (Text("words"),), "Ann")) == read[:2]
    assert len(read) == 3


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ()),
        ("", ()),
        ("hi", (Text("hi"),)),
        ([], ()),
        ([{"type": "text", "text": ""}, {"type": "text", "text": "a"}], (Text("a"),)),
        (
            [{"type": "text", "text": "a", "cache_control": MARK}, {"type": "text", "text": "b"}],
            (Text("a", HOUR), Text("b")),
        ),
        ([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}], (Text("a", CacheMark()),)),
        ([{"type": "text", "text": "a", "cache_control": None}], (Text("a"),)),
        (
            [
                {
                    "type": "image_url",
                    "image_url": {"url": "https://e.org/a.png", "detail": "low"},
                    "cache_control": MARK,
                }
            ],
            (Image(url="https://e.org/a.png", detail="low", cache=HOUR),),
        ),
        ([{"type": "image_url", "image_url": "https://e.org/a.png"}], (Image(url="https://e.org/a.png"),)),
        (
            [{"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "high"}],
            (Image(media_type="image/png", data="QUJD", detail="high"),),
        ),
        (
            [{"type": "image_url", "image_url": {"url": "DATA:Image/PNG;charset=utf-8;base64,QUJD"}}],
            (Image(media_type="image/png", data="QUJD"),),
        ),
        ([{"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}], (Audio("QUJD", "wav"),)),
        (
            [{"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}}],
            (Document(name="a.pdf", media_type="application/pdf", data="QUJD"),),
        ),
        (
            [{"type": "file", "file": {"file_data": "QUJD"}, "cache_control": MARK}],
            (Document(data="QUJD", cache=HOUR),),
        ),
        ([{"type": "file", "file": {"file_data": "https://e.org/a.pdf"}}], (Document(url="https://e.org/a.pdf"),)),
        ([{"type": "file", "file": {"file_data": "http://e.org/a.pdf"}}], (Document(url="http://e.org/a.pdf"),)),
        ([{"type": "file", "file": {"file_id": "file-1"}}], (Document(file_id="file-1"),)),
    ],
)
def test_parts_of_a_user(content: object, expected: tuple[object, ...]) -> None:
    """Each kind of part that a user can send is read with all that it holds."""
    assert expected == parts(content)


def test_a_mark_on_a_whole_message_goes_to_its_last_part() -> None:
    """A cache mark beside a content counts for its last part, unless that has its own."""
    two = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert (Text("a", HOUR),) == parts("a", cache_control=MARK)
    assert (Text("a"), Text("b", HOUR)) == parts(two, cache_control=MARK)
    two[1]["cache_control"] = {"type": "ephemeral"}  # type: ignore[assignment]
    assert (Text("a"), Text("b", CacheMark())) == parts(two, cache_control=MARK)
    assert () == parts("", cache_control=MARK)


def test_a_models_turn() -> None:
    """Text, refusals and calls of a model's turn are read in this order."""
    content = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no", "cache_control": MARK}]
    read = parts(content, "assistant", refusal="never", tool_calls=[{**CALL, "cache_control": MARK}])
    assert read == (
        Text("a"),
        Text("no", HOUR, is_refusal=True),
        Text("never", is_refusal=True),
        ToolCall(id="call_1", name="f", arguments='{"a": 1}', cache=HOUR),
    )
    assert (ToolCall(id="call_1", name="f", arguments='{"a": 1}'),) == parts(None, "assistant", tool_calls=[CALL])
    assert (Text("a"),) == parts("a", "assistant", tool_calls=None, refusal=None, function_call=None, audio=None)


@pytest.mark.parametrize(
    ("arguments", "expected"), [("", ""), (None, ""), ('{"a": 1', '{"a": 1'), ({"a": [1]}, '{"a":[1]}')]
)
def test_arguments_stay_as_they_came(arguments: object, expected: str) -> None:
    """Arguments are kept to the byte, whole or not; an object in their place becomes its text."""
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    assert (ToolCall(id="c", name="f", arguments=expected),) == parts("", "assistant", tool_calls=[call])


def test_results() -> None:
    """A tool's result is a turn of its own, with the call's id, the tool's name, texts, images and files."""
    content = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
        {"type": "file", "file": {"file_id": "f1"}},
        {"type": "input_image", "image_url": "https://e.org/b.png"},
    ]
    assert parts("ok", "tool", tool_call_id="call_1", name="f", cache_control=MARK) == (
        ToolResult(id="call_1", parts=(Text("ok"),), name="f", cache=HOUR),
    )
    assert parts(content, "tool", tool_call_id="call_1") == (
        ToolResult(
            id="call_1",
            parts=(
                Text("a"),
                Image(url="https://e.org/a.png"),
                Document(file_id="f1"),
                Image(url="https://e.org/b.png"),
            ),
        ),
    )
    turns = chat(
        messages=[
            {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
            {"role": "tool", "tool_call_id": "call_2", "content": "2"},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        ]
    ).messages
    assert [Role.ASSISTANT, Role.TOOL, Role.TOOL] == [turn.role for turn in turns]
    assert ["call_2", "call_1"] == [turn.parts[0].id for turn in turns[1:]]  # type: ignore[union-attr]


def test_the_older_form_of_calls() -> None:
    """A function's call and result of the older form get one id, a function of content and place."""
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    turns = chat(messages=[USER, call, {"role": "function", "name": "f", "content": "ok"}]).messages
    minted = mint_call_id(1, 0, "f", "{}")
    assert (ToolCall(id=minted, name="f", arguments="{}"),) == turns[1].parts
    assert Message(Role.TOOL, (ToolResult(id=minted, parts=(Text("ok"),), name="f"),)) == turns[2]


def test_calls_without_ids_are_matched_by_name_and_order() -> None:
    """Results without an id answer the first open call of their name, or the first open one."""
    bare = [{"function": {"name": name, "arguments": "{}"}} for name in ("f", "g", "g")]
    bare[0]["id"] = ""  # type: ignore[assignment]
    turns = chat(
        messages=[
            {"role": "assistant", "content": None, "tool_calls": bare},
            {"role": "tool", "name": "g", "content": "1"},
            {"role": "tool", "content": "2"},
            {"role": "tool", "tool_call_id": None, "content": "3"},
        ]
    ).messages
    ids = [mint_call_id(0, place, name, "{}") for place, name in enumerate("fgg")]
    assert ids == [call.id for call in turns[0].parts]  # type: ignore[union-attr]
    assert [ids[1], ids[0], ids[2]] == [turn.parts[0].id for turn in turns[1:]]  # type: ignore[union-attr]


SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "blob", "index": 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_details": [SIGNED, HIDDEN]}, (Thinking(text="hm", signature="sig"), Thinking(hidden="blob"))),
        (
            {
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "h", "index": 0},
                    {"type": "reasoning.text", "text": "m", "signature": "sig", "index": 0},
                    {"type": "reasoning.text", "text": "n", "signature": "sig2", "index": 0},
                    {"type": "reasoning.text", "text": "o", "signature": "sig3"},
                ]
            },
            (
                Thinking(text="hm", signature="sig"),
                Thinking(text="n", signature="sig2"),
                Thinking(text="o", signature="sig3"),
            ),
        ),
        (
            {
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "hm", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "blob"},
                ]
            },
            (Thinking(text="hm", signature="sig"), Thinking(hidden="blob")),
        ),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "sig"},
                    {"type": "redacted_thinking", "data": "blob"},
                    {"type": "text", "text": "a"},
                ]
            },
            (Thinking(text="hm", signature="sig"), Thinking(hidden="blob"), Text("a")),
        ),
        ({"reasoning_details": [SIGNED], "thinking_blocks": [HIDDEN]}, (Thinking(text="hm", signature="sig"),)),
        ({"reasoning_content": "hm", "reasoning": "hm"}, ()),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, ()),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}, ()),
        ({"reasoning_details": [{**HIDDEN, "format": "openai-responses-v1"}]}, ()),
        ({"reasoning_details": [{**HIDDEN, "format": ""}]}, (Thinking(hidden="blob"),)),
        ({"reasoning_details": [{**HIDDEN, "format": "unknown"}]}, (Thinking(hidden="blob"),)),
        ({"reasoning_details": [{**HIDDEN, "data": 5}, 7], "thinking_blocks": "x"}, ()),
    ],
)
def test_thinking_comes_back_to_who_minted_it(fields: dict[str, Any], expected: tuple[object, ...]) -> None:
    """Signed and hidden thinking is read from every place clients keep it in, in front of all else."""
    read = chat(messages=[USER, {"role": "assistant", **fields}]).messages[1]
    assert Message(Role.ASSISTANT, expected) == read  # type: ignore[arg-type]


def test_thinking_stands_before_text_and_calls() -> None:
    """A turn with thinking, text and calls is read in that order."""
    read = parts("a", "assistant", tool_calls=[CALL], reasoning_details=[SIGNED])
    assert [Thinking, Text, ToolCall] == [type(part) for part in read]


PART = "messages[0].content[0]"


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ({"role": "critic", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": "x", "name": 5}, "messages[0].name"),
        ({"role": "user", "content": [5]}, PART),
        ({"role": "user", "content": [{"text": "x"}]}, PART),
        ({"role": "user", "content": [{"type": "video_url"}]}, PART),
        ({"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}, PART),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, f"{PART}.text"),
        ({"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, PART),
        ({"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, PART),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": 5}]}, f"{PART}.refusal"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": 5}]}, f"{PART}.image_url"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, f"{PART}.image_url"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "data:text/plain,x"}]},
            f"{PART}.image_url.url",
        ),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "data:;base64,"}]}, f"{PART}.image_url.url"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": 5}}]},
            f"{PART}.image_url.detail",
        ),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, f"{PART}.input_audio"),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x", "format": 5}}]},
            f"{PART}.input_audio.format",
        ),
        ({"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}, f"{PART}.file"),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages[0].audio"),
        ({"role": "assistant", "refusal": 5}, "messages[0].refusal"),
        ({"role": "assistant", "tool_calls": {}}, "messages[0].tool_calls"),
        (
            {"role": "assistant", "tool_calls": [{"type": "custom", "function": {"name": "f"}}]},
            "messages[0].tool_calls[0]",
        ),
        ({"role": "assistant", "tool_calls": [{"id": "c", "function": {}}]}, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"id": 5, "function": {"name": "f"}}]}, "messages[0].tool_calls[0].id"),
        ({"role": "assistant", "function_call": "f"}, "messages[0].function_call"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "tool", "tool_call_id": "c", "content": [{"type": "input_audio"}]}, PART),
        ({"role": "function", "name": "f", "content": "x"}, "messages[0].tool_call_id"),
    ],
)
def test_what_cannot_be_said_is_told_by_its_place(message: dict[str, Any], place: str) -> None:
    """A message that only a provider of chat completions could judge is a fault that names the place in it."""
    fault = refused(messages=[message])
    assert (FaultKind.UNSUPPORTED, place) == (fault.kind, fault.param)
    assert fault.message.startswith(f"'{place}' ")


def test_a_fault_never_tells_what_a_client_wrote() -> None:
    """The type of a part is named only if it is a plain word."""
    said = "Alice lives at 5 Elm Street"
    assert said not in refused(messages=[{"role": "user", "content": [{"type": said}]}]).message
    assert "'video_url'" in refused(messages=[{"role": "user", "content": [{"type": "video_url"}]}]).message
