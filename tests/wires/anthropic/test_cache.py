"""What the provider is told to cache: everup's marks where they pay, the client's own always."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from everup.shapes.chat import CacheMark, Document, Image, Message, Role, Text, ToolResult
from everup.shapes.route import CacheMode
from tests.wires.anthropic.upstream import (
    ADAPTIVE,
    HI,
    TOOL,
    body,
    call,
    candidate,
    model,
    result,
    system,
    user,
)

AUTO = candidate(ADAPTIVE, cache=CacheMode.AUTO)
EPHEMERAL = {"type": "ephemeral"}
MARK = CacheMark()
HOUR = CacheMark("1h")


def marks(sent: Any) -> list[str]:
    """Return the places of all cache marks in a body."""
    found: list[str] = []

    def look(value: Any, place: str) -> None:
        if isinstance(value, dict):
            if "cache_control" in value:
                found.append(place)
            for key, each in value.items():
                look(each, f"{place}.{key}")
        elif isinstance(value, list):
            for index, each in enumerate(value):
                look(each, f"{place}[{index}]")

    look(sent, "")
    return found


def test_with_tools_everything_that_stays_is_marked() -> None:
    """With tools the last tool, the last instructions and the last turn's last block are marked."""
    sent = body(system("a"), system("b"), HI, user("x", "y"), tools=(TOOL, structs.replace(TOOL, name="g")), to=AUTO)
    assert [".system[1]", ".tools[1]", ".messages[0].content[2]"] == marks(sent)
    assert EPHEMERAL == sent["system"][1]["cache_control"]


def test_a_conversation_is_marked_from_the_second_answer_on() -> None:
    """Without tools nothing is marked before the model has had two turns: writing a cache costs more than reading."""
    one = (system(), HI, model("a"), HI)
    assert [] == marks(body(*one, to=AUTO))
    assert [".system[0]", ".messages[4].content[0]"] == marks(body(*one, model("b"), HI, to=AUTO))


def test_the_last_turn_may_be_a_result_or_instructions() -> None:
    """A mark stands on whatever block is last."""
    sent = body(HI, model(call()), result("42"), tools=(TOOL,), to=AUTO)
    assert [".tools[0]", ".messages[2].content[0]"] == marks(sent)
    sent = body(HI, system("x"), tools=(TOOL,), to=AUTO)
    assert ".messages[1].content[0]" in marks(sent)


def test_who_marks_itself_gets_no_other_marks() -> None:
    """One mark of the client's is enough to leave all marking to it."""
    marked = Message(Role.USER, (Text("x", MARK), Text("y")))
    assert [".messages[0].content[0]"] == marks(body(system(), marked, tools=(TOOL,), to=AUTO))
    by_tool = body(system(), HI, tools=(structs.replace(TOOL, cache=MARK), TOOL), to=AUTO)
    assert [".tools[0]"] == marks(by_tool)


def test_a_provider_may_leave_marking_to_the_client() -> None:
    """`cache = "client"` adds no marks."""
    assert [] == marks(body(system(), HI, tools=(TOOL,), to=candidate(ADAPTIVE)))


def test_where_nothing_is_there_is_no_mark() -> None:
    """A body without instructions is marked where there is something."""
    assert [".tools[0]", ".messages[0].content[0]"] == marks(body(HI, tools=(TOOL,), to=AUTO))


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (Message(Role.SYSTEM, (Text("x", HOUR),)), ".system[0]"),
        (Message(Role.USER, (Text("x", HOUR),)), ".messages[0].content[0]"),
        (Message(Role.USER, (Image(url="https://a.example", cache=HOUR),)), ".messages[0].content[0]"),
        (Message(Role.USER, (Document(text="x", cache=HOUR),)), ".messages[0].content[0]"),
        (Message(Role.ASSISTANT, (structs.replace(call(), cache=HOUR),)), ".messages[0].content[0]"),
        (Message(Role.TOOL, (ToolResult(id="toolu_1", cache=HOUR),)), ".messages[0].content[0]"),
        (
            Message(Role.TOOL, (ToolResult(id="toolu_1", parts=(Text("x", HOUR),)),)),
            ".messages[0].content[0].content[0]",
        ),
    ],
)
def test_a_client_s_mark_stays_with_its_time(message: Message, place: str) -> None:
    """A mark of the client's stays on its part, with the time that it names."""
    sent = body(message)
    assert [place] == marks(sent)
    assert '"cache_control": {"type": "ephemeral", "ttl": "1h"}' in json.dumps(sent)


def test_a_tool_s_mark_stays() -> None:
    """A mark on a tool stays, without a time where none is named."""
    sent = body(tools=(structs.replace(TOOL, cache=MARK), TOOL))
    assert EPHEMERAL == sent["tools"][0]["cache_control"]
    assert [".tools[0]"] == marks(sent)
