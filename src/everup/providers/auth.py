"""
How a key travels: the headers of a request to a provider.

What must not live here: keeping or resolving keys. Called by the engine and the catalogue, so that what is listed
and what is asked go in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from everup.shapes.route import Provider

Headers = tuple[tuple[str, str], ...]


class Token(Struct, frozen=True, kw_only=True):
    """
    A kind of secret that travels otherwise than its provider's keys.

    It is told by how it begins.
    """

    wire: str
    begins: str
    instead_of: str
    """The header its provider's keys are in; where config names another one, config decides."""
    auth_header: str
    auth_prefix: str
    headers: Headers


TOKENS = (
    # Anthropic's OAuth access tokens are refused as x-api-key.
    Token(
        wire="anthropic",
        begins="sk-ant-oat",
        instead_of="x-api-key",
        auth_header="authorization",
        auth_prefix="Bearer ",
        headers=(("anthropic-beta", "oauth-2025-04-20"),),
    ),
)


def auth_headers(provider: Provider, secret: str) -> Headers:
    """
    Return the headers that carry a secret ("" for none).

    Behind them those that the provider wants with every request.
    """
    if not secret:
        return provider.headers
    for token in TOKENS:
        is_kind = provider.wire == token.wire and provider.auth_header == token.instead_of
        if is_kind and secret.startswith(token.begins):
            return ((token.auth_header, token.auth_prefix + secret), *token.headers, *provider.headers)
    return ((provider.auth_header, provider.auth_prefix + secret), *provider.headers)
