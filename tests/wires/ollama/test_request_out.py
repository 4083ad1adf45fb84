"""A request's fields stand where an Ollama server looks for them, and what it has no word for is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from ollama._types import ChatRequest as SdkRequest

from everup.shapes.chat import (
    Effort,
    Format,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)
from tests.wires.ollama.make import body, chat, say, write

SCHEMA = b'{"type": "object",  "properties": {"a": {"type": "string"}}, "required": ["a"]}'
TOOL = Tool(name="look", description="Looks it up.", parameters=Raw(SCHEMA))
OTHER = Tool(name="other")


def test_model_is_the_candidates_own() -> None:
    """The body asks for the candidate's model by the name its provider knows."""
    assert "llama3.2:3b" == body(chat(), "llama3.2:3b")["model"]


@pytest.mark.parametrize("is_stream", [True, False])
def test_stream_is_always_said(*, is_stream: bool) -> None:
    """Whether to stream is always written, since Ollama streams unless told not to."""
    assert is_stream is body(chat(is_stream=is_stream))["stream"]


def test_nothing_is_shortened_in_silence() -> None:
    """A prompt or an answer beyond the window is never cut without a word."""
    sent = body(chat())
    assert (False, False) == (sent["truncate"], sent["shift"])


SAMPLED: tuple[tuple[dict[str, Any], str, Any], ...] = (
    ({"temperature": 1.5}, "temperature", 1.5),
    ({"temperature": 0}, "temperature", 0),
    ({"top_p": 0.5}, "top_p", 0.5),
    ({"top_k": 40}, "top_k", 40),
    ({"min_p": 0.05}, "min_p", 0.05),
    ({"seed": 7}, "seed", 7),
    ({"presence_penalty": 0.25}, "presence_penalty", 0.25),
    ({"frequency_penalty": -0.5}, "frequency_penalty", -0.5),
    ({"stop": ("a", "b")}, "stop", ["a", "b"]),
)


@pytest.mark.parametrize(("sampling", "name", "value"), SAMPLED, ids=[row[1] for row in SAMPLED])
def test_sampling_is_an_option(sampling: dict[str, Any], name: str, value: object) -> None:
    """Each number that steers the choice of words is an option of the same name, and nothing else is."""
    encoded = write(chat(sampling=Sampling(**sampling)))
    assert {name: value} == json.loads(encoded.body)["options"]
    assert () == encoded.dropped


def test_limit_is_num_predict() -> None:
    """The most tokens of an answer are the option `num_predict`."""
    assert {"num_predict": 99} == body(chat(output_tokens_max=99))["options"]


def test_no_options_without_any() -> None:
    """What a client did not say is left to the model's own defaults."""
    assert not {"options", "think", "format", "keep_alive", "tools"} & body(chat()).keys()


def test_schema_is_the_format_byte_for_byte() -> None:
    """A structured answer's schema is the format, its bytes unchanged."""
    encoded = write(chat(format=Format(schema=Raw(SCHEMA), name="n", is_strict=True)))
    assert b'"format":' + SCHEMA + b"," in encoded.body
    assert () == encoded.dropped


def test_any_object_is_the_format_json() -> None:
    """An answer that may be any JSON object is the format "json"."""
    assert "json" == body(chat(format=Format()))["format"]


def test_keep_alive_passes() -> None:
    """How long a model stays loaded passes as the client wrote it."""
    assert b'"keep_alive":"10m"' in write(chat(keep_alive='"10m"')).body
    assert b'"keep_alive":-1' in write(chat(keep_alive="-1")).body


THOUGHT: tuple[tuple[str, Reasoning | None, object], ...] = (
    ("qwen3:8b", None, None),
    ("qwen3:8b", Reasoning(), None),
    ("qwen3:8b", Reasoning(is_adaptive=True), None),
    ("qwen3:8b", Reasoning(effort=Effort.NONE), False),
    ("qwen3:8b", Reasoning(effort=Effort.MINIMAL), True),
    ("qwen3:8b", Reasoning(effort=Effort.HIGH), True),
    ("qwen3:8b", Reasoning(budget_tokens=1024), True),
    ("gpt-oss:20b", Reasoning(effort=Effort.NONE), "low"),
    ("gpt-oss:20b", Reasoning(effort=Effort.MINIMAL), "low"),
    ("gpt-oss:20b", Reasoning(effort=Effort.LOW), "low"),
    ("gpt-oss:20b", Reasoning(effort=Effort.MEDIUM), "medium"),
    ("gpt-oss:20b", Reasoning(effort=Effort.HIGH), "high"),
    ("gpt-oss:20b", Reasoning(effort=Effort.XHIGH), "high"),
    ("gpt-oss:20b", Reasoning(effort=Effort.MAX), "high"),
    ("gpt-oss:20b", Reasoning(budget_tokens=2048), "low"),
    ("gpt-oss:20b", Reasoning(budget_tokens=2049), "medium"),
    ("gpt-oss:20b", Reasoning(budget_tokens=8193), "high"),
    ("gpt-oss:20b", Reasoning(effort=Effort.LOW, budget_tokens=9000), "low"),
    ("someone/gpt-oss:latest", Reasoning(effort=Effort.LOW), "low"),
    ("not-gpt-oss", Reasoning(effort=Effort.LOW), True),
)


@pytest.mark.parametrize(("model", "reasoning", "value"), THOUGHT)
def test_effort_is_think(model: str, reasoning: Reasoning | None, value: object) -> None:
    """An effort is the nearest value that the model takes, and nothing where the model decides."""
    encoded = write(chat(reasoning=reasoning), model)
    sent = json.loads(encoded.body)
    assert value == sent.get("think")
    assert (value is not None) == ("think" in sent)
    assert () == encoded.dropped


def test_tools_keep_their_schema_byte_for_byte() -> None:
    """A tool is a function with its name, words and schema, whose bytes do not change."""
    encoded = write(chat(tools=(TOOL, OTHER)))
    assert (
        b'"tools":[{"type":"function","function":{"name":"look","description":"Looks it up.","parameters":'
        + SCHEMA
        + b'}},{"type":"function","function":{"name":"other","parameters":{}}}]'
    ) in encoded.body
    assert () == encoded.dropped


CHOICES: tuple[tuple[ToolChoice | None, list[str], tuple[str, ...]], ...] = (
    (None, ["look", "other"], ()),
    (ToolChoice(), ["look", "other"], ()),
    (ToolChoice(ToolMode.AUTO, ("other",)), ["other"], ()),
    (ToolChoice(ToolMode.NONE), [], ()),
    (ToolChoice(ToolMode.NONE, ("look",)), [], ()),
    (ToolChoice(ToolMode.REQUIRED), ["look", "other"], ("tool_choice",)),
    (ToolChoice(ToolMode.REQUIRED, ("look",)), ["look"], ("tool_choice",)),
    (ToolChoice(ToolMode.NAMED, ("look",)), ["look"], ("tool_choice",)),
)


@pytest.mark.parametrize(("choice", "names", "dropped"), CHOICES)
def test_tool_choice_shows_what_may_be_called(
    choice: ToolChoice | None, names: list[str], dropped: tuple[str, ...]
) -> None:
    """The model sees the tools it may call; that it must call one is dropped and named."""
    encoded = write(chat(tools=(TOOL, OTHER), tool_choice=choice))
    assert names == [tool["function"]["name"] for tool in json.loads(encoded.body).get("tools", [])]
    assert dropped == encoded.dropped


def test_what_has_no_word_is_named() -> None:
    """Everything that the body could not hold is named as the client's wire calls it."""
    strict = Tool(name="s", is_strict=True)
    request = chat(tools=(strict,), is_parallel=False, user="u-1", unread=("logit_bias", "n"))
    encoded = write(request)
    assert ("parallel_tool_calls", "tools.function.strict", "user", "logit_bias", "n") == encoded.dropped


def test_usual_values_are_not_named() -> None:
    """What asks for nothing beyond the usual is no loss."""
    request = chat(tools=(Tool(name="s", is_strict=False),), is_parallel=True)
    assert () == write(request).dropped
    assert () == write(chat(is_parallel=False)).dropped


def test_params_fill_what_is_not_said() -> None:
    """Configured params are added where the request says nothing, options one by one, and never the request itself."""
    params = {
        "keep_alive": "1h",
        "think": False,
        "options": {"num_ctx": 8192, "temperature": 0.1},
        "model": "x",
        "messages": [],
        "stream": False,
    }
    request = chat(is_stream=True, sampling=Sampling(temperature=0.9), reasoning=Reasoning(effort=Effort.HIGH))
    sent = body(request, params=params)
    assert {"num_ctx": 8192, "temperature": 0.9} == sent["options"]
    assert ("1h", True, True, "qwen3:8b") == (sent["keep_alive"], sent["think"], sent["stream"], sent["model"])
    assert [{"role": "user", "content": "hi"}] == sent["messages"]


def test_params_may_allow_shortening() -> None:
    """Who wants a long conversation cut in silence can configure it."""
    sent = body(chat(), params={"truncate": True, "options": {"num_ctx": 64}})
    assert (True, False, {"num_ctx": 64}) == (sent["truncate"], sent["shift"], sent["options"])


def test_messages_come_last() -> None:
    """The conversation is the body's end, so that it only grows at its end."""
    keys = list(body(chat(tools=(TOOL,), output_tokens_max=1), params={"zeta": 1}))
    assert "messages" == keys[-1]
    assert ["model", "stream", "options", "tools", "zeta", "truncate", "shift", "messages"] == keys


def test_the_sdk_would_send_the_same() -> None:
    """The official SDK reads the body as a request of its own, with the same values."""
    request = chat(
        say("hi"),
        tools=(TOOL,),
        sampling=Sampling(temperature=0.5, top_k=3, seed=1, stop=("x",)),
        output_tokens_max=5,
        reasoning=Reasoning(effort=Effort.HIGH),
        format=Format(schema=Raw(SCHEMA)),
        keep_alive='"5m"',
        is_stream=True,
    )
    sent = body(request)
    same = SdkRequest(**sent).model_dump(exclude_none=True)
    assert {name: value for name, value in sent.items() if name not in {"truncate", "shift"}} == same
