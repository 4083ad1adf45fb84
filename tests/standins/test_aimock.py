"""aimock, a mock from another house, as Ollama and as Anthropic: the official `openai` SDK gets its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from everup.testing.gateway import KEY, Gateway, config_text
from tests.recorded.heard import hear, hear_stream
from tests.recorded.told import Told
from tests.standins.aimock import AbsentError, find_program, running

pytestmark = [pytest.mark.anyio, pytest.mark.long]

HELLO = "Grüezi, and hello from somewhere between Bern and Zürich 🏔."
CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": CITY}}]
BOTH = (("get_weather", {"city": "Bern", "days": 2}), ("get_weather", {"city": "Zürich", "days": 1}))
WIRES = {"ollama": "", "anthropic": "/v1"}
"""Each wire, and where below aimock's address it is spoken."""


@pytest.fixture(scope="module")
async def sdk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official SDK before an everup whose only providers are one aimock, by two wires; skips by name without it."""
    try:
        program = find_program()
    except AbsentError as absent:
        pytest.skip(f"no aimock (npm @copilotkit/aimock), which stands in for Ollama: {absent}")
    folder: Path = tmp_path_factory.mktemp("aimock")
    async with running(program, folder) as address:
        rows: dict[str, dict[str, object]] = {
            wire: {"wire": wire, "base_url": address + path} for wire, path in WIRES.items()
        }
        text = config_text(providers=rows, routes={}, limits={"cheap_cooldown_max_s": 0.001})
        async with (
            Gateway(folder, text) as gateway,
            openai.AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0) as client,
        ):
            yield client


@pytest.fixture(params=WIRES)
def model(request: pytest.FixtureRequest) -> str:
    """Return a model behind each wire."""
    return f"{request.param}/some-model"


async def ask(sdk: openai.AsyncOpenAI, model: str, text: str, *, stream: bool, **fields: Any) -> Told:
    """Return what the SDK hears for one question, or for the messages given."""
    fields = {"messages": [{"role": "user", "content": text}], **fields, "model": model, "max_tokens": 64}
    if stream:
        return await hear_stream(
            await sdk.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True})
        )
    return hear(await sdk.chat.completions.create(**fields))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_arrives(sdk: openai.AsyncOpenAI, model: str, *, stream: bool) -> None:
    """A text arrives whole, whatever its characters, and ends as complete."""
    heard = await ask(sdk, model, "Say hello", stream=stream)
    assert (HELLO, "stop", ()) == (heard.text, heard.finish, heard.calls)


@pytest.mark.parametrize("stream", [False, True])
async def test_two_calls_arrive(sdk: openai.AsyncOpenAI, model: str, *, stream: bool) -> None:
    """Two calls in one answer arrive with their arguments; the reason is `tool_calls`, which Ollama does not say."""
    heard = await ask(sdk, model, "How is the weather in Bern?", stream=stream, tools=TOOLS)
    assert (BOTH, "tool_calls", "") == (heard.calls, heard.finish, heard.text)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_and_a_call_arrive(sdk: openai.AsyncOpenAI, model: str, *, stream: bool) -> None:
    """A text before a call without arguments arrives with it."""
    heard = await ask(sdk, model, "Look first, then call", stream=stream, tools=TOOLS)
    assert ("I shall look.", (("get_weather", {}),), "tool_calls") == (heard.text, heard.calls, heard.finish)


@pytest.mark.parametrize("stream", [False, True])
async def test_results_go_back(sdk: openai.AsyncOpenAI, model: str, *, stream: bool) -> None:
    """The assistant's own message and both results go back and are understood as such."""
    question: dict[str, Any] = {"role": "user", "content": "How is the weather in Bern?"}
    first = await sdk.chat.completions.create(model=model, messages=[question], tools=TOOLS, max_tokens=64)  # type: ignore[list-item]
    said = first.choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in said.tool_calls or ()]
    assert 2 == len(results)
    messages = [question, said.model_dump(exclude_none=True), *results]
    heard = await ask(sdk, model, "", stream=stream, tools=TOOLS, messages=messages)
    assert ("In Bern it is sunny.", "stop") == (heard.text, heard.finish)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_keeps_its_words(sdk: openai.AsyncOpenAI, model: str, *, stream: bool) -> None:
    """A refusal is the SDK's own error class, and says what the provider said."""
    with pytest.raises(openai.InternalServerError) as caught:
        await ask(sdk, model, "Be overloaded", stream=stream)
    assert 503 == caught.value.status_code
    assert model in str(caught.value)
