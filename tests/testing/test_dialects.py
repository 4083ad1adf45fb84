"""The builders of Anthropic's and Ollama's answers, read by those providers' own clients over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anthropic
import ollama
import pytest

from everup.testing import anthropic as a
from everup.testing import ollama as o
from everup.testing import scripts as s
from everup.testing.client import exchange
from everup.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

ASKED = [{"role": "user", "content": "Say hello."}]
THOUGHT = (*a.thinking("hm", " yes", signature="c2ln"), *a.text("Hel", "lo", index=1))
CALLED = a.tool_use("toolu_1", "look", '{"at"', ': "sky"}', index=2)
EVERYTHING = (a.begun(cache_read_input_tokens=3), *THOUGHT, a.PING, *CALLED, a.finished("tool_use"), a.STOPPED)
BLOCKS = (a.thinking_block("hm yes", "c2ln"), "Hello", a.tool_block("toolu_1", "look", {"at": "sky"}))


def claude(provider: ScriptedProvider) -> anthropic.AsyncAnthropic:
    """Return Anthropic's client, its own retries off."""
    base_url = provider.base_url.removesuffix("/v1")
    return anthropic.AsyncAnthropic(base_url=base_url, api_key="sk-ant-test", max_retries=0)


@asynccontextmanager
async def local(provider: ScriptedProvider) -> AsyncIterator[ollama.AsyncClient]:
    """Ollama's client, closed after use."""
    client = ollama.AsyncClient(host=provider.base_url)
    try:
        yield client
    finally:
        await client.close()


async def test_anthropics_client_reads_a_whole_message() -> None:
    """Thinking, text, a tool call, the stop reason and the counts arrive in its types; the request was recognised."""
    script = a.stream(whole=(s.Send(s.sized(200, a.message_json(*BLOCKS, stop="tool_use"))),))
    async with ScriptedProvider(script) as provider, claude(provider) as client:
        message = await client.messages.create(model="claude-x", max_tokens=9, messages=ASKED)  # type: ignore[arg-type]
    assert ["thinking", "text", "tool_use"] == [block.type for block in message.content]
    assert ("tool_use", 9, 5) == (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens)
    (request,) = provider.requests
    assert ("claude-x", False, "sk-ant-test") == (request.model, request.is_stream, request.key)


async def test_anthropics_client_reads_a_stream() -> None:
    """The events of a stream add up to the same message."""
    async with (
        ScriptedProvider(a.stream(*EVERYTHING)) as provider,
        claude(provider) as client,
        client.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream,  # type: ignore[arg-type]
    ):
        message = await stream.get_final_message()
    thought, text, call = message.content
    assert ("hm yes", "c2ln") == (thought.thinking, thought.signature)
    assert ("Hello", {"at": "sky"}, "tool_use") == (text.text, call.input, message.stop_reason)
    assert [True] == [request.is_stream for request in provider.requests]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, anthropic.AuthenticationError), (429, anthropic.RateLimitError), (529, anthropic.InternalServerError)],
)
async def test_anthropics_client_reads_a_refusal(status: int, expected: type[anthropic.APIStatusError]) -> None:
    """A refusal is the exception of its status and carries its type."""
    async with ScriptedProvider(a.error(status, message="no")) as provider, claude(provider) as client:
        with pytest.raises(expected) as refused:
            await client.messages.create(model="m", max_tokens=9, messages=ASKED)  # type: ignore[arg-type]
    assert isinstance(refused.value.body, dict)
    assert {"type": a.type_of(status), "message": "no"} == refused.value.body["error"]


async def test_anthropics_client_reads_an_error_in_a_stream() -> None:
    """An error event after content is an exception there."""
    broken = a.stream(a.BEGUN, a.TEXT_BEGUN, *a.texts("Hel"), a.error_event("overloaded_error", "Overloaded"))
    async with ScriptedProvider(broken) as provider, claude(provider) as client:
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            async with client.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream:  # type: ignore[arg-type]
                await stream.get_final_message()


async def test_anthropics_client_lists_the_models() -> None:
    """The list is Anthropic's for who speaks like its client, and no call of a script."""
    async with ScriptedProvider(models=("claude-x",)) as provider, claude(provider) as client:
        listed = [model.id async for model in client.models.list()]
    assert (["claude-x"], [], 1) == (listed, provider.requests, len(provider.listings))


async def test_ollamas_client_reads_a_whole_answer() -> None:
    """Thinking, text, a tool call and the counts arrive in its types; the request was recognised as not streamed."""
    said = o.message("Hello", thinking="hm", calls=[o.tool_call("look", {"at": "sky"})])
    script = o.stream(whole=(s.Send(s.sized(200, o.chat_json(message=said))),))
    async with ScriptedProvider(script, is_ollama=True) as provider, local(provider) as client:
        answer = await client.chat("llama", ASKED)
    assert ("Hello", "hm", "stop") == (answer.message.content, answer.message.thinking, answer.done_reason)
    assert [{"at": "sky"}] == [call.function.arguments for call in answer.message.tool_calls or ()]
    assert (9, 5) == (answer.prompt_eval_count, answer.eval_count)
    assert [("llama", False)] == [(request.model, request.is_stream) for request in provider.requests]


async def test_ollamas_client_reads_a_stream() -> None:
    """The lines of a stream add up to the same answer."""
    async with ScriptedProvider(o.reply("Hel", "lo"), is_ollama=True) as provider, local(provider) as client:
        parts = [part async for part in await client.chat("m", ASKED, stream=True)]
    assert "Hello" == "".join(part.message.content or "" for part in parts)
    assert [False, False, True] == [part.done for part in parts]


async def test_ollamas_client_reads_errors() -> None:
    """A refusal and an error in the middle of a stream are its exception, with the words."""
    async with ScriptedProvider(is_ollama=True) as provider, local(provider) as client:
        provider.script(o.error(404, "model 'm' not found"), o.stream(*o.lines("Hel"), o.error_line("it broke")))
        with pytest.raises(ollama.ResponseError, match="not found"):
            await client.chat("m", ASKED)
        with pytest.raises(ollama.ResponseError, match="it broke"):
            _ = [part async for part in await client.chat("m", ASKED, stream=True)]


async def test_ollama_streams_unless_told_not_to() -> None:
    """A request to `/api/chat` that does not say so is answered with lines."""
    async with ScriptedProvider(o.reply("Hello"), is_ollama=True) as provider:
        answer = await exchange(provider.port, "POST", "/api/chat", {}, b'{"model": "m"}')
    assert (o.NDJSON, True) == (answer.headers["content-type"], provider.requests[0].is_stream)


async def test_ollamas_client_asks_about_models() -> None:
    """What models there are and what one can do is told beside the scripts."""
    async with ScriptedProvider(models=("llama",), is_ollama=True) as provider, local(provider) as client:
        listed, shown = await client.list(), await client.show("llama")
    assert ["llama"] == [model.model for model in listed.models]
    assert (32_768, ["completion", "tools"]) == ((shown.modelinfo or {})["scripted.context_length"], shown.capabilities)
    assert ([], 2) == (provider.requests, len(provider.listings))
