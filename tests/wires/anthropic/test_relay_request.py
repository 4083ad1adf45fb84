"""For an upstream of the same wire a request keeps its bytes: the model changes, and foreign thinking goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.wires.anthropic.relay_request import ALL, SIGNATURES_MAX, encode_request, read_signatures
from everup.wires.anthropic.request_in import read_request
from tests.wires.anthropic.client import LIMITS, SCHEMA, ask, candidate, recordings, request

MODEL = "claude-sonnet-4-5"
BUDGET = {"type": "enabled", "budget_tokens": 2048}
OURS = {"type": "thinking", "thinking": "hm", "signature": "mine"}
THEIRS = {"type": "thinking", "thinking": "well", "signature": "theirs"}
HIDDEN = {"type": "redacted_thinking", "data": "hidden"}
TEXT = {"type": "text", "text": "ok"}
CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]}
USER = {"role": "user", "content": "hi"}


def assistant(*blocks: Any) -> dict[str, Any]:
    """Return a turn of the model."""
    return {"role": "assistant", "content": list(blocks)}


def sent(*, foreign: frozenset[str] | None = None, params: dict[str, object] | None = None, **fields: Any) -> Any:
    """Return the JSON that an upstream gets."""
    return json.loads(encode_request(ask(**fields), candidate(params=params or {}), foreign=foreign))


def talk(*turns: Any, foreign: frozenset[str], **fields: Any) -> Any:
    """Return the conversation that an upstream gets."""
    return sent(messages=[USER, *turns], foreign=foreign, **fields)["messages"]


def test_only_the_model_changes() -> None:
    """Every value keeps its bytes and its place, but the model's."""
    body = (
        b'{"max_tokens": 5, "model": "x", "later": {"b" : 1,  "a":[ ]}, "messages": [ {"role":"user","content":"h"}]}'
    )
    expected = (
        b'{"max_tokens":5,"model":"claude-sonnet-4-5","later":{"b" : 1,  "a":[ ]},'
        b'"messages":[ {"role":"user","content":"h"}]}'
    )
    assert expected == encode_request(read_request(body, LIMITS), candidate(), foreign=None)


def test_recorded_requests_change_nothing_else(shared: Path) -> None:
    """Every recorded request reaches its upstream as it was, with the upstream's model."""
    for recorded in recordings(shared):
        asked = read_request(json.dumps(recorded.request).encode(), LIMITS)
        raw = encode_request(asked, candidate(), foreign=None)
        assert {**recorded.request, "model": MODEL} == json.loads(raw), recorded.name
        for name, value in recorded.request.items():
            if name != "model":
                assert json.dumps(value).encode() in raw, (recorded.name, name)


def test_params_are_added() -> None:
    """Configured params stand where the client said nothing."""
    found = sent(params={"temperature": 0.2, "thinking": BUDGET})
    assert (0.2, BUDGET) == (found["temperature"], found["thinking"])


def test_params_do_not_override() -> None:
    """What the client said stays, `null` included."""
    found = sent(params={"temperature": 0.2, "max_tokens": 9, "top_k": 3}, temperature=1, top_k=None)
    assert (1, 64, None) == (found["temperature"], found["max_tokens"], found["top_k"])


def test_params_never_choose_what_is_asked() -> None:
    """Params set no model, no messages and no streaming."""
    found = sent(params={"model": "other", "messages": [], "stream": True})
    assert (MODEL, [USER], False) == (found["model"], found["messages"], "stream" in found)


@pytest.mark.parametrize("name", ["output_config", "metadata"])
def test_tables_are_merged(name: str) -> None:
    """A configured table adds the entries that the client's table does not have."""
    found = sent(params={name: {"effort": "low", "user_id": "u"}}, **{name: {"effort": "high"}})
    assert {"effort": "high", "user_id": "u"} == found[name]
    assert ["effort", "user_id"] == list(found[name])


def test_complete_tables_keep_their_bytes() -> None:
    """A client's table that lacks nothing keeps its bytes."""
    body = request(output_config={"effort": "high"}).replace(b'{"effort": "high"}', b'{"effort"  :"high"}')
    raw = encode_request(
        read_request(body, LIMITS), candidate(params={"output_config": {"effort": "low"}}), foreign=None
    )
    assert b'{"effort"  :"high"}' in raw


def test_other_tables_are_whole() -> None:
    """Thinking is one wish: a configured one adds nothing to the client's."""
    assert {"type": "adaptive"} == sent(params={"thinking": BUDGET}, thinking={"type": "adaptive"})["thinking"]


def test_foreign_thinking_is_left_out() -> None:
    """Blocks that somebody else minted go, all others stay as they are."""
    found = talk(assistant(OURS, THEIRS, HIDDEN, TEXT), foreign=frozenset({"theirs"}))
    assert [USER, assistant(OURS, HIDDEN, TEXT)] == found


def test_foreign_hidden_thinking_is_left_out() -> None:
    """Hidden thinking is known by its data."""
    assert [USER, assistant(OURS, TEXT)] == talk(assistant(OURS, HIDDEN, TEXT), foreign=frozenset({"hidden"}))


def test_all_thinking_is_left_out() -> None:
    """A star leaves out every block of thinking, unsigned ones too."""
    unsigned = {"type": "thinking", "thinking": "hm"}
    assert [USER, assistant(TEXT)] == talk(assistant(OURS, HIDDEN, unsigned, TEXT), foreign=frozenset({ALL}))


def test_a_turn_of_foreign_thinking_goes() -> None:
    """A turn that was nothing but foreign thinking goes: an empty one is refused."""
    assert [USER, USER] == talk(assistant(OURS), USER, foreign=frozenset({ALL}))


def test_thinking_of_a_user_goes_too() -> None:
    """Thinking in a turn that is not the model's goes as well, and changes nothing else."""
    turns = [{"role": "user", "content": [OURS, TEXT]}]
    found = sent(messages=turns, foreign=frozenset({ALL}), thinking=BUDGET)
    assert ([{"role": "user", "content": [TEXT]}], BUDGET) == (found["messages"], found["thinking"])


def test_other_turns_keep_their_bytes() -> None:
    """Turns without foreign thinking keep their bytes, so that caches hold up to the first that changes."""
    head = b'[ {"role":"user",  "content":"hi"}, {"role":"assistant","content":[{"type":"text" ,"text":"thinking"}]},'
    tail = b'{"role":"assistant","content":[%b,%b]}]' % (json.dumps(THEIRS).encode(), json.dumps(TEXT).encode())
    body = b'{"model":"m","messages":%b%b}' % (head, tail)
    raw = encode_request(read_request(body, LIMITS), candidate(), foreign=frozenset({ALL}))
    assert (
        b'{"role":"user",  "content":"hi"},{"role":"assistant","content":[{"type":"text" ,"text":"thinking"}]}' in raw
    )
    assert b"theirs" not in raw


def test_nothing_foreign_changes_nothing() -> None:
    """A conversation without the foreign signatures keeps its bytes."""
    asked = ask(messages=[USER, assistant(OURS, TEXT)])
    kept = encode_request(asked, candidate(), foreign=None)
    assert kept == encode_request(asked, candidate(), foreign=frozenset({"theirs"}))
    assert kept == encode_request(asked, candidate(), foreign=frozenset())


def test_words_about_thinking_stay() -> None:
    """Content that only looks like thinking stays."""
    turns = [
        {"role": "assistant", "content": '"thinking"'},
        assistant({"type": "text", "text": 'a "thinking" b'}),
        {"role": "assistant", "content": "a", "mood": "thinking"},
        {"role": "assistant", "mood": "thinking"},
        assistant({**CALL, "input": {"type": "thinking", "signature": "theirs"}}),
        {"role": "user", "content": [{"type": ["thinking"], "signature": {}}]},
    ]
    assert [USER, *turns] == talk(*turns, foreign=frozenset({ALL, "theirs"}))


def test_a_call_that_lost_its_thinking_is_not_asked_to_think() -> None:
    """Thinking with a budget goes where the last call lost its own: the provider refuses the two together."""
    found = sent(messages=[USER, assistant(THEIRS, CALL), RESULT], foreign=frozenset({ALL}), thinking=BUDGET)
    assert "thinking" not in found
    configured = {"thinking": BUDGET}
    found = sent(messages=[USER, assistant(THEIRS, CALL), RESULT], foreign=frozenset({ALL}), params=configured)
    assert "thinking" not in found


@pytest.mark.parametrize("thinking", [{"type": "adaptive"}, {"type": "disabled"}, 7])
def test_other_thinking_stays(thinking: object) -> None:
    """Thinking without a budget stays whatever the last call lost."""
    found = sent(messages=[USER, assistant(THEIRS, CALL), RESULT], foreign=frozenset({ALL}), thinking=thinking)
    assert thinking == found["thinking"]


@pytest.mark.parametrize(
    "turns",
    [
        [assistant(THEIRS, CALL), RESULT, assistant(OURS, CALL), RESULT],
        [assistant(THEIRS, TEXT)],
    ],
)
def test_thinking_stays_where_the_last_turn_allows_it(turns: list[Any]) -> None:
    """Only the last turn of the model, and only a call in it, forbids a budget."""
    found = sent(messages=[USER, *turns], foreign=frozenset({"theirs"}), thinking=BUDGET)
    assert BUDGET == found["thinking"]


def test_signatures_are_read() -> None:
    """Signatures of thinking and data of hidden thinking are read once each, in order."""
    asked = ask(messages=[USER, assistant(OURS, HIDDEN, TEXT), USER, assistant(THEIRS, OURS)])
    assert ("mine", "hidden", "theirs") == read_signatures(asked)


def test_signatures_of_other_things_are_not_read() -> None:
    """A signature or data elsewhere is none of thinking."""
    blocks = [
        {"type": "text", "text": "a", "signature": "x"},
        {**CALL, "input": {"type": "thinking", "signature": "y"}},
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking", "thinking": "", "signature": None, "data": "z"},
        {"type": "redacted_thinking", "signature": "w"},
    ]
    assert () == read_signatures(ask(messages=[USER, assistant(*blocks)]))


@pytest.mark.parametrize("content", ["a", [], None, 7, [7], [{"type": {}}], [{"type": "thinking", "signature": []}]])
def test_signatures_of_strange_content(content: object) -> None:
    """Content of any form has no signature, and breaks nothing."""
    asked = ask(messages=[{"role": "assistant", "content": content}, assistant(OURS)])
    assert ("mine",) == read_signatures(asked)
    assert encode_request(asked, candidate(), foreign=frozenset({ALL, "mine"}))


def test_a_conversation_without_thinking_is_not_looked_at() -> None:
    """Without thinking there is nothing to read."""
    assert () == read_signatures(ask(messages=[USER, assistant(TEXT, CALL), RESULT]))


def test_signatures_are_bounded() -> None:
    """However long a history, so many signatures are read."""
    blocks = [{**OURS, "signature": f"s{number}"} for number in range(SIGNATURES_MAX + 50)]
    assert SIGNATURES_MAX == len(read_signatures(ask(messages=[assistant(*blocks)])))


SIGNED = st.sampled_from([OURS, THEIRS, HIDDEN, TEXT, CALL])


@given(
    st.lists(st.lists(SIGNED, min_size=1, max_size=4), max_size=4), st.sets(st.sampled_from(["mine", "hidden", "*"]))
)
def test_nothing_foreign_is_left(turns: list[list[Any]], foreign: set[str]) -> None:
    """After leaving out, no foreign signature is found again, and every other block is still there."""
    asked = ask(
        messages=[USER, *(assistant(*blocks) for blocks in turns)], tools=[{"name": "f", "input_schema": SCHEMA}]
    )
    cleaned = read_request(encode_request(asked, candidate(), foreign=frozenset(foreign)), LIMITS)
    expected = [each for each in read_signatures(asked) if each not in foreign and ALL not in foreign]
    assert expected == list(read_signatures(cleaned))
    told = bytes(cleaned.fields["messages"]).count(b'"text":"ok"') + bytes(cleaned.fields["messages"]).count(
        b'"text": "ok"'
    )
    assert sum(blocks.count(TEXT) for blocks in turns) == told
