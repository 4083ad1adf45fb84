"""A real model answers through a whole everup while everything before it in the chain fails; by the openai SDK."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import openai
import pytest
from msgspec import Struct

from everup.local.model_file import ModelFile, find_model
from everup.testing import scripts as s
from everup.testing.gateway import KEY, Gateway, config_text
from everup.testing.provider import ScriptedProvider, refusing_port
from tests.faults.shape import SAYS

pytestmark = [pytest.mark.anyio, pytest.mark.long]

FAULTS: dict[str, tuple[s.Script | None, str]] = {
    "refuses": (None, "connect"),
    "resets": (s.play(s.Reset()), "reset"),
    "silent": (s.play(s.Silence()), ""),
    "unauthorised": (s.error(401, None, "invalid_api_key", SAYS), "auth 401"),
    "limited": (s.error(429, "rate_limit_error", None, SAYS, retry_after="60"), "rate_limit 429"),
    "broken": (s.error(500, "server_error", None, SAYS), "server_error 500"),
    "overloaded": (s.error(529, "overloaded_error", None, SAYS), "overloaded 529"),
    "cut": (s.stream(s.ROLE, s.Pause(0.05), s.Reset(), is_ended=False), "cut"),
    "garbage": (s.body(200, b"\x00\xff<not json>\n\n" * 40), "malformed"),
}
"""The providers before the real model: what each does, and the word its trail entry must hold."""
FORMS = ("whole", "streamed")
"""Each form has its own providers: a cooldown of one must not spare the other its fault."""
QUESTION = [{"role": "user", "content": "Say hello in one short sentence."}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "rainy": {"type": "boolean"}},
    "required": ["city", "rainy"],
    "additionalProperties": False,
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": CITY}}


class Running(Struct, frozen=True):
    """A running everup with a real model behind failing providers."""

    gateway: Gateway
    model: str
    able: ScriptedProvider


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Return the loop of the whole module."""
    return "asyncio"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """Return the embedded model's file, or skip by name."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed: no embedded model (extra `local`)")
    found = find_model(tmp_path_factory.mktemp("no-home"))
    if not isinstance(found, ModelFile):
        pytest.skip(f"no model file: {found.cause}")
    return found


@pytest.fixture(scope="module")
async def running(model: ModelFile, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A whole everup with the embedded model, and a route for each way to fail before it."""
    name = f"embedded/{model.name}"
    dead = [f"{fault}-{form}" for fault in FAULTS for form in FORMS]
    quick = {"first_event": 0.5, "answer": 0.5}
    routes: dict[str, dict[str, object]] = {each: {"try": [f"{each}/m", name], **quick} for each in dead}
    routes["all"] = {"try": [*(f"{fault}-all/m" for fault in FAULTS), name], **quick}
    routes["only"] = {"try": [name]}
    routes["able"] = {"try": [name, "able/m"]}
    async with AsyncExitStack() as stack:
        able = await stack.enter_async_context(ScriptedProvider(s.reply("able")))
        providers: dict[str, dict[str, object]] = {"able": {"base_url": able.base_url}}
        for each in (*dead, *(f"{fault}-all" for fault in FAULTS)):
            script, _ = FAULTS[each.split("-")[0]]
            url = f"http://127.0.0.1:{stack.enter_context(refusing_port())}/v1"
            if script is not None:
                url = (await stack.enter_async_context(ScriptedProvider(script))).base_url
            providers[each] = {"base_url": url}
        providers["embedded"] = {"base_url": "embedded:", "profiles": []}
        # Cooldowns of one test must not spare the next one its fault.
        limits = {"cheap_cooldown_max_s": 0.001}
        text = config_text(providers=providers, routes=routes, limits=limits)
        text = text.replace("profiles = []\n", "")
        folder: Path = tmp_path_factory.mktemp("real")
        yield Running(await stack.enter_async_context(Gateway(folder, text)), name, able)


@pytest.fixture
async def sdk(running: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official SDK, pointed at everup; its own retries are off so that they cannot hide ours."""
    async with openai.AsyncOpenAI(base_url=running.gateway.url, api_key=KEY, max_retries=0, timeout=120) as client:
        yield client


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_real_model_answers_whatever_comes_before_it(
    running: Running, sdk: openai.AsyncOpenAI, fault: str
) -> None:
    """With one failing provider before it the real model's text arrives, and the trail says why."""
    raw = await sdk.chat.completions.with_raw_response.create(model=f"{fault}-whole", messages=QUESTION, max_tokens=24)
    answer = raw.parse()
    assert (answer.choices[0].message.content or "").strip()
    assert running.model == raw.headers["x-everup-model"]
    trail = raw.headers["x-everup-trail"]
    assert f"{running.model}=ok" in trail
    assert f"{fault}-whole/m" in trail
    assert fault == "cut" or FAULTS[fault][1] in trail


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_real_model_streams_whatever_comes_before_it(
    running: Running, sdk: openai.AsyncOpenAI, fault: str
) -> None:
    """The same with a stream: the text comes in pieces and the stream ends as complete."""
    raw = await sdk.chat.completions.with_raw_response.create(
        model=f"{fault}-streamed",
        messages=QUESTION,
        max_tokens=24,
        stream=True,
        stream_options={"include_usage": True},
    )
    text, finish, usage = "", "", None
    async for chunk in raw.parse():
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert text.strip()
    assert finish in {"stop", "length"}
    assert usage is not None
    assert usage.completion_tokens > 0
    assert running.model == raw.headers["x-everup-model"]
    assert FAULTS[fault][1] in raw.headers["x-everup-trail"]


async def test_nine_dead_providers_are_no_reason_not_to_answer(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """With every one of them before it in one chain the real model still answers."""
    raw = await sdk.chat.completions.with_raw_response.create(model="all", messages=QUESTION, max_tokens=16)
    assert (raw.parse().choices[0].message.content or "").strip()
    assert running.model == raw.headers["x-everup-model"]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_real_model_keeps_to_a_schema(sdk: openai.AsyncOpenAI, *, stream: bool) -> None:
    """A JSON schema is kept by the real model behind a failing provider, streamed or not."""
    ask = {"model": "overloaded-whole", "messages": [{"role": "user", "content": "The weather in Bern as JSON."}]}
    fields = {**ask, "max_tokens": 200, "temperature": 0, "response_format": SCHEMA}
    if stream:
        chunks = [chunk async for chunk in await sdk.chat.completions.create(**fields, stream=True)]
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    else:
        text = (await sdk.chat.completions.create(**fields)).choices[0].message.content or ""
    told = json.loads(text)
    assert {"city": str, "rainy": bool} == {name: type(value) for name, value in told.items()}


async def test_many_at_once_are_all_answered(sdk: openai.AsyncOpenAI) -> None:
    """Six requests at once on two slots of the real model are all answered."""
    asks = (sdk.chat.completions.create(model="only", messages=QUESTION, max_tokens=8) for _ in range(6))
    answers = await asyncio.gather(*asks)
    assert all((answer.choices[0].message.content or "").strip() for answer in answers)


async def test_tools_skip_the_real_model_by_name(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """A request with tools goes past the embedded model, which has none, to the next candidate; the trail says so."""
    raw = await sdk.chat.completions.with_raw_response.create(model="able", messages=QUESTION, tools=TOOLS)
    assert "able" == raw.parse().choices[0].message.content
    assert running.model in raw.headers["x-everup-trail"]
    assert "no tools" in raw.headers["x-everup-trail"]
    assert TOOLS == running.able.requests[-1].json["tools"]


async def test_with_nothing_else_left_the_missing_capability_is_named(
    running: Running, sdk: openai.AsyncOpenAI
) -> None:
    """When only the embedded model is left a request with tools gets an error that says what is missing."""
    with pytest.raises(openai.InternalServerError) as caught:
        await sdk.chat.completions.create(model="only", messages=QUESTION, tools=TOOLS)
    assert 503 == caught.value.status_code
    assert "no tools" in str(caught.value)
    assert running.model in str(caught.value)
