"""
Model servers found on this machine, by their OpenAI-compatible model list.

What must not live here: what is configured by name (that needs no finding) and requests to a model. Nothing but
loopback is ever asked. Called by `app` at a first run, again while nothing is found; each look is bounded.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct, structs

from everup.errors import TransportError
from everup.net.fetch import fetch
from everup.net.origin import make_origin
from everup.net.proxy import Proxies
from everup.providers.listing import BYTES_MAX, Listing, is_chat, read_listing
from everup.shapes.found import Found, FoundProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.local.embedded import Embedded
    from everup.net.client import Client

WITHIN_S = 1.0
OURS = "everup"
OLLAMA_VARIABLE = "OLLAMA_HOST"
ACCEPT = ((b"accept", b"application/json"),)
REFUSED = (401, 403)


class LocalServer(Struct, frozen=True):
    """One kind of server: its names, where it listens, what to do when it is empty."""

    name: str
    title: str
    port: int
    fill: str
    host: str = "127.0.0.1"

    @property
    def place(self) -> str:
        """Return host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


SERVERS = (
    LocalServer("ollama", "Ollama", 11434, "`ollama pull NAME`"),
    LocalServer("lmstudio", "LM Studio", 1234, "download a model in its window, or `lms get NAME`"),
    LocalServer("llamacpp", "llama.cpp", 8080, "start it with `llama-server -m FILE`"),
)


async def find_local(
    client: Client,
    embedded: Embedded,
    *,
    environ: Mapping[str, str],
    servers: tuple[LocalServer, ...] = SERVERS,
) -> Found:
    """Return all that is on this machine: servers, and the embedded model."""
    found, (model, note) = await asyncio.gather(
        find_servers(client, environ=environ, servers=servers), embedded.available()
    )
    return structs.replace(found, embedded_model=model, embedded_note=note)


async def find_servers(
    client: Client,
    *,
    environ: Mapping[str, str],
    servers: tuple[LocalServer, ...] = SERVERS,
    within_s: float = WITHIN_S,
) -> Found:
    """Return the servers that answer, and sentences about what else does."""
    placed, skipped = place_ollama(servers, environ.get(OLLAMA_VARIABLE, ""))
    looks = await asyncio.gather(*(look(client, server, within_s) for server in placed))
    skipped += [seen for seen in looks if isinstance(seen, str) and seen]
    return Found(providers=tuple(seen for seen in looks if isinstance(seen, FoundProvider)), skipped=tuple(skipped))


async def look(client: Client, server: LocalServer, within_s: float) -> FoundProvider | str:
    """Return the server found, a sentence about something else, or "" for nothing."""
    base_url = f"http://{server.place}/v1"
    origin, prefix = make_origin(base_url, is_local=True, proxies=Proxies())  # this machine is never proxied
    target = f"{prefix}/models".encode()
    try:
        head, body = await fetch(client, origin, target, ACCEPT, within_s=within_s, bytes_max=BYTES_MAX)
    except TransportError:
        return ""
    listing = read_listing(body) if head.status == 200 else None
    if listing is None:
        wants_key = f"; if it is {server.title} with a key, name it in a config file" if head.status in REFUSED else ""
        return f"what answers on {server.place} is no model server that can be used (status {head.status}){wants_key}"
    if OURS in listing.owners:
        return f"what answers on {server.place} is an everup, not {server.title}: left alone"
    return describe(server, base_url, listing)


def describe(server: LocalServer, base_url: str, listing: Listing) -> FoundProvider:
    """Return a found server with the model chosen: the first that answers chats."""
    model = next((name for name in listing.models if is_chat(name)), "")
    count = f"{len(listing.models)} model{'' if len(listing.models) == 1 else 's'}"
    note = count if model else f"{count}, none that answers chats: {server.fill}"
    return FoundProvider(
        name=server.name, base_url=base_url, is_local=True, models=listing.models, model=model, note=note
    )


def place_ollama(servers: tuple[LocalServer, ...], setting: str) -> tuple[tuple[LocalServer, ...], list[str]]:
    """Return the table with Ollama where OLLAMA_HOST puts it, and what to say."""
    if not setting.strip():
        return servers, []
    try:
        parts = urlsplit(setting.strip() if "://" in setting else f"//{setting.strip()}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return servers, [f"{OLLAMA_VARIABLE} is no address; Ollama is looked for at its usual place"]
    if not (address := loopback_of(host)):
        return servers, [f"{OLLAMA_VARIABLE} names {host}, not this machine: name it in a config file to use it"]
    moved = tuple(
        LocalServer(row.name, row.title, port or row.port, row.fill, address) if row.name == "ollama" else row
        for row in servers
    )
    return moved, []


def loopback_of(host: str) -> str:
    """Return the loopback address a host stands for, "" for another machine."""
    if host in {"", "localhost"}:
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if address.is_unspecified:
        return "127.0.0.1"
    return str(address) if address.is_loopback else ""
