"""
Asking one provider for its models.

Lives here: the requests, and every way they can end, as a value. The key goes to the provider's configured origin
and nowhere else. Called by `models` and `first_run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from everup.errors import TransportError
from everup.net.fetch import fetch, fetch_each
from everup.providers.auth import auth_headers
from everup.providers.known import KNOWN
from everup.providers.listing import BYTES_MAX, LIST_TARGETS, Listing, read_models
from everup.providers.ollama import SHOW, SHOWN_AT_ONCE_MAX, SHOWN_MAX, read_shows, show_body
from everup.shapes.found import Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.net.client import Client
    from everup.net.origin import Origin
    from everup.shapes.route import Provider
    from everup.shapes.secret import Secret

    OriginOf = Callable[[str, str, bool], tuple[Origin, str]]
    """Base URL, CA file, whether it is local -> origin and path prefix; ValueError says what is wrong with it."""

    Headers = tuple[tuple[bytes, bytes], ...]


class Told(Struct, frozen=True, kw_only=True):
    """
    What a provider told: its models, and what it said of them.

    None with the reason in `why`.
    """

    models: tuple[str, ...] | None = None
    facts: dict[str, Facts] = {}
    status: int = 0
    why: str = ""


async def ask_models(
    client: Client, origin_of: OriginOf, provider: Provider, secret: Secret | None, *, within_s: float
) -> Told:
    """Return what the provider told; never raises for what it or the key is."""
    try:
        origin, prefix = origin_of(provider.base_url, provider.ca_file, provider.is_local)
        target = f"{prefix}{LIST_TARGETS[provider.wire]}".encode("ascii")
        headers = headers_of(provider, secret)
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
    listing = read_models(provider.wire, body, row.list_prefix if row else "")
    if listing is None:
        return Told(status=200, why="what it sends is no list of models")
    facts = listing.facts
    if provider.wire == "ollama":
        facts = await ask_facts(client, origin, f"{prefix}{SHOW}".encode("ascii"), headers, listing, within_s)
    return Told(status=200, models=listing.models, facts=facts)


async def ask_facts(
    client: Client, origin: Origin, target: bytes, headers: Headers, listing: Listing, within_s: float
) -> dict[str, Facts]:
    """Return what an Ollama tells of the first of its models, within a bound."""
    names = listing.models[:SHOWN_MAX]
    answers = await fetch_each(
        client,
        origin,
        target,
        (*headers, (b"content-type", b"application/json")),
        [show_body(name) for name in names],
        at_once_max=SHOWN_AT_ONCE_MAX,
        within_s=within_s,
        bytes_max=BYTES_MAX,
    )
    return read_shows(names, answers)


def headers_of(provider: Provider, secret: Secret | None) -> Headers:
    """Return the request's headers; UnicodeEncodeError when one cannot be sent."""
    pairs = [("accept", "application/json"), *auth_headers(provider, "" if secret is None else secret.reveal())]
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in pairs)
