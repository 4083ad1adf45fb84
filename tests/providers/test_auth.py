"""How a key travels."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from everup.providers.auth import auth_headers
from everup.providers.known import KNOWN, row_of
from everup.shapes.route import Provider

VERSION = ("anthropic-version", "2023-06-01")
BETA = ("anthropic-beta", "oauth-2025-04-20")


def provider(name: str, wire: str) -> Provider:
    """Return a provider with what is known of it."""
    row = row_of(name, wire)
    return Provider(
        name=name,
        wire=wire,
        base_url="https://x.test/v1",
        auth_header=row.auth_header,
        auth_prefix=row.auth_prefix,
        headers=row.headers,
    )


@pytest.mark.parametrize(
    ("name", "wire", "secret", "expected"),
    [
        ("openai", "openai_chat", "sk-1", (("authorization", "Bearer sk-1"),)),
        ("azure", "openai_chat", "k", (("api-key", "k"),)),
        ("anthropic", "anthropic", "sk-ant-api03-1", (("x-api-key", "sk-ant-api03-1"), VERSION)),
        ("anthropic", "anthropic", "sk-ant-oat01-1", (("authorization", "Bearer sk-ant-oat01-1"), BETA, VERSION)),
        ("mine", "anthropic", "k", (("x-api-key", "k"), VERSION)),
        ("mine", "anthropic", "", (VERSION,)),
        ("deepseek", "anthropic", "k", (("x-api-key", "k"), VERSION)),
        ("anthropic", "openai_chat", "sk-ant-oat01-1", (("authorization", "Bearer sk-ant-oat01-1"),)),
        ("ollama", "ollama", "", ()),
        ("ollama", "ollama", "k", (("authorization", "Bearer k"),)),
    ],
)
def test_a_key_travels_as_its_provider_wants(
    name: str, wire: str, secret: str, expected: tuple[tuple[str, str], ...]
) -> None:
    """Header and prefix are the provider's, an Anthropic OAuth token is a bearer's, and no secret is no header."""
    assert expected == auth_headers(provider(name, wire), secret)


def test_a_configured_header_wins() -> None:
    """Where config names another header for the key, an OAuth token goes there as any key does."""
    own = replace(provider("anthropic", "anthropic"), auth_header="x-proxy-key")
    assert (("x-proxy-key", "sk-ant-oat01-1"), VERSION) == auth_headers(own, "sk-ant-oat01-1")


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_known_provider_is_its_row(name: str) -> None:
    """A provider that speaks the wire of its row is that row."""
    assert KNOWN[name] is row_of(name, KNOWN[name].wire)


def test_a_provider_of_another_wire_keeps_what_is_its_own() -> None:
    """Of a known provider on another wire the key's variable stays, and capabilities and quirks are unknown."""
    row = row_of("mistral", "anthropic")
    assert ("MISTRAL_API_KEY", frozenset()) == (row.key_env, row.quirks)
    assert row_of("box", "ollama").is_local
    assert not row_of("box", "anthropic").is_local
