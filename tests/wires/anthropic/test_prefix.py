"""A conversation that grows by a turn is sent as the bytes of the shorter one and more (prompt caches)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.shapes.chat import CacheMark, ChatRequest, Image, Message, Role, Text, Thinking, Tool, ToolCall, ToolResult
from everup.shapes.route import CacheMode
from everup.wires.anthropic.request_out import write_chat
from tests.wires.anthropic.upstream import ADAPTIVE, BUDGET, candidate

WORDS = st.text(max_size=12)
MODELS = st.sampled_from([ADAPTIVE, BUDGET, "claude-opus-5-5", "some-model"])
PLAIN = [candidate(each, cache=mode) for each in (ADAPTIVE, BUDGET) for mode in CacheMode]
MARKS = (b',"cache_control":{"type":"ephemeral"}', b',"cache_control":{"type":"ephemeral","ttl":"1h"}')
IDS = st.sampled_from(["call_1", "toolu_2", "functions.f:0", "ä"])
ARGUMENTS = st.sampled_from(["", "{}", '{"a":  1.0}', '{"ü":"\\u00e4"}'])


@st.composite
def exchanges(draw: st.DrawFn) -> list[list[Message]]:
    """Turns that belong together: instructions, what a user says, and a model's answer with the results it wants."""
    rounds: list[list[Message]] = []
    for _ in range(draw(st.integers(1, 4))):
        texts = [Text(draw(WORDS), draw(st.sampled_from([None, None, CacheMark(), CacheMark("1h")]))) for _ in range(2)]
        said: list[Message] = [Message(Role.USER, (*texts, *draw(images())))]
        if draw(st.booleans()):
            said.append(Message(Role.SYSTEM, (Text(draw(WORDS) + "!"),)))
        rounds.append(said)
        rounds.append(draw(answers()))
    return rounds


def images() -> st.SearchStrategy[tuple[Image, ...]]:
    """No image, or one."""
    return st.sampled_from([(), (Image(url="https://a.example/i.png"),)])


@st.composite
def answers(draw: st.DrawFn) -> list[Message]:
    """A model's turn, and the results of its calls."""
    thoughts = draw(st.sampled_from([(), (Thinking(text="hm", signature="s=="),), (Thinking(hidden="d=="),)]))
    calls = tuple(
        ToolCall(id=draw(IDS) + str(place), name="f", arguments=draw(ARGUMENTS))
        for place in range(draw(st.integers(0, 2)))
    )
    results = [Message(Role.TOOL, (ToolResult(id=each.id, parts=(Text(draw(WORDS)),)),)) for each in calls]
    return [Message(Role.ASSISTANT, (*thoughts, Text(draw(WORDS) + "."), *calls)), *results]


def turns_of(messages: list[Message], target: Any, **fields: Any) -> bytes:
    """Return a body up to the end of its last turn, without marks."""
    sent = write_chat(ChatRequest(messages=tuple(messages), **fields), target, foreign=None)
    assert sent.fault is None
    raw = sent.body
    for mark in MARKS:
        raw = raw.replace(mark, b"")
    return raw[: raw.rindex(b']}],"max_tokens":')]


@pytest.mark.parametrize("target", PLAIN, ids=lambda each: f"{each.name}-{each.provider.cache}")
@given(rounds=exchanges(), has_system=st.booleans(), has_tools=st.booleans())
def test_a_longer_conversation_begins_with_the_shorter(
    rounds: list[list[Message]], target: Any, *, has_system: bool, has_tools: bool
) -> None:
    """Whatever is added behind a conversation, its own bytes stay as they were."""
    begun = [Message(Role.SYSTEM, (Text("Be brief."),))] if has_system else []
    tools = (Tool(name="f"),) if has_tools else ()
    before = b""
    for count in range(1, len(rounds) + 1):
        messages = [*begun, *(message for turn in rounds[:count] for message in turn)]
        raw = turns_of(messages, target, tools=tools)
        assert raw.startswith(before)
        before = raw


@given(rounds=exchanges(), model=MODELS)
def test_the_same_conversation_gives_the_same_bytes(rounds: list[list[Message]], model: str) -> None:
    """Nothing but the conversation and the candidate decides what is sent."""
    chat = ChatRequest(messages=tuple(message for turn in rounds for message in turn), tools=(Tool(name="f"),))
    target = candidate(model, cache=CacheMode.AUTO)
    assert write_chat(chat, target, foreign=None) == write_chat(chat, target, foreign=None)


def test_only_a_user_right_behind_instructions_changes_them() -> None:
    """The one exception: instructions at the end, which a user's turn right behind them makes a text of its own."""
    target = candidate(ADAPTIVE)
    shorter = [Message(Role.USER, (Text("a"),)), Message(Role.SYSTEM, (Text("b"),))]
    before = turns_of(shorter, target)
    assert turns_of([*shorter, Message(Role.ASSISTANT, (Text("c"),))], target).startswith(before)
    with_user = turns_of([*shorter, Message(Role.USER, (Text("c"),))], target)
    assert not with_user.startswith(before)
    assert with_user.startswith(turns_of(shorter[:1], target))
