"""A client's fields beside messages and tools are read into words that every wire has."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from everup.shapes.chat import Effort, Format, Reasoning, Sampling
from everup.shapes.fault import FaultKind
from tests.wires.openai_chat.chats import chat, refused

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FUNCTIONS = [{"name": "f", "parameters": {"type": "object"}}]


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ({"temperature": 1.5}, "temperature", 1.5),
        ({"top_p": 0.25}, "top_p", 0.25),
        ({"top_k": 40}, "top_k", 40),
        ({"min_p": 0.05}, "min_p", 0.05),
        ({"seed": 7}, "seed", 7),
        ({"presence_penalty": 1}, "presence_penalty", 1),
        ({"frequency_penalty": -1}, "frequency_penalty", -1),
        ({"stop": "END"}, "stop", ("END",)),
        ({"stop": ["a", "", "b"]}, "stop", ("a", "b")),
        ({"stop": ""}, "stop", ()),
        ({"stop": None}, "stop", ()),
        ({"temperature": None}, "temperature", None),
    ],
)
def test_sampling(fields: dict[str, Any], name: str, expected: object) -> None:
    """Each number that steers the choice of words is read, and nothing beside it."""
    read = chat(**fields).sampling
    assert expected == getattr(read, name)
    assert {key: value for key in read.__struct_fields__ if (value := getattr(read, key)) not in {None, ()}} == (
        {name: expected} if expected else {}
    )
    assert Sampling() == chat().sampling


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
        ({"max_tokens": -1}, None),
    ],
)
def test_the_limit_of_an_answer(fields: dict[str, Any], expected: int | None) -> None:
    """The most tokens of an answer come from the newer name, else from the older."""
    assert expected == chat(**fields).output_tokens_max


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"reasoning_effort": None}, None),
        ({"reasoning_effort": "default"}, None),
        ({"reasoning": {}}, None),
        ({"reasoning": None}, None),
        *[({"reasoning_effort": effort.value}, Reasoning(effort=effort)) for effort in Effort],
        ({"reasoning": {"effort": "high"}}, Reasoning(effort=Effort.HIGH)),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(budget_tokens=2000)),
        ({"reasoning": {"enabled": True}}, Reasoning(is_adaptive=True)),
        ({"reasoning": {"enabled": True, "effort": "low"}}, Reasoning(effort=Effort.LOW)),
        ({"reasoning": {"enabled": True, "max_tokens": 9}}, Reasoning(budget_tokens=9)),
        ({"reasoning": {"enabled": False, "effort": "low"}}, Reasoning(effort=Effort.NONE)),
        ({"reasoning": {"exclude": True}}, Reasoning(is_shown=False)),
        ({"include_reasoning": False}, Reasoning(is_shown=False)),
        ({"include_reasoning": True}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 4000}}, Reasoning(budget_tokens=4000)),
        ({"thinking": {"type": "enabled"}}, Reasoning(is_adaptive=True)),
        ({"thinking": {"type": "adaptive"}}, Reasoning(is_adaptive=True)),
        ({"thinking": {"type": "disabled", "budget_tokens": 4000}}, Reasoning(effort=Effort.NONE)),
        (
            {"reasoning_effort": "low", "reasoning": {"effort": "high", "max_tokens": 5}},
            Reasoning(effort=Effort.LOW, budget_tokens=5),
        ),
        (
            {"reasoning_effort": "max", "thinking": {"type": "adaptive"}},
            Reasoning(effort=Effort.MAX, is_adaptive=True),
        ),
    ],
)
def test_reasoning(fields: dict[str, Any], expected: Reasoning | None) -> None:
    """Every way to ask for thinking that clients use is read."""
    assert expected == chat(**fields).reasoning


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, Format()),
        ({"type": "json_schema"}, Format()),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": None}}, Format(name="n")),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "strict": True, "schema": {"a": 1}},
            },
            Format(schema=Raw(b'{"a": 1}'), name="n", description="d", is_strict=True),
        ),
    ],
)
def test_formats(given: object, expected: Format | None) -> None:
    """The form of an answer is read, its schema byte for byte."""
    assert expected == chat(response_format=given).format


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ""),
        ({"user": "u"}, "u"),
        ({"safety_identifier": "s"}, "s"),
        ({"user": "u", "safety_identifier": "s"}, "s"),
        ({"user": "u", "safety_identifier": None}, "u"),
    ],
)
def test_who_asks(fields: dict[str, Any], expected: str) -> None:
    """Who asks is read from the newer name, else from the older."""
    assert expected == chat(**fields).user


def test_streaming_and_parallel_calls() -> None:
    """Whether the answer is streamed, and whether calls may come together, is read."""
    assert (chat().is_stream, chat(stream=True).is_stream) == (False, True)
    assert chat().is_parallel is None
    assert chat(parallel_tool_calls=False).is_parallel is False
    assert chat(parallel_tool_calls=True).is_parallel is True
    assert chat(functions=FUNCTIONS).is_parallel is False, "an older client can read one call"


def test_unread_fields_are_named() -> None:
    """Fields that no other wire has a word for are named in the client's order, if they ask for anything."""
    asks = {
        "logit_bias": {"5": 1},
        "n": 2,
        "logprobs": True,
        "service_tier": "flex",
        "store": False,
        "metadata": {},
        "verbosity": None,
        "prompt_cache_key": "k",
    }
    assert ("logit_bias", "n", "logprobs", "service_tier", "prompt_cache_key") == chat(**asks).unread
    assert () == chat(n=1, logprobs=False).unread


def test_read_fields_are_not_named() -> None:
    """No field that is read is also reported as unread."""
    every = {
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "functions": FUNCTIONS,
        "tool_choice": "auto",
        "function_call": "auto",
        "parallel_tool_calls": True,
        "response_format": {"type": "json_object"},
        "max_tokens": 1,
        "max_completion_tokens": 1,
        "temperature": 1,
        "top_p": 1,
        "top_k": 1,
        "min_p": 1,
        "seed": 1,
        "presence_penalty": 1,
        "frequency_penalty": 1,
        "stop": "x",
        "user": "u",
        "safety_identifier": "s",
        "modalities": ["text"],
        "reasoning_effort": "low",
        "reasoning": {"effort": "low"},
        "thinking": {"type": "adaptive"},
        "include_reasoning": True,
    }
    assert () == chat(**every).unread


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"seed": 1.5}, "seed"),
        ({"top_k": False}, "top_k"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": "5"}, "max_completion_tokens"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"user": 5}, "user"),
        ({"reasoning_effort": "utmost"}, "reasoning_effort"),
        ({"reasoning_effort": 5}, "reasoning_effort"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": "utmost"}}, "reasoning.effort"),
        ({"reasoning": {"max_tokens": "5"}}, "reasoning.max_tokens"),
        ({"reasoning": {"enabled": 1}}, "reasoning.enabled"),
        ({"thinking": {"type": "enabled", "budget_tokens": "5"}}, "thinking.budget_tokens"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": 5}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": 5}}},
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"strict": "yes"}}},
            "response_format.json_schema.strict",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"description": []}}},
            "response_format.json_schema.description",
        ),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "v"}}, "audio"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
    ],
)
def test_what_cannot_be_said_is_told_by_its_place(fields: dict[str, Any], place: str) -> None:
    """A field that only a provider of chat completions could judge is a fault that names it."""
    fault = refused(**fields)
    assert (FaultKind.UNSUPPORTED, place) == (fault.kind, fault.param)
    assert fault.message.startswith(f"'{place}' ")
    assert fault.message.endswith(".")
