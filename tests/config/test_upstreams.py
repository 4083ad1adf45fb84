"""Providers of each wire: their addresses, their ways, and what is said of a wrong one."""

from __future__ import annotations

import pytest

from everup.config.parse import Loaded, load
from everup.shapes.route import CacheMode
from everup.shapes.secret import SourceKind


def read(text: str) -> Loaded:
    """Return a text loaded as a file."""
    return load(text, "/etc/everup/everup.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[providers.azure]\n",
            (
                "error 1:1 providers.azure: `base_url` is missing: azure has another address for everyone, such as "
                "https://RESOURCE.openai.azure.com/openai/v1"
            ),
        ),
        (
            '[providers.azure]\nbase_url = "https://proxy.example/openai/v1"\n',
            "warning 1:1 providers.azure: asked without a key, for this is not azure's own address",
        ),
        (
            '[providers.azure]\nbase_url = "https://me.openai.azure.com.evil.example/openai/v1"\n',
            "warning 1:1 providers.azure: asked without a key",
        ),
        ('[providers.anthropic]\ncache = "on"\n', "error 2:1 providers.anthropic.cache: there are: auto, client"),
        (
            '[providers.anthropic]\nbase_url = "https://api.anthropic.com"\n',
            "warning 2:1 providers.anthropic.base_url: anthropic's usual address is https://api.anthropic.com/v1",
        ),
        (
            '[providers.x]\nwire = "anthropic"\nbase_url = "https://a.example/v1/messages"\n',
            "warning 3:1 providers.x.base_url: everup adds `/messages` itself: leave it out",
        ),
        (
            '[providers.x]\nwire = "anthropic"\nbase_url = "https://a.example"\n',
            (
                "warning 3:1 providers.x.base_url: no version in its path: "
                "servers that speak Anthropic's API usually answer at https://a.example/v1"
            ),
        ),
        (
            '[providers.ollama]\nbase_url = "http://10.0.0.7:11434/v1"\n',
            "warning 2:1 providers.ollama.base_url: taken without its `/v1`, for Ollama is asked by its own API",
        ),
        (
            '[providers.x]\nwire = "ollama"\nbase_url = "http://10.0.0.7:11434/api"\n',
            "warning 3:1 providers.x.base_url: taken without its `/api`",
        ),
        (
            '[providers.x]\nwire = "ollama"\nbase_url = "http://10.0.0.7:11434/api/chat"\n',
            "warning 3:1 providers.x.base_url: everup adds `/api/chat` itself: leave it out",
        ),
    ],
)
def test_a_doubtful_provider_is_told(text: str, expected: str) -> None:
    """An address or setting that does not fit its wire is named with its place and what would be right."""
    (problem,) = read(text).problems
    told = f"{problem.severity.value} {problem.line}:{problem.column} {problem.reason}"
    assert told.startswith(expected)


def test_an_ollama_is_asked_at_its_own_address() -> None:
    """Ollama's address is taken without `/v1` where it is asked by its own API, and as it is where it is not."""
    snapshot = read(
        """
        [providers.ollama]
        base_url = "http://10.0.0.7:11434/v1/"
        [providers.box]
        wire = "ollama"
        base_url = "http://10.0.0.8:11434"
        [providers.old]
        wire = "openai_chat"
        base_url = "http://10.0.0.9:11434/v1"
        """
    ).snapshot
    assert {
        "ollama": ("ollama", "http://10.0.0.7:11434", True),
        "box": ("ollama", "http://10.0.0.8:11434", True),
        "old": ("openai_chat", "http://10.0.0.9:11434/v1", False),
    } == {name: (each.wire, each.base_url, each.is_local) for name, each in snapshot.providers.items()}
    kinds = {each.profiles[0].source.kind for each in snapshot.providers.values()}
    assert {SourceKind.KEYLESS} == kinds


def test_anthropic_comes_with_its_ways() -> None:
    """A provider of Anthropic's wire sends its key and version as Anthropic wants, whatever its name is."""
    snapshot = read(
        """
        [providers.anthropic]
        [providers.mine]
        wire = "anthropic"
        base_url = "https://claude.example/v1"
        key = "env:MINE"
        cache = "client"
        [providers.proxy]
        wire = "anthropic"
        base_url = "https://proxy.example/v1"
        auth_header = "Authorization"
        auth_prefix = "Bearer "
        """
    ).snapshot
    ways = {name: (each.auth_header, each.auth_prefix, each.cache) for name, each in snapshot.providers.items()}
    assert {
        "anthropic": ("x-api-key", "", CacheMode.AUTO),
        "mine": ("x-api-key", "", CacheMode.CLIENT),
        "proxy": ("authorization", "Bearer ", CacheMode.AUTO),
    } == ways
    assert {(("anthropic-version", "2023-06-01"),)} == {each.headers for each in snapshot.providers.values()}
    assert "env:ANTHROPIC_API_KEY" == snapshot.providers["anthropic"].profiles[0].source.describe()


def test_azure_needs_its_address() -> None:
    """Azure named in a chain without an address costs that link alone, and what is missing is said with its form."""
    loaded = read('[routes.r]\ntry = ["groq/x", "azure/mine"]\n')
    assert ["groq/x"] == [str(ref) for ref in loaded.snapshot.routes["r"].chain]
    assert "https://RESOURCE.openai.azure.com/openai/v1" in loaded.problems[0].reason


@pytest.mark.parametrize("host", ["me.openai.azure.com", "me.services.ai.azure.com", "me.cognitiveservices.azure.com"])
def test_azure_is_asked_with_its_own_key(host: str) -> None:
    """At one of Azure's own hosts the key of its variable is used, in its header."""
    loaded = read(f'[providers.azure]\nbase_url = "https://{host}/openai/v1"\n')
    azure = loaded.snapshot.providers["azure"]
    assert () == loaded.problems
    assert ("api-key", "") == (azure.auth_header, azure.auth_prefix)
    assert "env:AZURE_OPENAI_API_KEY" == azure.profiles[0].source.describe()
