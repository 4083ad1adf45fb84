"""What a client sends reaches a same-wire provider intact, and the answer reaches the client: by the openai SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from everup.testing import scripts as s
from everup.testing.gateway import KEY
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Wetter in Zürich",
        "strict": True,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALLS = [
    {"id": f"call_{n}", "type": "function", "function": {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}}
    for n, city in enumerate(("Bern", "Zürich"))
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}}}
REQUESTS: dict[str, dict[str, Any]] = {
    "tools": {"messages": [{"role": "user", "content": "?"}], "tools": [WEATHER], "tool_choice": "required"},
    "one by one": {"messages": [{"role": "user", "content": "?"}], "tools": [WEATHER], "parallel_tool_calls": False},
    "history": {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Bern and Zürich?"},
            {"role": "assistant", "content": None, "tool_calls": CALLS},
            {"role": "tool", "tool_call_id": "call_0", "content": "sun"},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "rain"}]},
        ],
        "tools": [WEATHER],
    },
    "image": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
                ],
            }
        ]
    },
    "schema": {"messages": [{"role": "user", "content": "?"}], "response_format": SCHEMA},
    "sampling": {
        "messages": [{"role": "user", "content": "?"}],
        "temperature": 0.7,
        "top_p": 0.1,
        "seed": 7,
        "stop": ["\n", "END"],
        "logit_bias": {"50256": -100},
        "n": 1,
        "max_completion_tokens": 12,
        "user": "somebody",
        "metadata": {"a": "b"},
    },
    "new things": {
        "messages": [{"role": "user", "content": "?", "novelty": {"deep": [1, 2.50, 1e3, None, True]}}],
        "extra_body": {"invented_in_2031": {"keep": ["me", {"as": "I am"}]}},
    },
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Return the loop of the whole module."""
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    async with open_stage(tmp_path_factory.mktemp("pass"), {"default": ["p/m"]}) as running:
        yield running


@pytest.fixture
async def sdk(stage: Stage) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official SDK, pointed at everup; its own retries are off so that they cannot hide ours."""
    async with openai.AsyncOpenAI(base_url=stage.gateway.url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_requests_pass_intact(stage: Stage, sdk: openai.AsyncOpenAI, name: str, *, stream: bool) -> None:
    """Every field reaches the provider with its value, also those everup has never heard of."""
    fields = dict(REQUESTS[name])
    stage["p"].script(s.reply("ok"))
    answer = await sdk.chat.completions.create(model="default", stream=stream, **fields)
    if stream:
        async for _ in answer:
            pass
    sent = stage["p"].requests[-1].json
    expected = {**fields, **fields.pop("extra_body", {})}
    expected.pop("extra_body", None)
    assert {**expected, "model": "m"} == {k: v for k, v in sent.items() if k not in {"stream", "stream_options"}}


async def test_the_bytes_of_a_field_are_kept(stage: Stage) -> None:
    """Numbers, escapes, key order and spaces inside a field are the client's own bytes."""
    stage["p"].script(s.reply("ok"))
    messages = b'[ {"role":"user", "content":"\\u00e9\\/ \\ud83d\\ude00",  "z":1.0, "a":1e2} ]'
    async with stage.gateway.talk() as talk:
        body = b'{"model":"default","messages":' + messages + b',"big":12345678901234567890}'
        await talk.send("POST", "/v1/chat/completions", stage.gateway.headers(), body)
        assert 200 == await talk.read_head()
        await talk.read_rest()
    assert messages in stage["p"].requests[-1].body
    assert b"12345678901234567890" in stage["p"].requests[-1].body


async def test_parallel_tool_calls_come_back(stage: Stage, sdk: openai.AsyncOpenAI) -> None:
    """Two calls in one answer reach the client with their ids and arguments."""
    message = {"role": "assistant", "content": None, "tool_calls": CALLS}
    stage["p"].script(s.body(200, s.chat_json(None, finish="tool_calls", message=message)))
    answer = await sdk.chat.completions.create(**REQUESTS["tools"], model="default")
    told = answer.choices[0].message.tool_calls or []
    assert CALLS == [json.loads(call.model_dump_json(exclude_none=True)) for call in told]


async def test_streamed_tool_calls_come_back(stage: Stage, sdk: openai.AsyncOpenAI) -> None:
    """Interleaved fragments of two calls reach the client in their order."""
    begin = [s.event({"tool_calls": [{**call, "index": n}]}) for n, call in enumerate(CALLS)]
    more = [s.event({"tool_calls": [{"index": n, "function": {"arguments": " "}}]}) for n in (1, 0)]
    stage["p"].script(s.stream(s.ROLE, *begin, *more, s.event(finish="tool_calls"), s.DONE))
    texts = {0: "", 1: ""}
    async for chunk in await sdk.chat.completions.create(**REQUESTS["tools"], model="default", stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            texts[call.index] += (call.function and call.function.arguments) or ""
    assert {n: call["function"]["arguments"] + " " for n, call in enumerate(CALLS)} == texts  # type: ignore[index]


async def test_extra_fields_of_an_answer_come_back(stage: Stage, sdk: openai.AsyncOpenAI) -> None:
    """Fields of an answer that nobody has heard of reach the client."""
    stage["p"].script(s.body(200, s.chat_json("hi", system_fingerprint="fp_1", timings={"a": 1.5})))
    answer = await sdk.chat.completions.create(model="default", messages=[{"role": "user", "content": "?"}])
    assert "fp_1" == answer.system_fingerprint
    assert {"a": 1.5} == (answer.model_extra or {})["timings"]
