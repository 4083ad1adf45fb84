"""What a first run makes of the keys in the environment and of this machine."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace

from everup.catalogue.first_run import WITHIN_S, choose, find_first_run
from everup.net.client import Client
from everup.providers.known import KNOWN, KnownProvider
from everup.shapes.found import Facts, Found, FoundProvider
from everup.testing.clock import JumpLoop
from everup.testing.provider import ScriptedProvider
from tests.catalogue.conftest import origin_of
from tests.catalogue.listener import Listener

pytestmark = pytest.mark.anyio

LOCAL = Found(
    providers=(FoundProvider(name="ollama", is_local=True, model="llama3"),),
    embedded_model="tiny",
    skipped=("something else listens there",),
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


async def look_local() -> Found:
    """Return what is on this machine."""
    return LOCAL


def row(name: str, base_url: str, *models: str, list_prefix: str = "") -> KnownProvider:
    """Return a known provider whose key is in NAME_API_KEY."""
    key_env = f"{name.upper()}_API_KEY"
    return KnownProvider(name=name, base_url=base_url, key_env=key_env, default_models=models, list_prefix=list_prefix)


async def find(client: Client, environ: dict[str, str], *rows: KnownProvider) -> Found:
    """Return what a first run finds."""
    return await find_first_run(
        client,
        origin_of,
        environ,
        look_local=look_local,
        is_own_key=lambda text: text.startswith("eu-"),
        known={row.name: row for row in rows},
    )


def answer(status: int, *models: str) -> bytes:
    """Return a whole answer with a model list."""
    body = json.dumps({"data": [{"id": model} for model in models]}).encode()
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (status, len(body)) + body


async def test_keys_are_checked_and_models_chosen(client: Client) -> None:
    """Each provider with a key is asked with it, gets its first listed default model, and stands before local ones."""
    async with ScriptedProvider(models=("big", "mini", "nano")) as one:
        first, second = row("one", one.base_url, "mini-5", "mini", "big"), row("two", one.base_url, "x")
        found = await find(client, {"ONE_API_KEY": " key-one\n", "TWO_API_KEY": ""}, first, second)
        assert ["key-one"] == [request.key for request in one.listings]
    expected = FoundProvider(
        name="one",
        base_url=one.base_url,
        key_env="ONE_API_KEY",
        models=("big", "mini", "nano"),
        model="mini",
        note="key accepted, 3 models",
    )
    assert (expected, *LOCAL.providers) == found.providers
    assert (LOCAL.embedded_model, LOCAL.skipped) == (found.embedded_model, found.skipped)


async def test_the_order_is_the_tables(client: Client) -> None:
    """Providers stand in the order of the table, however fast they answer."""
    async with Listener(None) as silent, ScriptedProvider(models=("a",)) as quick:
        rows = (row("slow", silent.base_url, "s"), row("quick", quick.base_url, "a"))
        found = await find(client, {"QUICK_API_KEY": "k", "SLOW_API_KEY": "k"}, *rows)
    assert ["slow", "quick", "ollama"] == [provider.name for provider in found.providers]


async def test_a_refused_key_is_left_out(client: Client) -> None:
    """A provider that answers 401 is not used, and a sentence names it, its variable and not the key."""
    async with Listener(answer(401)) as upstream:
        found = await find(client, {"ONE_API_KEY": "wrong-key"}, row("one", upstream.base_url, "a"))
    assert LOCAL.providers == found.providers
    assert "one refused the key in ONE_API_KEY (401): left out" == found.skipped[0]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (answer(403), "status 403"),
        (answer(500), "status 500"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "no list of models"),
        (None, "no complete answer within"),
    ],
)
async def test_what_cannot_be_checked_is_kept(client: Client, sent: bytes | None, words: str) -> None:
    """A provider whose list cannot be had is used with its first default model, and the note says why."""
    async with Listener(sent) as upstream:
        loop = asyncio.get_running_loop()
        began = loop.time()
        found = await find(client, {"ONE_API_KEY": "key"}, row("one", upstream.base_url, "a", "b"))
        assert loop.time() - began <= WITHIN_S + 0.5
    assert ("a", None) == (found.providers[0].model, found.providers[0].models)
    assert found.providers[0].note.startswith("not checked: ")
    assert words in found.providers[0].note


async def test_everups_own_key_goes_nowhere(client: Client) -> None:
    """A variable that holds everup's own key is left out with a sentence, and nobody is asked with it."""
    async with ScriptedProvider(models=("a",)) as upstream:
        found = await find(client, {"ONE_API_KEY": "eu-" + "x" * 43}, row("one", upstream.base_url, "a"))
        assert [] == upstream.listings
    assert LOCAL.providers == found.providers
    assert "ONE_API_KEY holds everup's own key" in found.skipped[0]


async def test_a_prefix_is_no_part_of_a_name(client: Client) -> None:
    """Ids that a known provider lists with a prefix are known without it."""
    async with ScriptedProvider(models=("models/g-pro", "models/g-flash")) as upstream:
        known = KnownProvider(
            name="google",
            base_url=upstream.base_url,
            key_env="GEMINI_API_KEY",
            default_models=("g-flash",),
            list_prefix="models/",
        )
        found = await find(client, {"GEMINI_API_KEY": "key"}, known)
    assert (("g-pro", "g-flash"), "g-flash") == (found.providers[0].models, found.providers[0].model)


async def test_a_public_list_says_nothing_about_the_key(client: Client) -> None:
    """Where anyone may list the models, the note does not claim that the key was accepted."""
    async with ScriptedProvider(models=("a",)) as upstream:
        found = await find(client, {"OPENROUTER_API_KEY": "key"}, row("openrouter", upstream.base_url, "a"))
    assert "key not checked, 1 model" == found.providers[0].note


@pytest.mark.parametrize(
    ("wanted", "listed", "expected"),
    [
        (("a", "b"), ("b", "a"), "a"),
        (("a", "b"), ("b",), "b"),
        (("a", "b"), ("c",), "a"),
        (("a", "b"), None, "a"),
        ((), ("text-embedding-3", "c"), "c"),
        ((), (), ""),
        ((), None, ""),
    ],
)
async def test_a_model_is_chosen(wanted: tuple[str, ...], listed: tuple[str, ...] | None, expected: str) -> None:
    """The first wanted model that is listed wins, else the first wanted, else the first listed that chats."""
    assert expected == choose(wanted, listed)


async def test_an_anthropic_key_is_used(client: Client) -> None:
    """A key in ANTHROPIC_API_KEY is checked in Anthropic's own way, and the first default it lists is chosen."""
    body = json.dumps(
        {
            "data": [
                {"type": "model", "id": "claude-opus-5", "display_name": "Claude Opus 5", "max_input_tokens": 1000000},
                {"type": "model", "id": "claude-sonnet-5", "display_name": "Claude Sonnet 5", "max_tokens": 64000},
                {"type": "model", "id": "claude-haiku-4-5-20251001", "max_input_tokens": 200000},
            ],
            "has_more": False,
            "first_id": "claude-opus-5",
            "last_id": "claude-haiku-4-5-20251001",
        }
    ).encode()
    async with Listener(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body) as upstream:
        known = replace(KNOWN["anthropic"], base_url=upstream.base_url)
        found = await find(client, {"ANTHROPIC_API_KEY": "sk-ant-api03-1"}, known)
        heads = upstream.heads
    seen = found.providers[0]
    assert ("anthropic", "claude-sonnet-5", "key accepted, 3 models") == (seen.name, seen.model, seen.note)
    assert {
        "claude-opus-5": Facts(context_tokens_max=1000000),
        "claude-haiku-4-5-20251001": Facts(context_tokens_max=200000),
    } == seen.facts
    assert heads[0].startswith(b"GET /v1/models?limit=1000 HTTP/1.1\r\n")
    assert b"\r\nx-api-key: sk-ant-api03-1\r\n" in heads[0]
    assert b"\r\nanthropic-version: 2023-06-01\r\n" in heads[0]


async def test_anthropic_stands_first() -> None:
    """Of the known providers Anthropic is asked first, before every other that costs money."""
    assert "anthropic" == next(iter(KNOWN))


async def test_a_provider_with_another_address_for_everyone_is_told(client: Client) -> None:
    """A key of Azure OpenAI alone is not enough to find it, and a sentence says what is missing."""
    found = await find(client, {"AZURE_OPENAI_API_KEY": "key"}, KNOWN["azure"])
    assert LOCAL.providers == found.providers
    assert "AZURE_OPENAI_API_KEY is set" in found.skipped[0]
    assert "https://RESOURCE.openai.azure.com/openai/v1" in found.skipped[0]
