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
from everup.shapes.found import FoundProvider
from everup.shapes.limits import Limits

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

    async def add(self, name: str, listener: Listener) -> int:
        """Return the port on which it now listens under that name."""
        server = await asyncio.start_server(listener.answer, "127.0.0.1", 0)
        self.open.append(server)
        port: int = server.sockets[0].getsockname()[1]
        self.rows.append(LocalServer(name, name.title(), port, "`fill it`"))
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
    ollama = Listener(listing("nomic-embed-text", "qwen3:4b", "llama3"))
    port = await house.add("ollama", ollama)
    await house.add("llamacpp", Listener(listing("phi-4")))
    found = await find_servers(client, environ={}, servers=house.table)
    assert ["ollama", "llamacpp"] == [server.name for server in found.providers]
    expected = FoundProvider(
        name="ollama",
        base_url=f"http://127.0.0.1:{port}/v1",
        is_local=True,
        models=("nomic-embed-text", "qwen3:4b", "llama3"),
        model="qwen3:4b",
        note="3 models",
    )
    assert expected == found.providers[0]
    assert ("phi-4", "1 model") == (found.providers[1].model, found.providers[1].note)
    assert ollama.heads[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert b"authorization" not in ollama.heads[0].lower()


async def test_an_empty_server_says_how_to_fill_it(house: House, client: Client) -> None:
    """A server without a chat model is named with what to do, and gets no model."""
    await house.add("ollama", Listener(listing("all-minilm")))
    await house.add("lmstudio", Listener(b'{"data": []}'))
    found = await find_servers(client, environ={}, servers=house.table)
    assert ["", ""] == [server.model for server in found.providers]
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
    port = await house.add("ollama", Listener(listing("llama3")))
    table = (LocalServer("ollama", "Ollama", 1, "`fill it`"),)
    found = await find_servers(client, environ={"OLLAMA_HOST": f"0.0.0.0:{port}"}, servers=table)
    assert [f"http://127.0.0.1:{port}/v1"] == [server.base_url for server in found.providers]


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
    await house.add("ollama", Listener(listing("llama3")))
    able = Embedded(lambda: small_model, os.environ, package="json")
    found = await find_local(client, able, environ={}, servers=house.table)
    assert ("tiny-1m", "", 1) == (found.embedded_model, found.embedded_note, len(found.providers))
    unable = Embedded(lambda: NoModel("no model file", "everup local get"), os.environ)
    found = await find_local(client, unable, environ={}, servers=())
    assert ("", "no model file; everup local get") == (found.embedded_model, found.embedded_note)
