"""A conversation's turns are the rows that an Ollama server reads, in their order."""

from __future__ import annotations

import json

import pytest
from ollama import Message as SdkMessage

from everup.shapes.chat import (
    Audio,
    CacheMark,
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
from everup.shapes.fault import FaultKind
from tests.wires.ollama.make import PNG, body, chat, say, turn, write


def rows(*messages: Message, foreign: frozenset[str] | None = None) -> list[dict[str, object]]:
    """Return the rows of some turns."""
    found: list[dict[str, object]] = body(chat(*messages), foreign=foreign)["messages"]
    return found


@pytest.mark.parametrize("role", [Role.SYSTEM, Role.USER, Role.ASSISTANT])
def test_role_and_text(role: Role) -> None:
    """Who speaks and what is said are the row's role and content."""
    assert [{"role": role.value, "content": "hello"}] == rows(say("hello", role))


def test_order_stays() -> None:
    """Neighbours of one role stay apart, and a late system message stays where it was."""
    spoken = [say("a"), say("b"), say("c", Role.SYSTEM), say("d")]
    assert [("user", "a"), ("user", "b"), ("system", "c"), ("user", "d")] == [
        (row["role"], row["content"]) for row in rows(*spoken)
    ]


@pytest.mark.parametrize(("role", "text"), [(Role.USER, "a\n\nb"), (Role.SYSTEM, "a\n\nb"), (Role.ASSISTANT, "ab")])
def test_texts_of_a_turn_are_one(role: Role, text: str) -> None:
    """Several texts are joined as Ollama joins messages; a model's own are one text cut in pieces."""
    parts = (Text("a", cache=CacheMark()), Text("b"))
    assert [{"role": role.value, "content": text}] == rows(Message(role, parts))


def test_an_empty_turn_has_empty_content() -> None:
    """A turn without parts keeps its place."""
    assert [{"role": "user", "content": ""}] == rows(Message(Role.USER, ()))


def test_images_stand_beside_the_text() -> None:
    """Images are base64 without a prefix, in their order."""
    parts = (Image(media_type="image/png", data=PNG), Text("what?"), Image(media_type="image/jpeg", data="/9j/AA=="))
    assert [{"role": "user", "content": "what?", "images": [PNG, "/9j/AA=="]}] == rows(Message(Role.USER, parts))


@pytest.mark.parametrize(("detail", "dropped"), [("", ()), ("auto", ()), ("low", ("image_url.detail",))])
def test_detail_is_named_once(detail: str, dropped: tuple[str, ...]) -> None:
    """How closely an image is looked at has no word here and is named, once."""
    image = Image(data=PNG, detail=detail)
    assert dropped == write(chat(turn(Role.USER, image, image))).dropped


def test_a_plain_text_document_is_text() -> None:
    """A document that is plain text is told as text."""
    parts = (Document(name="n", text="page"), Text("sum it up"))
    assert [{"role": "user", "content": "page\n\nsum it up"}] == rows(Message(Role.USER, parts))


UNSAYABLE: tuple[tuple[Role, Part, str], ...] = (
    (Role.USER, Image(url="https://example.com/a.png"), "messages[1].content[1]"),
    (Role.USER, Image(file_id="file-1"), "messages[1].content[1]"),
    (Role.USER, Document(media_type="application/pdf", data="JVBERi0="), "messages[1].content[1]"),
    (Role.USER, Document(url="https://example.com/a.pdf"), "messages[1].content[1]"),
    (Role.USER, Document(file_id="file-1"), "messages[1].content[1]"),
    (Role.USER, Audio("UklGRg==", "wav"), "messages[1].content[1]"),
    (Role.ASSISTANT, ToolCall(id="c", name="f", arguments='{"a":'), "messages[1].tool_calls[0].function.arguments"),
    (Role.ASSISTANT, ToolCall(id="c", name="f", arguments="[1]"), "messages[1].tool_calls[0].function.arguments"),
    (Role.ASSISTANT, ToolCall(id="c", name="f", arguments='"x"'), "messages[1].tool_calls[0].function.arguments"),
    (Role.ASSISTANT, ToolCall(id="c", name="f", arguments='{"a":1} x'), "messages[1].tool_calls[0].function.arguments"),
    (Role.TOOL, ToolResult(id="c", parts=(Text("t"), Image(url="https://a.example/b"))), "messages[1].content[1]"),
)


@pytest.mark.parametrize(("role", "part", "place"), UNSAYABLE)
def test_what_would_change_the_question_is_refused(role: Role, part: Part, place: str) -> None:
    """What cannot be carried makes a fault that names its place and repeats no content."""
    parts: tuple[Part, ...] = (part,) if role is Role.TOOL or isinstance(part, ToolCall) else (Text("secret"), part)
    encoded = write(chat(say("secret"), Message(role, parts)))
    assert encoded.fault is not None
    assert (FaultKind.UNSUPPORTED, place, b"") == (encoded.fault.kind, encoded.fault.param, encoded.body)
    assert place in encoded.fault.message
    assert not any(word in encoded.fault.message for word in ("secret", "example", "JVBER", '{"a"', "file-1"))


def test_calls_have_object_arguments_byte_for_byte() -> None:
    """A call's arguments are an object whose bytes are those of the JSON text."""
    made = ToolCall(id="call_1", name="f", arguments='{"b": 1,  "a": "\\u00e9"}')
    sent = write(chat(turn(Role.ASSISTANT, Text("wait"), made))).body
    assert b'"content":"wait","tool_calls":[{"id":"call_1","function":{"name":"f","arguments":{"b": 1,  "a": ' in sent
    assert b'"\\u00e9"}}}]' in sent


@pytest.mark.parametrize("arguments", ["", "  ", "null", "{}"])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    """A call without arguments has an empty object of them."""
    sent = rows(turn(Role.ASSISTANT, ToolCall(id="call_1", name="f", arguments=arguments)))
    assert [{"id": "call_1", "function": {"name": "f", "arguments": {}}}] == sent[0]["tool_calls"]


def test_results_are_told_by_the_tools_name() -> None:
    """A tool's result carries the name that the history knows by the call's id, and the id."""
    calls = (ToolCall(id="call_1", name="f"), ToolCall(id="call_2", name="g"))
    results = (ToolResult(id="call_2", parts=(Text("two"),)), ToolResult(id="call_1", parts=(Text("one"),)))
    assert [
        {"role": "tool", "content": "two", "tool_name": "g", "tool_call_id": "call_2"},
        {"role": "tool", "content": "one", "tool_name": "f", "tool_call_id": "call_1"},
    ] == rows(Message(Role.ASSISTANT, calls), Message(Role.TOOL, results))[1:]


def test_a_result_may_name_its_tool() -> None:
    """A result's own name counts more than the history, and an unknown call has none."""
    made = ToolCall(id="call_1", name="f")
    named, orphan = ToolResult(id="call_1", name="mine"), ToolResult(id="call_9")
    sent = rows(turn(Role.ASSISTANT, made), turn(Role.TOOL, named), turn(Role.TOOL, orphan))
    assert "mine" == sent[1]["tool_name"]
    assert {"role": "tool", "content": "", "tool_call_id": "call_9"} == sent[2]


def test_results_may_hold_images_and_failures() -> None:
    """A result's images stand beside its text; that it failed is named, since only its text can tell."""
    result = ToolResult(id="call_1", parts=(Text("no"), Text("way"), Image(data=PNG)), is_error=True)
    encoded = write(chat(say("hi"), turn(Role.TOOL, result)))
    assert {"role": "tool", "content": "no\n\nway", "images": [PNG], "tool_call_id": "call_1"} == json.loads(
        encoded.body
    )["messages"][1]
    assert ("messages[1].is_error",) == encoded.dropped


def test_results_come_before_what_is_added_to_them() -> None:
    """A turn of results and words is a row for each result, then one for the words."""
    sent = rows(turn(Role.USER, Text("and?"), ToolResult(id="call_1", parts=(Text("one"),))))
    assert [("tool", "one"), ("user", "and?")] == [(row["role"], row["content"]) for row in sent]


def test_a_speakers_name_is_named() -> None:
    """The name of a speaker has no word here."""
    encoded = write(chat(Message(Role.USER, (Text("hi"),), "ann")))
    assert ("messages[0].name",) == encoded.dropped
    assert [{"role": "user", "content": "hi"}] == json.loads(encoded.body)["messages"]


def test_own_thinking_goes_back() -> None:
    """Thinking without a signature may have come from here and goes back with its turn."""
    spoken = turn(Role.ASSISTANT, Thinking(text="hm "), Thinking(text="yes"), Text("4"))
    assert [{"role": "assistant", "content": "4", "thinking": "hm yes"}] == rows(spoken)


@pytest.mark.parametrize("thinking", [Thinking(text="hm", signature="s"), Thinking(hidden="x")])
def test_signed_thinking_stays_here(thinking: Thinking) -> None:
    """Thinking that another provider signed or hid is not told to a model that did not think it."""
    assert [{"role": "assistant", "content": "4"}] == rows(turn(Role.ASSISTANT, thinking, Text("4")))


def test_the_one_repair_leaves_out_all_thinking() -> None:
    """Where all reasoning is left out, no turn has any, and other foreign signatures change nothing."""
    spoken = turn(Role.ASSISTANT, Thinking(text="hm"), Text("4"))
    assert [{"role": "assistant", "content": "4"}] == rows(spoken, foreign=frozenset({"*"}))
    assert "thinking" in rows(spoken, foreign=frozenset({"sig"}))[0]


def test_only_a_model_thinks() -> None:
    """Thinking in any other turn than a model's is no field of it."""
    assert [{"role": "user", "content": "4"}] == rows(turn(Role.USER, Thinking(text="hm"), Text("4")))


def test_the_sdk_reads_each_row() -> None:
    """The official SDK reads every kind of row as a message of its own, with the same values."""
    sent = rows(
        say("be kind", Role.SYSTEM),
        turn(Role.USER, Text("look"), Image(data=PNG)),
        turn(Role.ASSISTANT, Thinking(text="hm"), ToolCall(id="call_1", name="f", arguments='{"a":[1]}')),
        turn(Role.TOOL, ToolResult(id="call_1", parts=(Text("one"),))),
    )
    for row in sent:
        read = SdkMessage(**{name: value for name, value in row.items() if name != "images"})
        known = {name: value for name, value in row.items() if name not in {"images", "tool_call_id", "tool_calls"}}
        assert known.items() <= read.model_dump().items()
    calls = SdkMessage(**sent[2]).tool_calls
    assert calls is not None
    assert [("f", {"a": [1]})] == [(each.function.name, each.function.arguments) for each in calls]
