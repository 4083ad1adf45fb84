"""
Asking one provider for its models.

Lives here: the one request, and every way it can end, as a value. The key goes to the provider's configured origin
and nowhere else. Called by `models` and `first_run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from everup.errors import TransportError
from everup.net.fetch import fetch
from everup.providers.known import KNOWN
from everup.providers.listing import BYTES_MAX, read_listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.net.client import Client
    from everup.net.origin import Origin
    from everup.shapes.route import Provider
    from everup.shapes.secret import Secret

    OriginOf = Callable[[str, str, bool], tuple[Origin, str]]
    """Base URL, CA file, whether it is local -> origin and path prefix; ValueError says what is wrong with it."""


class Told(Struct, frozen=True, kw_only=True):
    """What a provider told: its models, or None with the reason in `why`."""

    models: tuple[str, ...] | None = None
    status: int = 0
    why: str = ""


async def ask_models(
    client: Client, origin_of: OriginOf, provider: Provider, secret: Secret | None, *, within_s: float
) -> Told:
    """Return what the provider told; never raises for what it or the key is."""
    try:
        origin, prefix = origin_of(provider.base_url, provider.ca_file, provider.is_local)
        target, headers = f"{prefix}/models".encode("ascii"), headers_of(provider, secret)
    except UnicodeEncodeError:
        return Told(why="the key or a header holds characters that no header may hold")
    except ValueError as error:
        return Told(why=str(error))
    try:
        head, body = await fetch(client, origin, target, headers, within_s=within_s, bytes_max=BYTES_MAX)
    except TransportError as error:
        return Told(why=error.message)
    if head.status != 200:
        return Told(status=head.status, why=f"its model list answers with status {head.status}")
    row = KNOWN.get(provider.name)
    listing = read_listing(body, row.list_prefix if row else "")
    if listing is None:
        return Told(status=200, why="what it sends is no list of models")
    return Told(status=200, models=listing.models)


def headers_of(provider: Provider, secret: Secret | None) -> tuple[tuple[bytes, bytes], ...]:
    """Return the request's headers; UnicodeEncodeError when one cannot be sent."""
    pairs = [("accept", "application/json"), *provider.headers]
    if secret is not None:
        pairs.append((provider.auth_header, provider.auth_prefix + secret.reveal()))
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in pairs)
