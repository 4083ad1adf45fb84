"""Which servers of this machine are found, what is left alone, and the model chosen."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator

import pytest

from everup.local.embedded import Embedded
from everup.local.model_file import ModelFile, NoModel
from everup.local.servers import LocalServer, find_local, find_servers, loopback_of, place_ollama
from everup.net.client import Client
from everup.providers.ollama import SHOWN_MAX
from everup.shapes.found import Facts, FoundProvider
from everup.shapes.limits import Limits
from everup.shapes.route import Caps
from tests.local.ollama_server import Held, ScriptedOllama

pytestmark = pytest.mark.anyio


class Listener:
    """A small HTTP server that answers every request alike, or not at all."""

    def __init__(self, body: bytes | None, status: int = 200) -> None:
        self.body = body
        self.status = status
        self.heads: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request was answered and the connection closed."""
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if self.body is None:
                await reader.read()
            else:
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (self.status, len(self.body)) + self.body)
                await writer.drain()
        finally:
            writer.close()


class House:
    """The listeners of one test, as a table for the function under test."""

    def __init__(self) -> None:
        self.rows: list[LocalServer] = []
        self.open: list[asyncio.Server] = []

    async def add(self, name: str, listener: Listener, *, wire: str = "openai_chat") -> int:
        """Return the port on which it now listens under that name."""
        server = await asyncio.start_server(listener.answer, "127.0.0.1", 0)
        self.open.append(server)
        port: int = server.sockets[0].getsockname()[1]
        self.rows.append(LocalServer(name, name.title(), port, "`fill it`", wire=wire))
        return port

    @property
    def table(self) -> tuple[LocalServer, ...]:
        """Return the table."""
        return tuple(self.rows)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Return an empty house, closed at the end."""
    made = House()
    yield made
    for server in made.open:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Return a client, closed at the end."""
    made = Client(Limits())
    yield made
    await made.close()


def listing(*models: str, owner: str = "library") -> bytes:
    """Return an OpenAI-style model list."""
    rows = [{"id": model, "object": "model", "owned_by": owner} for model in models]
    return json.dumps({"object": "list", "data": rows}).encode()


async def test_servers_are_found_in_the_tables_order(house: House, client: Client) -> None:
    """Each server that lists models is found with its first model that answers chats."""
    studio = Listener(listing("nomic-embed-text", "qwen3:4b", "llama3"))
    port = await house.add("lmstudio", studio)
    await house.add("llamacpp", Listener(listing("phi-4")))
    found = await find_servers(client, environ={}, servers=house.table)
    assert ["lmstudio", "llamacpp"] == [server.name for server in found.providers]
    expected = FoundProvider(
        name="lmstudio",
        base_url=f"http://127.0.0.1:{port}/v1",
        is_local=True,
        models=("nomic-embed-text", "qwen3:4b", "llama3"),
        model="qwen3:4b",
        note="3 models",
    )
    assert expected == found.providers[0]
    assert ("phi-4", "1 model") == (found.providers[1].model, found.providers[1].note)
    assert studio.heads[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert b"authorization" not in studio.heads[0].lower()


async def test_an_empty_server_says_how_to_fill_it(house: House, client: Client) -> None:
    """A server without a chat model is named with what to do, and gets no model."""
    await house.add("llamacpp", Listener(listing("all-minilm")))
    await house.add("lmstudio", Listener(b'{"data": []}'))
    await house.add("ollama", Listener(b'{"models": []}'), wire="ollama")
    found = await find_servers(client, environ={}, servers=house.table)
    assert ["", "", ""] == [server.model for server in found.providers]
    assert all("`fill it`" in server.note for server in found.providers)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (listing("default", owner="everup"), 200, "is an everup"),
        (b"<html>Welcome</html>", 200, "no model server"),
        (b'{"data": "x"}', 200, "no model server"),
        (b'{"data": [{"name": "x"}, 7]}', 200, "no model server"),
        (b"[" * 100_000, 200, "no model server"),
        (b"\xff\xfe", 200, "no model server"),
        (b'{"data": [{"id": "\xff"}]}', 200, "no model server"),
        (b"", 404, "status 404"),
        (b"{}", 401, "with a key, name it in a config file"),
    ],
)
async def test_what_is_no_model_server_is_left_alone(
    house: House, client: Client, body: bytes, status: int, words: str
) -> None:
    """Another program on a known port is not used, and a sentence says so."""
    await house.add("llamacpp", Listener(body, status))
    found = await find_servers(client, environ={}, servers=house.table)
    assert () == found.providers
    assert words in found.skipped[0]


async def test_nothing_there_is_no_finding(house: House, client: Client) -> None:
    """A port that refuses and one that stays silent are passed over in a bounded time without a word."""
    await house.add("lmstudio", Listener(None))
    port = await house.add("ollama", Listener(b""))
    house.open[1].close()
    await house.open[1].wait_closed()
    assert port
    began = asyncio.get_running_loop().time()
    found = await find_servers(client, environ={}, servers=house.table, within_s=0.3)
    assert asyncio.get_running_loop().time() - began < 5
    assert ((), ()) == (found.providers, found.skipped)


async def test_ollamas_own_variable_is_followed(house: House, client: Client) -> None:
    """Ollama is looked for where OLLAMA_HOST puts it on this machine."""
    port = await house.add("ollama", Listener(b'{"models": []}'))
    table = (LocalServer("ollama", "Ollama", 1, "`fill it`", wire="ollama"),)
    found = await find_servers(client, environ={"OLLAMA_HOST": f"0.0.0.0:{port}"}, servers=table)
    assert [f"http://127.0.0.1:{port}"] == [server.base_url for server in found.providers]


def ollama_at(ollama: ScriptedOllama) -> tuple[LocalServer, ...]:
    """Return the table with this Ollama alone."""
    return (LocalServer("ollama", "Ollama", ollama.port, "`ollama pull NAME`", wire="ollama"),)


async def test_an_ollama_tells_windows_and_capabilities(client: Client) -> None:
    """An Ollama is found by its own list, and each model's window and capabilities are asked of it, without a key."""
    held = {
        "nomic-embed-text:latest": Held(capabilities=("embedding",), arch="nomic-bert", window=2048),
        "my-embedder:chat": Held(capabilities=("completion", "tools"), window=8192),
        "qwen3:4b": Held(capabilities=("completion", "thinking")),
    }
    async with ScriptedOllama(held) as ollama:
        found = await find_servers(client, environ={}, servers=ollama_at(ollama))
        assert ["/api/tags"] == [request.target for request in ollama.listings]
        assert sorted(held) == sorted(request.model for request in ollama.shown)
        assert [] == ollama.requests + ollama.complaints
        assert {""} == {request.header("authorization") for request in ollama.listings + ollama.shown}
        assert {"application/json"} == {request.header("content-type") for request in ollama.shown}
    seen = found.providers[0]
    assert (f"http://127.0.0.1:{ollama.port}", True, tuple(held)) == (seen.base_url, seen.is_local, seen.models)
    assert ("my-embedder:chat", "3 models, this one of 2.6 GB") == (seen.model, seen.note)
    assert {
        "nomic-embed-text:latest": Facts(
            caps=Caps(tools=False, images=False, reasoning=False), context_tokens_max=2048, is_chat=False
        ),
        "my-embedder:chat": Facts(
            caps=Caps(tools=True, images=False, reasoning=False), context_tokens_max=8192, is_chat=True
        ),
        "qwen3:4b": Facts(caps=Caps(tools=False, images=False, reasoning=True), context_tokens_max=40960, is_chat=True),
    } == seen.facts


async def test_a_model_of_this_machine_comes_before_one_of_the_cloud(client: Client) -> None:
    """A model that ollama.com answers for is chosen only where there is no other, and the note says so."""
    cloud = {"gpt-oss:120b-cloud": Held(is_remote=True, size_bytes=384)}
    async with ScriptedOllama({**cloud, "qwen3:4b": Held()}) as ollama:
        found = await find_servers(client, environ={}, servers=ollama_at(ollama))
    assert "qwen3:4b" == found.providers[0].model
    async with ScriptedOllama(cloud) as ollama:
        found = await find_servers(client, environ={}, servers=ollama_at(ollama))
    expected = ("gpt-oss:120b-cloud", "1 model, this one answered by ollama.com")
    assert expected == (found.providers[0].model, found.providers[0].note)


async def test_only_so_many_models_are_asked_about(client: Client) -> None:
    """Of very many models the first 64 are asked about, and all are known by name."""
    async with ScriptedOllama({f"m{number}": Held() for number in range(SHOWN_MAX + 9)}) as ollama:
        found = await find_servers(client, environ={}, servers=ollama_at(ollama))
        assert 0 < len(ollama.shown) <= SHOWN_MAX
    assert SHOWN_MAX + 9 == len(found.providers[0].models or ())


async def test_a_model_that_is_not_told_of_is_judged_by_its_name(client: Client) -> None:
    """An Ollama that stays silent about its models costs a bounded time and is used all the same."""
    held = {"nomic-embed-text:latest": Held(), "qwen3:4b": Held()}
    async with ScriptedOllama(held, silent=tuple(held)) as ollama:
        began = asyncio.get_running_loop().time()
        found = await find_servers(client, environ={}, servers=ollama_at(ollama))
        assert asyncio.get_running_loop().time() - began < 10
    assert ("qwen3:4b", {}) == (found.providers[0].model, found.providers[0].facts)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"error":"not found"}', 404, "is no Ollama that can be used (status 404)"),
        (b'{"models": [{"name": "a"}], "object": "list", "data": [{"id": "a"}]}', 200, "is no Ollama"),
        (b'{"data": [{"id": "a"}]}', 200, "is no Ollama"),
        (b"{}", 401, "if it is Ollama with a key, name it in a config file"),
    ],
)
async def test_what_speaks_openai_only_is_no_ollama(
    house: House, client: Client, body: bytes, status: int, words: str
) -> None:
    """A server on Ollama's port that has OpenAI's list but not Ollama's own is left alone, and a sentence says so."""
    await house.add("ollama", Listener(body, status), wire="ollama")
    found = await find_servers(client, environ={}, servers=house.table)
    assert () == found.providers
    assert words in found.skipped[0]


@pytest.mark.parametrize(
    ("setting", "place", "has_words"),
    [
        ("", "127.0.0.1:11434", False),
        ("127.0.0.2", "127.0.0.2:11434", False),
        ("http://localhost:9999/", "127.0.0.1:9999", False),
        (":7000", "127.0.0.1:7000", False),
        ("[::1]:7000", "[::1]:7000", False),
        ("::", "127.0.0.1:11434", True),
        ("0.0.0.0", "127.0.0.1:11434", False),
        ("gpu-box:11434", "127.0.0.1:11434", True),
        ("http://user:pw@10.0.0.7:80", "127.0.0.1:11434", True),
        ("127.0.0.1:99999", "127.0.0.1:11434", True),
    ],
)
async def test_only_this_machine_is_ever_asked(setting: str, place: str, *, has_words: bool) -> None:
    """OLLAMA_HOST counts where it names loopback; otherwise a sentence says that it does not, without a password."""
    table, words = place_ollama((LocalServer("ollama", "Ollama", 11434, ""),), setting)
    assert ((place, has_words)) == (table[0].place, bool(words))
    assert "pw" not in "".join(words)


@pytest.mark.parametrize(
    ("host", "expected"), [("::", "127.0.0.1"), ("::1", "::1"), ("169.254.169.254", ""), ("example.com", "")]
)
async def test_loopback_is_decided_by_address(host: str, expected: str) -> None:
    """Only loopback and bind-all addresses stand for this machine."""
    assert expected == loopback_of(host)


async def test_the_embedded_model_is_told_of(house: House, client: Client, small_model: ModelFile) -> None:
    """The whole local look says whether the embedded model can run, by name or with the cause."""
    await house.add("lmstudio", Listener(listing("llama3")))
    able = Embedded(lambda: small_model, os.environ, package="json")
    found = await find_local(client, able, environ={}, servers=house.table)
    assert ("tiny-1m", "", 1) == (found.embedded_model, found.embedded_note, len(found.providers))
    unable = Embedded(lambda: NoModel("no model file", "everup local get"), os.environ)
    found = await find_local(client, unable, environ={}, servers=())
    assert ("", "no model file; everup local get") == (found.embedded_model, found.embedded_note)
