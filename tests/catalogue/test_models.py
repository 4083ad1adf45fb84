"""The lists of configured providers: asked with their key, kept when a later asking fails, never an error."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from everup.catalogue.models import EVERY_S, WITHIN_S, Catalogue
from everup.net.client import Client
from everup.shapes.found import Facts
from everup.shapes.route import Caps
from everup.testing.clock import JumpLoop
from everup.testing.provider import ScriptedProvider
from tests.catalogue.conftest import Holding, Keyring, origin_of, provider
from tests.catalogue.listener import Listener
from tests.local.ollama_server import Held, ScriptedOllama

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


async def test_each_provider_is_asked_with_its_own_key(client: Client) -> None:
    """Every configured provider is asked below its base URL with its first usable key, the embedded one is not."""
    async with ScriptedProvider(models=("a", "b")) as one, ScriptedProvider(models=("c",)) as two:
        holder = Holding(
            provider("one", one.base_url, "spent", "good"),
            provider("two", two.base_url, "keyless", auth_header="x-key", auth_prefix=""),
            provider("embedded", "embedded:"),
        )
        catalogue = Catalogue(client, holder, Keyring(good="key-one", keyless=""), origin_of)
        assert catalogue.models_of("one") is None
        await catalogue.refresh()
        assert (("a", "b"), ("c",), None) == tuple(catalogue.models_of(name) for name in ("one", "two", "embedded"))
        assert ["/v1/models"] == [request.target for request in one.listings]
        assert ["key-one"] == [request.key for request in one.listings]
        assert ["", ""] == [two.listings[0].header(name) for name in ("authorization", "x-key")]
        assert [] == one.complaints + two.complaints


async def test_a_failed_asking_keeps_the_last_good_list(client: Client) -> None:
    """When a provider is down its list stays, the view says why it is old, and a later success replaces it."""
    async with ScriptedProvider(models=("a",)) as upstream:
        holder = Holding(provider("one", upstream.base_url))
        catalogue = Catalogue(client, holder, Keyring(one="key"), origin_of)
        await catalogue.refresh()
    await asyncio.sleep(100)
    await catalogue.refresh()
    assert ("a",) == catalogue.models_of("one")
    view = catalogue.view()["one"]
    assert (1, True) == (view["models"], bool(view["why"]))
    age_s = view["age_s"]
    assert isinstance(age_s, float)
    assert age_s >= 100
    upstream.models = ("b",)
    async with upstream:
        await catalogue.refresh()
    assert (("b",), "") == (catalogue.models_of("one"), catalogue.view()["one"]["why"])


async def test_another_address_forgets_the_list(client: Client) -> None:
    """A provider that moved or went away does not keep the list of its old address."""
    async with ScriptedProvider(models=("a",)) as upstream:
        holder = Holding(provider("one", upstream.base_url), provider("two", upstream.base_url))
        catalogue = Catalogue(client, holder, Keyring(one="key", two="key"), origin_of)
        await catalogue.refresh()
        holder.swap(provider("one", "http://127.0.0.1:9/v1"))
        await catalogue.refresh()
    assert (None, None) == (catalogue.models_of("one"), catalogue.models_of("two"))
    assert ["one"] == list(catalogue.view())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", "status 401"),
        (b"HTTP/1.1 302 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "status 302"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<htm>", "no list of models"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n", ""),
        (b"\x15\x03\x01", ""),
        (b"", ""),
    ],
)
async def test_no_answer_is_an_error(client: Client, answer: bytes, why: str) -> None:
    """Whatever a provider sends, or does not send, is a reason in the view and nothing else."""
    async with Listener(answer) as upstream:
        catalogue = Catalogue(client, Holding(provider("one", upstream.base_url)), Keyring(one="key"), origin_of)
        await catalogue.refresh()
    assert catalogue.models_of("one") is None
    assert why in str(catalogue.view()["one"]["why"])
    assert catalogue.view()["one"]["why"]


@pytest.mark.parametrize(
    ("base_url", "secrets", "why"),
    [
        ("ftp://x.test/v1", {"one": "key"}, "http://"),
        ("http://127.0.0.1:9/v1", {}, "one has no key"),
        ("http://127.0.0.1:9/v1", {"one": "schlüssel"}, "characters that no header may hold"),
        ("http://127.0.0.1:9/v1", {"one": "a\r\nb"}, "line break"),
        ("http://127.0.0.1:9/v1", {"one": "key"}, ""),
    ],
)
async def test_what_cannot_be_asked_is_a_reason(
    client: Client, base_url: str, secrets: dict[str, str], why: str
) -> None:
    """A bad address, a missing or impossible key and a closed port each give a reason without the key."""
    catalogue = Catalogue(client, Holding(provider("one", base_url)), Keyring(**secrets), origin_of)
    await catalogue.refresh()
    said = str(catalogue.view()["one"]["why"])
    assert why in said
    assert said
    assert not any(secret in said for secret in secrets.values() if len(secret) > 3)


async def test_a_silent_provider_is_given_up(client: Client) -> None:
    """A provider that never answers costs the bound and does not hold up the others."""
    async with Listener(None) as silent, ScriptedProvider(models=("a",)) as upstream:
        holder = Holding(provider("silent", silent.base_url), provider("one", upstream.base_url))
        catalogue = Catalogue(client, holder, Keyring(silent="key", one="key"), origin_of)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await catalogue.refresh()
        assert loop.time() - began <= WITHIN_S + 1
    assert ("a",) == catalogue.models_of("one")


async def test_refreshes_at_once_are_one(client: Client) -> None:
    """Who asks for a refresh while one is under way waits for that one, and may leave without ending it."""
    async with ScriptedProvider(models=("a",)) as upstream:
        catalogue = Catalogue(client, Holding(provider("one", upstream.base_url)), Keyring(one="key"), origin_of)
        tasks = [asyncio.create_task(catalogue.refresh()) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert 1 == len(upstream.listings)
    assert ("a",) == catalogue.models_of("one")


async def test_it_stays_fresh_by_itself(client: Client) -> None:
    """The lists are asked for at the start and every ten minutes."""
    async with ScriptedProvider(models=("a",)) as upstream:
        catalogue = Catalogue(client, Holding(provider("one", upstream.base_url)), Keyring(one="key"), origin_of)
        keeping = asyncio.create_task(catalogue.keep_fresh())
        await asyncio.sleep(2.5 * EVERY_S)
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await catalogue.close()
        assert 3 == len(upstream.listings)


async def test_anthropic_is_asked_in_its_own_way(client: Client) -> None:
    """Anthropic's list is asked for a thousand at once, with the key in its own header and the version beside it."""
    async with ScriptedProvider(models=("claude-haiku-5-5",)) as upstream:
        holder = Holding(
            provider("anthropic", upstream.base_url, "key", wire="anthropic"),
            provider("oauth", upstream.base_url, "token", wire="anthropic"),
        )
        keys = Keyring(key="sk-ant-api03-1", token="sk-ant-oat01-1")
        catalogue = Catalogue(client, holder, keys, origin_of)
        await catalogue.refresh()
        assert {"/v1/models?limit=1000"} == {request.target for request in upstream.listings}
        names = ("x-api-key", "authorization", "anthropic-beta", "anthropic-version")
        assert {
            ("sk-ant-api03-1", "", "", "2023-06-01"),
            ("", "Bearer sk-ant-oat01-1", "oauth-2025-04-20", "2023-06-01"),
        } == {tuple(request.header(name) for name in names) for request in upstream.listings}
    assert ("claude-haiku-5-5",) == catalogue.models_of("anthropic")


async def test_what_a_list_tells_is_known(client: Client) -> None:
    """A window that a provider's list tells is known of that model, and of no other."""
    body = b'{"data": [{"id": "claude-a", "max_input_tokens": 200000}, {"id": "claude-b"}], "has_more": false}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with Listener(answer) as upstream:
        holder = Holding(provider("anthropic", upstream.base_url, wire="anthropic"))
        catalogue = Catalogue(client, holder, Keyring(anthropic="key"), origin_of)
        assert catalogue.facts_of("anthropic", "claude-a") is None
        await catalogue.refresh()
    assert Facts(context_tokens_max=200000) == catalogue.facts_of("anthropic", "claude-a")
    assert catalogue.facts_of("anthropic", "claude-b") is None
    assert catalogue.facts_of("nobody", "claude-a") is None


async def test_an_ollama_is_asked_in_its_own_way(client: Client) -> None:
    """An Ollama's models come from its own list, what each can from itself, and both stay when it is down."""
    held = {"qwen3:4b": Held(capabilities=("completion", "tools")), "gemma3:latest": Held(window=131072)}
    async with ScriptedOllama(held) as ollama:
        holder = Holding(provider("box", ollama.base_url, wire="ollama"))
        catalogue = Catalogue(client, holder, Keyring(box=""), origin_of)
        await catalogue.refresh()
        assert ["/api/tags"] == [request.target for request in ollama.listings]
        assert [""] == [request.header("authorization") for request in ollama.listings]
        assert sorted(held) == sorted(request.model for request in ollama.shown)
    await catalogue.refresh()
    assert ("qwen3:4b", "gemma3:latest") == catalogue.models_of("box")
    expected = Facts(caps=Caps(tools=True, images=False, reasoning=False), context_tokens_max=40960, is_chat=True)
    assert expected == catalogue.facts_of("box", "qwen3:4b")
    gemma = catalogue.facts_of("box", "gemma3")
    assert gemma is not None
    assert 131072 == gemma.context_tokens_max


async def test_an_ollama_that_tells_nothing_of_its_models_is_listed(client: Client) -> None:
    """When an Ollama does not answer about its models in time, their names are known all the same."""
    async with ScriptedOllama({"a": Held(), "b": Held()}, silent=("a",)) as ollama:
        catalogue = Catalogue(
            client, Holding(provider("box", ollama.base_url, wire="ollama")), Keyring(box=""), origin_of
        )
        await catalogue.refresh()
    assert (("a", "b"), None) == (catalogue.models_of("box"), catalogue.facts_of("box", "a"))
    assert catalogue.facts_of("box", "b") is not None


async def test_a_list_that_names_other_things_is_not_asked_for(client: Client) -> None:
    """Azure's list names models, not a resource's deployments: it is not asked for, and the view says why."""
    async with ScriptedProvider(models=("gpt-5",)) as upstream:
        catalogue = Catalogue(client, Holding(provider("azure", upstream.base_url)), Keyring(azure="key"), origin_of)
        await catalogue.refresh()
        assert [] == upstream.listings
    assert catalogue.models_of("azure") is None
    assert "does not name what can be asked for" in str(catalogue.view()["azure"]["why"])
