"""
Model servers found on this machine.

Ollama by its own list of models, the others by OpenAI's. What must not live here: what is configured by name (that
needs no finding) and requests to a model. Nothing but loopback is ever asked, nothing is ever pulled. Called by
`app` at a first run, again while nothing is found; each look is bounded.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct, structs

from everup.errors import TransportError
from everup.net.fetch import fetch, fetch_each
from everup.net.origin import make_origin
from everup.net.proxy import Proxies
from everup.providers.listing import BYTES_MAX, LIST_TARGETS, Listing, is_chat, read_listing
from everup.providers.ollama import SHOW, SHOWN_AT_ONCE_MAX, SHOWN_MAX, Tag, read_shows, read_tags, show_body
from everup.shapes.found import Facts, Found, FoundProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.local.embedded import Embedded
    from everup.net.client import Client
    from everup.net.origin import Origin

WITHIN_S = 1.0
SHOWN_WITHIN_S = 1.5
"""For all that an Ollama is asked about its models."""
OURS = "everup"
OLLAMA_VARIABLE = "OLLAMA_HOST"
ACCEPT = ((b"accept", b"application/json"),)
SENDS = (*ACCEPT, (b"content-type", b"application/json"))
REFUSED = (401, 403)


class LocalServer(Struct, frozen=True):
    """One kind of server: its names, where it listens, what to do when it is empty."""

    name: str
    title: str
    port: int
    fill: str
    host: str = "127.0.0.1"
    wire: str = "openai_chat"

    @property
    def place(self) -> str:
        """Return host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """Return the base URL for its wire."""
        return f"http://{self.place}{'' if self.wire == 'ollama' else '/v1'}"


SERVERS = (
    LocalServer("ollama", "Ollama", 11434, "`ollama pull NAME`", wire="ollama"),
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
    seen, (model, note) = await asyncio.gather(
        find_servers(client, environ=environ, servers=servers), embedded.available()
    )
    return structs.replace(seen, embedded_model=model, embedded_note=note)


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
    origin, prefix = make_origin(server.base_url, is_local=True, proxies=Proxies())  # this machine is never proxied
    target = f"{prefix}{LIST_TARGETS[server.wire]}".encode()
    try:
        head, body = await fetch(client, origin, target, ACCEPT, within_s=within_s, bytes_max=BYTES_MAX)
    except TransportError:
        return ""
    if server.wire == "ollama":
        tags = read_tags(body) if head.status == 200 else None
        return unusable(server, head.status) if tags is None else await describe_ollama(client, origin, server, tags)
    listing = read_listing(body) if head.status == 200 else None
    if listing is None:
        return unusable(server, head.status)
    if OURS in listing.owners:
        return f"what answers on {server.place} is an everup, not {server.title}: left alone"
    return describe(server, listing)


def unusable(server: LocalServer, status: int) -> str:
    """Return the sentence about something that is not the server it was taken for."""
    what = f"no {server.title}" if server.wire == "ollama" else "no model server"
    wants_key = f"; if it is {server.title} with a key, name it in a config file" if status in REFUSED else ""
    return f"what answers on {server.place} is {what} that can be used (status {status}){wants_key}"


def describe(server: LocalServer, listing: Listing) -> FoundProvider:
    """Return a found server with the model chosen: the first that answers chats."""
    model = next((name for name in listing.models if is_chat(name)), "")
    return found(server, listing.models, model, listing.facts)


async def describe_ollama(client: Client, origin: Origin, server: LocalServer, tags: tuple[Tag, ...]) -> FoundProvider:
    """
    Return a found Ollama with what it tells of its models, and the model chosen.

    That is the first that answers chats on this machine; one that ollama.com answers for only if there is no other.
    """
    names = [tag.name for tag in tags[:SHOWN_MAX]]
    answers = await fetch_each(
        client,
        origin,
        SHOW.encode(),
        SENDS,
        [show_body(name) for name in names],
        at_once_max=SHOWN_AT_ONCE_MAX,
        within_s=SHOWN_WITHIN_S,
        bytes_max=BYTES_MAX,
    )
    facts = read_shows(names, answers)
    able = sorted((tag for tag in tags if is_chat(tag.name, facts.get(tag.name))), key=lambda tag: tag.is_remote)
    more = ""
    if able and able[0].is_remote:
        more = ", this one answered by ollama.com"
    elif able and able[0].size_bytes:
        more = f", this one of {able[0].size_bytes / 1e9:.1f} GB"
    return found(server, tuple(tag.name for tag in tags), able[0].name if able else "", facts, more)


def found(
    server: LocalServer, models: tuple[str, ...], model: str, facts: dict[str, Facts], more: str = ""
) -> FoundProvider:
    """Return a found server; without a model its note says how to get one."""
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    note = f"{count}{more}" if model else f"{count}, none that answers chats: {server.fill}"
    return FoundProvider(
        name=server.name,
        base_url=server.base_url,
        is_local=True,
        models=models,
        model=model,
        note=note,
        facts=facts,
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
        structs.replace(row, port=port or row.port, host=address) if row.name == "ollama" else row for row in servers
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
