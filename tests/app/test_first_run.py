"""A first run without configuration, as a whole process: what it finds, says, serves and picks up."""

from __future__ import annotations

import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from everup.testing.client import exchange
from everup.testing.clock import until
from everup.testing.gateway import Gateway
from everup.testing.provider import ScriptedProvider
from tests.local.ollama_server import Held, ScriptedOllama

pytestmark = pytest.mark.anyio

NO_MODEL = {"EVERUP_GGUF": "no-such-model.gguf"}
OLLAMA_PORT = 11434
SERVER_PORTS = (OLLAMA_PORT, 1234, 8080)


def is_free(port: int) -> bool:
    """Return whether nobody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture(autouse=True)
def quiet_machine() -> None:
    """Skip by name where a real model server of this machine would be found."""
    taken = [port for port in SERVER_PORTS if not is_free(port)]
    if taken:
        pytest.skip(f"something listens on {taken}: a first run would find it")


@asynccontextmanager
async def fake_ollama() -> AsyncIterator[ScriptedOllama]:
    """Return an Ollama on its own port that has a model for embeddings and one that answers."""
    held = {"all-minilm": Held(capabilities=("embedding",), window=512), "qwen3:4b": Held(window=4096)}
    ollama = ScriptedOllama(held)
    ollama.port = OLLAMA_PORT
    async with ollama:
        yield ollama


async def test_with_nothing_found_it_starts_and_says_what_to_do(tmp_path: Path) -> None:
    """Without a key, a server or a model everup starts, and a request gets a 503 that says what would help."""
    async with Gateway(tmp_path, None, environ=NO_MODEL) as gateway:
        answer = await gateway.ask("default", messages=[{"role": "user", "content": "hi"}])
        assert 503 == answer.status
        assert "OPENAI_API_KEY" in answer.body.decode()
        assert "everup local get" in gateway.err


async def test_it_picks_up_a_server_that_appears(tmp_path: Path) -> None:
    """A model server that starts after everup is found within seconds and answers the route default."""
    async with Gateway(tmp_path, None, environ=NO_MODEL) as gateway, fake_ollama():
        await until(lambda: '"app.found"' in gateway.err, 15)
        answer = await gateway.ask("default", messages=[{"role": "user", "content": "hi"}])
        assert (200, "ollama/qwen3:4b") == (answer.status, answer.headers["x-everup-model"])


async def test_a_server_found_comes_before_the_embedded_model(tmp_path: Path) -> None:
    """A server on this machine answers the route default; the embedded model is then the route local."""
    async with fake_ollama(), Gateway(tmp_path, None) as gateway:
        answer = await gateway.ask("default", messages=[{"role": "user", "content": "hi"}])
        assert "ollama/qwen3:4b" == answer.headers["x-everup-model"]
        assert "ollama" in gateway.err


async def test_anthropic_comes_first_then_ollama(tmp_path: Path) -> None:
    """With a key for Anthropic and an Ollama here the route default asks one, then the other, which answers."""
    environ = {**NO_MODEL, "ANTHROPIC_API_KEY": "sk-ant-api03-made-up", "HTTPS_PROXY": "http://127.0.0.1:9"}
    async with fake_ollama() as ollama, Gateway(tmp_path, None, environ=environ) as gateway:
        told = await exchange(gateway.port, "GET", "/status", headers=gateway.headers())
        assert {"default": ["anthropic/claude-haiku-5-5", "ollama/qwen3:4b"]} == told.json["routes"]
        answer = await gateway.ask("default", messages=[{"role": "user", "content": "hi"}])
        assert (200, "ollama/qwen3:4b") == (answer.status, answer.headers["x-everup-model"])
        assert "from ollama" == answer.json["choices"][0]["message"]["content"]
        assert ["/api/chat"] == [request.target for request in ollama.requests]
        assert {""} == {request.header("x-api-key") + request.header("authorization") for request in ollama.requests}
        assert "sk-ant-" not in gateway.err


async def test_what_an_ollama_tells_decides_who_is_asked(tmp_path: Path) -> None:
    """A request with tools goes past an Ollama model that calls none, and one beyond its window too, by name."""
    async with fake_ollama() as ollama, Gateway(tmp_path, None, environ=NO_MODEL) as gateway:
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
        answer = await gateway.ask("default", tools=tools)
        assert "no tools" in answer.body.decode()
        answer = await gateway.ask("default", messages=[{"role": "user", "content": "word " * 40_000}])
        assert "window 4,096" in answer.body.decode()
        assert [] == ollama.requests


async def test_a_server_that_is_no_ollama_is_left_alone(tmp_path: Path) -> None:
    """A server on Ollama's port that speaks OpenAI's format only is not used, and the start table says so."""
    other = ScriptedProvider(models=("m",))
    other.port = OLLAMA_PORT
    async with other, Gateway(tmp_path, None, environ=NO_MODEL) as gateway:
        assert "is no Ollama" in gateway.err
        told = await exchange(gateway.port, "GET", "/status", headers=gateway.headers())
        assert {} == told.json["routes"]


async def test_a_key_that_cannot_be_checked_is_used_and_said(tmp_path: Path) -> None:
    """A provider's key in the environment makes its dated default the first of the route, with a note."""
    environ = {**NO_MODEL, "GROQ_API_KEY": "gsk_made-up", "HTTPS_PROXY": "http://127.0.0.1:9"}
    async with Gateway(tmp_path, None, environ=environ) as gateway:
        assert "GROQ_API_KEY" in gateway.err
        assert "not checked" in gateway.err
        assert "gsk_made-up" not in gateway.err


async def test_everup_s_own_key_is_not_taken_for_a_provider_s(tmp_path: Path) -> None:
    """After `eval "$(everup env)"` the variable holds everup's own key, which no provider is sent."""
    environ = {**NO_MODEL, "EVERUP_API_KEY": "my-own-word-for-everup", "OPENAI_API_KEY": "my-own-word-for-everup"}
    async with Gateway(tmp_path, None, environ=environ) as gateway:
        assert "everup's own key" in gateway.err


async def test_it_writes_nothing_but_its_key(tmp_path: Path) -> None:
    """A first run leaves one file in its home: the key, readable for its owner only."""
    async with Gateway(tmp_path, None, environ={**NO_MODEL, "EVERUP_API_KEY": ""}) as gateway:
        files = [path for path in gateway.home.rglob("*") if path.is_file()]
        assert ["key"] == [path.name for path in files]
        if sys.platform != "win32":
            assert 0o600 == stat.S_IMODE(files[0].stat().st_mode)
        key = files[0].read_text(encoding="ascii").strip()
        assert key not in gateway.err


async def test_a_server_that_appears_and_goes_leaves_the_embedded_model(tmp_path: Path) -> None:
    """What answered the route default goes on answering it when a server that appeared later is gone again."""
    async with Gateway(tmp_path, None) as gateway:
        if "embedded/" not in gateway.err:
            pytest.skip("no embedded model here: neither xllamacpp nor its model file is installed")
        async with fake_ollama():
            await until(lambda: '"app.found"' in gateway.err, 15)
            answer = await gateway.ask("default", messages=[{"role": "user", "content": "hi"}])
            assert "ollama/qwen3:4b" == answer.headers["x-everup-model"]
        assert "embedded/" in gateway.err.split('"app.found"')[1]


async def test_an_unknown_model_of_the_embedded_server_is_a_404(tmp_path: Path) -> None:
    """The embedded server answers to any name; everup does not pass one on that is not its model's."""
    async with Gateway(tmp_path, None) as gateway:
        answer = await gateway.ask("embedded/zzz", messages=[{"role": "user", "content": "hi"}])
        assert 404 == answer.status


async def test_a_damaged_clients_file_is_told_and_left_alone(tmp_path: Path) -> None:
    """A clients file that cannot be read is named in the log with what still works, and is not written over."""
    async with Gateway(tmp_path, None, environ=NO_MODEL) as gateway:
        file = gateway.home / "clients.json"
        file.write_text('{"clients": {', encoding="utf-8")
        await until(lambda: '"keys.unreadable"' in gateway.err, 10)
        assert 503 == (await gateway.ask("default", messages=[{"role": "user", "content": "hi"}])).status
        assert '{"clients": {' == file.read_text(encoding="utf-8")
        file.unlink()
        await until(lambda: '"keys.recovered"' in gateway.err, 10)


async def test_status_of_a_first_run_calls_no_model_failing(tmp_path: Path) -> None:
    """Before its first request the embedded model is unused, not failing for want of a key."""
    async with Gateway(tmp_path, None) as gateway:
        if "embedded/" not in gateway.err:
            pytest.skip("no embedded model here: neither xllamacpp nor its model file is installed")
        told = await exchange(gateway.port, "GET", "/status", headers=gateway.headers())
        assert ["unused"] == [each["state"] for each in told.json["candidates"]]
