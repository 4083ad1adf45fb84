"""Turns become what the Messages API accepts, and say the same."""

from __future__ import annotations

from base64 import b64encode

import pytest

from everup.shapes.chat import Audio, Document, Image, Message, Role, Text, Thinking, ToolCall, ToolResult
from everup.wires.anthropic.blocks_out import lawful_id
from everup.wires.anthropic.quirks import NO_SYSTEM_TURNS
from tests.wires.anthropic.upstream import (
    ADAPTIVE,
    HI,
    blocks,
    body,
    call,
    candidate,
    dropped,
    encoded,
    model,
    refused,
    result,
    system,
    user,
)

PNG = Image(media_type="image/png", data="aWNvbg==")


def text(words: str) -> dict[str, str]:
    """Return a block of text."""
    return {"type": "text", "text": words}


def roles(*messages: Message, to: str = ADAPTIVE) -> list[str]:
    """Return who speaks in each turn of a body."""
    return [turn["role"] for turn in body(*messages, to=to)["messages"]]


# Instructions.


def test_leading_instructions_are_the_system() -> None:
    """All instructions before the first turn stand at the top, in their order, as blocks of their own."""
    assert [text("One."), text("Two.")] == body(system("One."), system("Two."), HI)["system"]


def test_later_instructions_stay_where_they_are() -> None:
    """Instructions behind a user's turn are a turn of their own for models that know such."""
    sent = body(system(), HI, system("In French."), to=ADAPTIVE)
    assert [text("Be brief.")] == sent["system"]
    assert [("user", [text("hi")]), ("system", [text("In French.")])] == [
        (turn["role"], turn["content"]) for turn in sent["messages"]
    ]


def test_instructions_in_a_row_are_one_turn() -> None:
    """The provider wants no two turns of instructions in a row."""
    turns = body(HI, system("A"), system("B"), to=ADAPTIVE)["messages"]
    assert ["user", "system"] == [turn["role"] for turn in turns]
    assert [text("A"), text("B")] == turns[1]["content"]


@pytest.mark.parametrize("to", ["claude-sonnet-4-5", "claude-opus-4-7", "claude-sonnet-5", "other"])
def test_older_models_read_instructions_as_text(to: str) -> None:
    """A model that knows no such turn reads the instructions in the user's."""
    assert [text("hi"), text("<system>\nIn French.\n</system>")] == blocks(HI, system("In French."), to=to)


def test_a_provider_may_lack_instructions_amid_a_conversation() -> None:
    """A flag of the provider's turns such instructions into text whatever the model."""
    to = candidate(ADAPTIVE, quirks=frozenset({NO_SYSTEM_TURNS}))
    assert [text("hi"), text("<system>\nX\n</system>")] == blocks(HI, system("X"), to=to)


def test_instructions_stand_only_where_the_provider_takes_them() -> None:
    """Instructions behind the model's turn, or before the user's, are a text of the user's turn."""
    assert ["user", "system", "assistant"] == roles(HI, system(), model("yes"))
    assert ["user", "assistant", "user"] == roles(HI, model("yes"), system(), HI)
    assert ["user", "assistant", "user"] == roles(HI, model("yes"), system())
    assert ["user"] == roles(HI, system(), HI)
    assert ["user", "assistant", "user", "system"] == roles(HI, model("yes"), HI, system())


def test_instructions_behind_an_empty_turn_look_at_what_is_said() -> None:
    """A turn that says nothing is not there: instructions before it are placed by the one that follows."""
    assert ["user"] == roles(HI, system(), model(), HI)
    assert ["user", "assistant"] == roles(model(), system(), model("yes"))


def test_instructions_between_call_and_result_come_after_it() -> None:
    """The result stands first in the turn after its call, whatever came between."""
    turns = body(HI, model(call()), system("X"), result("42"), to=ADAPTIVE)["messages"]
    assert ["tool_result", "text"] == [block["type"] for block in turns[2]["content"]]


def test_instructions_hold_only_text() -> None:
    """An image among instructions is refused, with its place."""
    fault = refused(Message(Role.SYSTEM, (Text("see"), PNG)), HI)
    assert "messages[0].content[1]" == fault.param


# Turns.


def test_neighbours_of_one_role_are_one_turn() -> None:
    """User after user, and model after model, are joined in their order."""
    turns = body(user("a"), user("b"), model("c"), model("d"))["messages"]
    assert [("user", [text("a"), text("b")]), ("assistant", [text("c"), text("d")])] == [
        (turn["role"], turn["content"]) for turn in turns
    ]


def test_what_says_nothing_is_left_out() -> None:
    """Empty and blank texts, which the provider refuses, and turns of nothing else are not sent."""
    assert [text("hi"), text("you")] == blocks(HI, user("", " \n"), model(), user("you"))


@pytest.mark.parametrize("messages", [(), (system(),), (user(" "),), (system(), user(), system("x"))])
def test_a_body_has_a_turn(messages: tuple[Message, ...]) -> None:
    """Where nothing but instructions is said the user's turn holds a point: the provider wants one."""
    assert text(".") == body(*messages or (system(),))["messages"][0]["content"][0]


def test_a_first_turn_that_says_nothing_stays() -> None:
    """A user's first turn without words stays one, whatever comes behind it."""
    assert ["user", "assistant", "user"] == roles(user(""), model("Hello!"), HI)
    assert [text("hi")] == blocks(model(), HI)


def test_a_conversation_may_begin_with_the_model() -> None:
    """A greeting by the model stays first: recorded traffic shows that the provider takes it."""
    assert ["assistant", "user"] == roles(model("Hello!"), HI)


def test_names_of_speakers_are_named_as_dropped() -> None:
    """A speaker's name has no place here."""
    assert ("messages[1].name",) == dropped(HI, Message(Role.USER, (Text("x"),), "ann"))
    assert () == dropped(HI, model(call()), Message(Role.TOOL, (ToolResult(id="toolu_1"),), "f"))


# Calls and results.


def test_a_call() -> None:
    """A call is a block of its turn, its arguments an object, their bytes as they came."""
    sent = body(HI, model("Let me see.", call(arguments='{"b": 1.0,  "a": [1]}')))["messages"][1]["content"]
    assert text("Let me see.") == sent[0]
    assert {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1.0, "a": [1]}} == sent[1]


def test_arguments_keep_their_bytes() -> None:
    """White space and numbers in arguments are not touched, so that caches hold."""
    sent = encoded(HI, model(call(arguments='{"b": 1.0,  "a": 1e2}')))
    assert b'"input":{"b": 1.0,  "a": 1e2}' in sent.body


@pytest.mark.parametrize("arguments", ["", "  ", "null", "{}"])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    """Arguments that say nothing are an empty object."""
    assert {} == body(HI, model(call(arguments=arguments)))["messages"][1]["content"][0]["input"]


@pytest.mark.parametrize("arguments", ["[1]", '"text"', "1", '{"a": ', "{} x", '{"a":' * 5000, '{"a":"\\ud800"}'])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    """Arguments that are no JSON object are refused before any network call, by their place, never quoted."""
    fault = refused(HI, model("x", call(), call("toolu_2", arguments=arguments)))
    assert "messages[1].tool_calls[1].function.arguments" == fault.param
    assert f"{fault.param} is not a JSON object, which Anthropic requires." == fault.message


@pytest.mark.parametrize("call_id", ["call_9-Z", "toolu_1"])
def test_lawful_ids_stay(call_id: str) -> None:
    """An id of characters that the provider takes is the same here."""
    assert call_id == lawful_id(call_id)


@pytest.mark.parametrize("call_id", ["functions.f:0", "", "ä", "a b", "a\n"])
def test_other_ids_are_mapped(call_id: str) -> None:
    """An id that the provider would refuse is another, the same in call and result."""
    turns = body(HI, model(call(call_id)), result("42", call_id=call_id))["messages"]
    used, answered = turns[1]["content"][0]["id"], turns[2]["content"][0]["tool_use_id"]
    assert used == answered == lawful_id(call_id) != call_id
    assert used.replace("_", "").isalnum()
    assert used != lawful_id(call_id + ".")


def test_results_are_one_turn() -> None:
    """All results of a turn stand in one user's turn, before what the user adds."""
    turns = body(
        HI, model(call("toolu_1"), call("toolu_2")), result("1"), result("2", call_id="toolu_2"), user("and?")
    )["messages"]
    assert ["user", "assistant", "user"] == [turn["role"] for turn in turns]
    assert [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "2"},
        text("and?"),
    ] == turns[2]["content"]


def test_a_result_s_details() -> None:
    """A failed result says so; an empty one has no content; one with an image is a list."""
    turns = body(
        HI,
        model(call("a"), call("b"), call("c")),
        result("no", call_id="a", is_error=True),
        result("", call_id="b"),
        result("see", PNG, call_id="c"),
        result(PNG, call_id="d"),
    )["messages"]
    failed, empty, pictured, picture = turns[2]["content"]
    assert (True, "no") == (failed["is_error"], failed["content"])
    assert {"type": "tool_result", "tool_use_id": "b"} == empty
    assert ["text", "image"] == [block["type"] for block in pictured["content"]]
    assert ["image"] == [block["type"] for block in picture["content"]]


# Images and files.


def test_an_image_by_data() -> None:
    """An image's base64 stays base64."""
    source = {"type": "base64", "media_type": "image/png", "data": "aWNvbg=="}
    assert [{"type": "image", "source": source}] == blocks(user(PNG))


def test_an_image_by_address() -> None:
    """An address stays an address: nothing is fetched."""
    (block,) = blocks(user(Image(url="https://pictures.example/a.png")))
    assert {"type": "url", "url": "https://pictures.example/a.png"} == block["source"]


def test_an_image_s_detail_is_named_as_dropped() -> None:
    """How closely to look has no word here; the usual needs none."""
    assert ("messages[0].content[1].image_url.detail",) == dropped(
        user("see", Image(url="https://a.example", detail="high"))
    )
    assert () == dropped(user(Image(url="https://a.example", detail="auto")))


def test_a_document() -> None:
    """A PDF goes as it is, with its name; a text as a text; an address as an address."""
    pdf = b64encode(b"%PDF-1.7 ...").decode()
    sent = blocks(
        user(
            Document(name="a.pdf", media_type="application/pdf", data=pdf),
            Document(data=pdf),
            Document(text="plain"),
            Document(media_type="text/csv", data=b64encode("ä,b".encode()).decode()),
            Document(url="https://files.example/a.pdf"),
        )
    )
    sources = [block["source"] for block in sent]
    by_data = {"type": "base64", "media_type": "application/pdf", "data": pdf}
    assert [
        by_data,
        by_data,
        {"type": "text", "media_type": "text/plain", "data": "plain"},
        {"type": "text", "media_type": "text/plain", "data": "ä,b"},
        {"type": "url", "url": "https://files.example/a.pdf"},
    ] == sources
    assert "a.pdf" == sent[0]["title"]
    assert "title" not in sent[1]


@pytest.mark.parametrize(
    "part",
    [
        Audio("UklGRg==", "wav"),
        Image(file_id="file-1"),
        Image(media_type="image/svg+xml", data="PHN2Zz4="),
        Document(file_id="file-1"),
        Document(media_type="application/zip", data="UEsDBA=="),
        Document(media_type="application/zip", data="JVBERi0xLjc="),
        Document(data="UEsDBA=="),
        Document(media_type="text/plain", data="////"),
        Document(media_type="text/plain", data="not base64!"),
    ],
)
def test_what_the_wire_cannot_carry_is_refused(part: Audio | Image | Document) -> None:
    """What Anthropic's models cannot read is refused by its place, without a word of the content."""
    fault = refused(HI, user("this", part))
    assert "messages[1].content[1]" == fault.param
    assert fault.message.startswith(fault.param)
    assert fault.message.endswith(".")
    assert "UEsDBA" not in fault.message


@pytest.mark.parametrize("part", [Image(file_id="file-1"), Document(file_id="file-1")])
def test_a_provider_s_own_file_is_refused_as_such(part: Image | Document) -> None:
    """A file that is only an id elsewhere is refused in these words."""
    assert "that only another provider holds" in refused(user(part)).message


def test_only_a_user_shows_images() -> None:
    """An image in the model's own turn is refused."""
    assert "messages[1].content[0]" == refused(HI, model(PNG)).param


# Thinking in a history.

SIGNED = Thinking(text="hm", signature="s==")
HIDDEN = Thinking(hidden="d==")


def thoughts(*parts: Thinking | Text | ToolCall, foreign: frozenset[str] | None = None) -> list[dict[str, str]]:
    """Return the model's turn as it is sent back."""
    turns = body(HI, model(*parts), foreign=foreign)["messages"]
    return list(turns[1]["content"]) if len(turns) > 1 else []


def test_thinking_goes_back_exactly() -> None:
    """Signed and hidden thinking return byte for byte, in order, before text and calls."""
    sent = thoughts(SIGNED, HIDDEN, Text("yes"), call())
    assert {"type": "thinking", "thinking": "hm", "signature": "s=="} == sent[0]
    assert {"type": "redacted_thinking", "data": "d=="} == sent[1]
    assert ["text", "tool_use"] == [block["type"] for block in sent[2:]]


def test_thinking_without_text_goes_back_too() -> None:
    """Thinking whose text was left out is known by its signature."""
    assert {"type": "thinking", "thinking": "", "signature": "s=="} == thoughts(Thinking(signature="s=="), Text("a"))[0]


@pytest.mark.parametrize("foreign", [frozenset({"s=="}), frozenset({"*"})])
def test_foreign_thinking_is_left_out(foreign: frozenset[str]) -> None:
    """What somebody else minted, or everything once the provider refused it, is not sent."""
    assert [text("yes")] == thoughts(SIGNED, Text("yes"), foreign=foreign)


def test_hidden_thinking_may_be_foreign() -> None:
    """Hidden thinking is known by its data."""
    assert [text("yes")] == thoughts(HIDDEN, Text("yes"), foreign=frozenset({"d=="}))


def test_other_thinking_stays() -> None:
    """Thinking that is not named as foreign is sent."""
    assert 2 == len(thoughts(SIGNED, Text("yes"), foreign=frozenset({"other"})))


def test_unsigned_thinking_is_not_replayed() -> None:
    """Thinking that nobody signed is no field of the request."""
    assert [text("yes")] == thoughts(Thinking(text="hm"), Text("yes"))


def test_thinking_never_ends_a_turn() -> None:
    """The provider refuses a turn that ends in thinking: such an end is left out, and a turn of nothing else."""
    assert [text("yes")] == thoughts(Text("yes"), SIGNED)
    assert [] == thoughts(SIGNED, HIDDEN)


def test_only_the_model_thinks() -> None:
    """Thinking in a user's turn is nobody's and not sent."""
    assert [text("hi")] == blocks(user(SIGNED, "hi"))
