"""Between two wires any JSON of a client ends in a body or in a fault, never in an error of ours."""

from __future__ import annotations

import pytest

from everup.errors import RequestError
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.wires.road import Talk
from everup.wires.table import WIRES

CLIENT = WIRES["openai_chat"]
LIMITS = Limits()
MODELS = (
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-5-5"),
    ("anthropic", "claude-3-haiku"),
    ("ollama", "qwen3"),
    ("ollama", "gpt-oss"),
)
ODD = (
    "1e999",
    "-1e999",
    "1e308",
    "99999999999999999999999",
    '"\\ud800"',
    "null",
    "true",
    "[]",
    "{}",
    '""',
    '"x"',
    "0",
    "-0.0",
    "[[[[]]]]",
    "[1e999]",
    '{"a":{"b":[1e999]}}',
    '{"type":1e999}',
    '[{"type":"function","function":1e999}]',
    '[{"type":"function","function":{"name":"f","parameters":1e999}}]',
    '[{"type":"function","function":{"name":"\\ud800","parameters":{}}}]',
)
FIELDS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "user",
    "include_reasoning",
    "safety_identifier",
    "metadata",
    "stream_options",
    "logit_bias",
    "modalities",
    "audio",
    "verbosity",
    "prediction",
    "web_search_options",
    "cache_control",
    "keep_alive",
    "extra",
)
HI = '[{"role":"user","content":"hi"}]'
CALL = '"id":"x","type":"function","function":{"name":"f","arguments":'
TURNS = (
    '{"role":%s,"content":"a"}',
    '{"role":"user","content":%s}',
    '{"role":"user","content":[%s]}',
    '{"role":"user","content":[{"type":"text","text":%s}]}',
    '{"role":"user","content":[{"type":"image_url","image_url":%s}]}',
    '{"role":"user","content":[{"type":"image_url","image_url":{"url":%s}}]}',
    '{"role":"user","content":[{"type":"input_audio","input_audio":%s}]}',
    '{"role":"user","content":[{"type":"file","file":%s}]}',
    '{"role":"user","content":"a","name":%s}',
    '{"role":"user","content":"a","novelty":%s}',
    '{"role":"system","content":%s}',
    '{"role":"tool","content":%s}',
    '{"role":"tool","tool_call_id":%s,"content":"a"}',
    '{"role":"assistant","tool_calls":%s}',
    '{"role":"assistant","tool_calls":[{' + CALL + "%s}}]}",
    '{"role":"assistant","function_call":%s}',
    '{"role":"assistant","content":null,"reasoning_details":%s}',
    '{"role":"assistant","content":"a","thinking_blocks":%s}',
)


def candidate(wire: str, model: str) -> Candidate:
    """Return a candidate that speaks a wire."""
    profile = Profile(id="default", provider="p")
    provider = Provider(name="p", wire=wire, base_url="http://127.0.0.1:1", profiles=(profile,))
    return Candidate(index=0, provider=provider, model=Model(ref=ModelRef("p", model)), profile=profile)


CANDIDATES = tuple(candidate(wire, model) for wire, model in MODELS)


def outcomes(body: str) -> set[str]:
    """Return what becomes of a request on its way to each candidate, its thinking kept and left out."""
    try:
        asked = CLIENT.read_request(body.encode(), LIMITS)
    except RequestError:
        return {"refused"}
    found = set()
    for each in CANDIDATES:
        for foreign in (None, frozenset({"*"})):
            encoded = Talk(asked, CLIENT, lambda: 1.0).encode(WIRES[each.provider.wire], each, foreign=foreign)
            found.add("body" if encoded.fault is None else "fault")
            assert bool(encoded.body) != bool(encoded.fault)
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_any_value_of_a_field_is_translated_or_told(name: str) -> None:
    """A field may hold any JSON: the request has a body, or the fault or refusal that names what is wrong."""
    found = [outcomes(f'{{"model":"m","messages":{HI},"{name}":{value}}}') for value in ODD]
    assert all(found)


@pytest.mark.parametrize("turn", TURNS)
def test_any_value_in_a_turn_is_translated_or_told(turn: str) -> None:
    """A message may hold any JSON: the same."""
    found = [outcomes(f'{{"model":"m","messages":[{turn.replace("%s", value)}]}}') for value in ODD]
    assert all(found)


def test_a_number_beyond_any_range_is_left_to_the_client_s_own_wire() -> None:
    """What cannot be read is a fault by name for another wire, and passes as it is to its own."""
    asked = CLIENT.read_request(f'{{"model":"m","messages":{HI},"temperature":1e999}}'.encode(), LIMITS)
    talk = Talk(asked, CLIENT, lambda: 1.0)
    fault = talk.encode(WIRES["anthropic"], CANDIDATES[0], foreign=None).fault
    assert fault is not None
    assert ("unsupported", "temperature") == (fault.kind, fault.param)
    assert b'"temperature":1e999' in talk.encode(CLIENT, candidate("openai_chat", "m"), foreign=None).body
