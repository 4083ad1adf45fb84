"""A real model through its Anthropic endpoint: the `openai` SDK asks everup, everup asks `/v1/messages`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from everup.local.model_file import ModelFile, find_model
from everup.local.process import PROGRAM, spawn
from everup.testing.gateway import KEY, Gateway, config_text
from tests.recorded.heard import hear, hear_stream
from tests.recorded.told import Told

pytestmark = [pytest.mark.anyio, pytest.mark.long]

SERVER_KEY = "key-of-the-real-server"
NAME = "smol"
MODEL = f"real/{NAME}"
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello in one short sentence."}]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Return the loop of the whole module."""
    return "asyncio"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """Return the embedded model's file, or skip by name."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed: no real model to ask (extra `local`)")
    found = find_model(tmp_path_factory.mktemp("no-home"))
    if not isinstance(found, ModelFile):
        pytest.skip(f"no model file: {found.cause}")
    return found


@pytest.fixture(scope="module")
async def sdk(model: ModelFile, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official SDK before an everup whose one provider is the real model's server, as Anthropic."""
    order = {"model": str(model.path), "name": NAME, "key": SERVER_KEY, "context_tokens": 2048, "slots": 1}
    child = await spawn(PROGRAM, os.environ)
    try:
        await child.get_ready({**order, "cache_mib": 0, "sleep_after_s": -1})
        row: dict[str, object] = {
            "wire": "anthropic",
            "base_url": f"http://127.0.0.1:{child.port}/v1",
            "local": True,
            "profiles": [{"id": "default", "key": SERVER_KEY}],
        }
        text = config_text(providers={"real": row}, routes={})
        async with (
            Gateway(tmp_path_factory.mktemp("messages"), text) as gateway,
            openai.AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=120) as client,
        ):
            yield client
    finally:
        await child.end()


async def ask(sdk: openai.AsyncOpenAI, *, stream: bool, **fields: Any) -> Told:
    """Return what the SDK hears."""
    fields = {"model": MODEL, "messages": QUESTION, "temperature": 0, **fields}
    if stream:
        return await hear_stream(
            await sdk.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True})
        )
    return hear(await sdk.chat.completions.create(**fields))


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_arrives_whole(sdk: openai.AsyncOpenAI, *, stream: bool) -> None:
    """The model's text arrives with its own end, its name and counts that fit."""
    heard = await ask(sdk, stream=stream, max_tokens=200)
    assert heard.text.strip()
    assert ("stop", NAME, ()) == (heard.finish, heard.model, heard.calls)
    assert 20 < heard.input_tokens < 60
    assert 0 < heard.output_tokens <= len(heard.text)
    assert heard.cached_tokens <= heard.input_tokens


@pytest.mark.parametrize("stream", [False, True])
async def test_a_limit_is_named(sdk: openai.AsyncOpenAI, *, stream: bool) -> None:
    """An answer that its limit cut says so, and has used exactly the limit."""
    heard = await ask(sdk, stream=stream, max_tokens=5, messages=[{"role": "user", "content": "Count to a hundred."}])
    assert ("length", 5) == (heard.finish, heard.output_tokens)
    assert heard.text.strip()


async def test_streamed_or_not_it_is_the_same(sdk: openai.AsyncOpenAI) -> None:
    """At temperature 0 the streamed answer and the whole one are the same in everything but what was cached."""
    whole, streamed = [await ask(sdk, stream=stream, max_tokens=24) for stream in (False, True)]
    assert (whole.text, whole.finish, whole.input_tokens, whole.output_tokens) == (
        streamed.text,
        streamed.finish,
        streamed.input_tokens,
        streamed.output_tokens,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_an_overlong_request_is_the_requests_fault(sdk: openai.AsyncOpenAI, *, stream: bool) -> None:
    """What does not fit into the model's window is the SDK's BadRequestError and says so."""
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(sdk, stream=stream, max_tokens=8, messages=[{"role": "user", "content": "word " * 4000}])
    assert "context" in str(caught.value)
