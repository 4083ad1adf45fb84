"""The official `anthropic` SDK's own types judge what everup sends to Anthropic."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import openai
import pydantic
import pytest
from msgspec import Struct

from everup.testing import scripts as s
from everup.testing.gateway import KEY, Gateway, config_text
from everup.testing.provider import ScriptedProvider

pytestmark = [pytest.mark.anyio, pytest.mark.long]

MODELS = ("claude-3-5-haiku-latest", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5")
"""Models of different ages: what may be asked of them differs."""
OLDER = {"temperature", "top_p", "top_k"}
"""Fields that the API still has for older models and the SDK no longer."""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": CITY}}
STRICT = {"type": "function", "function": {"name": "strictly", "parameters": CITY, "strict": True}}
CALLS = [
    {"id": f"call_{n}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'}}
    for n, city in enumerate(("Bern", "Zürich"))
]
ASK = {"role": "user", "content": "How is the weather?"}
THOUGHT = {
    "type": "reasoning.text",
    "text": "Hm.",
    "signature": "c2lnbmF0dXJl",
    "format": "anthropic-claude-v1",
    "index": 0,
}
HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
    ASK,
    {"role": "assistant", "content": "I look.", "tool_calls": CALLS, "reasoning_details": [THOUGHT]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    {"role": "tool", "tool_call_id": "call_0", "content": [{"type": "text", "text": "sun"}]},
    {"role": "user", "content": "And now?"},
    {"role": "assistant", "content": "Still."},
    {"role": "system", "content": "From now on in German."},
    {"role": "user", "content": ""},
    {"role": "user", "content": "Really?"},
]
IMAGES = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
]
PDF = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "weather", "schema": CITY, "strict": True}}
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [ASK]},
    "history": {"messages": HISTORY, "tools": [WEATHER, STRICT]},
    "required": {"messages": [ASK], "tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False},
    "named": {
        "messages": [ASK],
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    },
    "none": {"messages": [ASK], "tools": [WEATHER], "tool_choice": "none"},
    "images": {"messages": [{"role": "user", "content": IMAGES}]},
    "pdf": {"messages": [{"role": "user", "content": [PDF]}]},
    "schema": {"messages": [ASK], "response_format": SCHEMA},
    "sampling": {
        "messages": [ASK],
        "temperature": 1.5,
        "top_p": 0.5,
        "stop": ["END", "."],
        "max_completion_tokens": 99,
        "user": "somebody",
        "seed": 7,
        "n": 1,
        "logit_bias": {"5": 1},
        "extra_body": {"top_k": 3},
    },
    "low": {"messages": [ASK], "reasoning_effort": "low"},
    "high": {"messages": [ASK], "reasoning_effort": "high", "max_tokens": 20_000},
    "budget": {"messages": HISTORY, "tools": [WEATHER], "extra_body": {"reasoning": {"max_tokens": 2000}}},
}
ANSWER = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "{}"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
).encode()


class Stage(Struct, frozen=True):
    """An everup with a capturing Anthropic behind it and the official client before it."""

    provider: ScriptedProvider
    sdk: openai.AsyncOpenAI


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup before a scripted Anthropic."""
    async with ScriptedProvider(s.body(200, ANSWER)) as provider:
        row = {"wire": "anthropic", "base_url": provider.base_url}
        async with (
            Gateway(
                tmp_path_factory.mktemp("anthropic"), config_text(providers={"anthropic": row}, routes={})
            ) as gateway,
            openai.AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk,
        ):
            yield Stage(provider, sdk)
            assert [] == provider.complaints


@pytest.fixture(scope="module")
def judges() -> dict[bool, Any]:
    """Return the SDK's types for a request with and without a stream; a field that they do not have is an error."""
    params = pytest.importorskip(
        "anthropic.types.message_create_params",  # not at the top: it takes seconds to import
        reason="the official `anthropic` SDK is not installed: its types cannot judge",
    )
    config = pydantic.ConfigDict(extra="forbid")  # pydantic takes it for a list of them only
    return {
        True: pydantic.TypeAdapter(list[params.MessageCreateParamsStreaming], config=config),
        False: pydantic.TypeAdapter(list[params.MessageCreateParamsNonStreaming], config=config),
    }


def read_all(value: object) -> object:
    """Return a validated value with everything that is validated when it is read."""
    if isinstance(value, dict):
        return {name: read_all(each) for name, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [read_all(each) for each in value]
    return value


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", REQUESTS)
async def test_the_sdk_would_send_the_same(
    stage: Stage, judges: dict[bool, Any], name: str, model: str, *, stream: bool
) -> None:
    """What everup sends holds no field and no value that the SDK's own request would not hold."""
    answer = await stage.sdk.chat.completions.create(model=f"anthropic/{model}", stream=stream, **REQUESTS[name])
    if stream:
        async for _ in answer:
            pass
    request = stage.provider.requests[-1]
    assert ("/v1/messages", model, stream) == (request.target, request.model, request.is_stream)
    assert "2023-06-01" == request.header("anthropic-version")
    older = OLDER if model != MODELS[-1] else set()
    read_all(judges[stream].validate_python([{name: request.json[name] for name in request.json if name not in older}]))


@pytest.mark.parametrize(
    "field", [{"cache_contro": 1}, {"messages": [{"role": "user", "content": [{"type": "text", "txt": "?"}]}]}]
)
def test_the_judge_is_strict(judges: dict[bool, Any], field: dict[str, Any]) -> None:
    """A field that the SDK does not have is found, at the top and deep inside."""
    good = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}]}
    read_all(judges[False].validate_python([good]))
    with pytest.raises(pydantic.ValidationError):
        read_all(judges[False].validate_python([{**good, **field}]))
