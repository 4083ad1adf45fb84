"""
`everup keys`: the keys that let clients in.

What must not live here: making, keeping or checking a key (see `credentials`). A new key is printed once; only
its digest is kept.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from everup.cli import place
from everup.cli.exits import Ended, Exit
from everup.cli.options import JSON
from everup.cli.screen import say, show_json, show_table, tell
from everup.errors import ConfigError

if TYPE_CHECKING:
    from everup.shapes.route import Route
    from everup.shapes.snapshot import Client, Snapshot

IN_FORCE = "A running gateway knows it within 1 s."


@click.group()
def keys() -> None:
    """Make, list and revoke clients' keys."""


@keys.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Let it also read the gateway's state (/status).")
@click.option(
    "--route", "routes", metavar="ROUTE", multiple=True, help="A route it may use; again for more. Default: all."
)
def new(name: str, *, admin: bool, routes: tuple[str, ...]) -> None:
    """
    Make a key for a client and print it once.

    Example: everup keys new laptop --route default
    """
    from everup.credentials.clients import add_client
    from everup.shapes.snapshot import ClientScope

    scopes = (ClientScope.ADMIN,) if admin else ()
    known = configured_routes()
    for route in routes:
        if known and route not in known:
            tell(f"The config file has no route {route}: until it has, this key cannot use it.")
    key = add_client(place.home(), name, now_unix_s=time.time(), scopes=scopes, routes=routes)
    tell(f"The key of {name} follows; it is not shown again. {IN_FORCE}")
    say(key.reveal())


@keys.command("list")
@JSON
def list_keys(*, as_json: bool) -> None:
    """
    List the clients that have a key.

    Example: everup keys list
    """
    rows, is_whole = listed()
    if as_json:
        show_json(rows)
    elif rows:
        cells = [
            (row["name"], ", ".join(row["scopes"]), ", ".join(row["routes"]) or "all", row["made"]) for row in rows
        ]
        show_table(("CLIENT", "SCOPES", "ROUTES", "MADE"), cells)
    elif is_whole:
        say("There is no client but yourself, with everup's own key.")
    if not is_whole:
        raise Ended(Exit.FAILED)


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """
    Revoke a client's key.

    Its requests are refused, and its open answers end, within 1 s.

    Example: everup keys revoke laptop
    """
    from everup.credentials.clients import revoke_client

    revoke_client(place.home(), name, digest_to_revoke(name))
    say(f"The key of {name} is revoked; a running gateway refuses it within 1 s.")


def listed() -> tuple[list[dict[str, Any]], bool]:
    """Return all clients, and whether the home's file could be read whole."""
    from everup.credentials.clients import read_clients

    stored = read_clients(place.home())
    for problem in stored.problems:
        tell(problem)
    rows = [
        as_row(client, datetime.fromtimestamp(stored.created_unix_s.get(name, 0), UTC).date().isoformat())
        for name, client in stored.clients.items()
    ]
    rows += [as_row(client, "in the config file") for client in configured().values()]
    return rows, not stored.problems


def as_row(client: Client, made: str) -> dict[str, Any]:
    """Return what may be known of a client; its digest stays out."""
    return {"name": client.name, "scopes": sorted(client.scopes), "routes": sorted(client.routes), "made": made}


def configured() -> dict[str, Client]:
    """Return the clients of the config file."""
    snapshot = snapshot_in_file()
    return snapshot.clients if snapshot else {}


def configured_routes() -> dict[str, Route]:
    """Return the routes of the config file."""
    snapshot = snapshot_in_file()
    return snapshot.routes if snapshot else {}


def snapshot_in_file() -> Snapshot | None:
    """Return what the config file says; one that cannot be used is told, and None."""
    try:
        loaded = place.read_config(place.config_path())
    except ConfigError as error:
        tell(str(error))
        return None
    return loaded.snapshot if loaded else None


def digest_to_revoke(name: str) -> str:
    """Return the digest of the config file's client, "" where the home has the name."""
    from everup.credentials.clients import digest_of, read_clients
    from everup.credentials.sources import resolve
    from everup.disk.read import read_file

    if name in read_clients(place.home()).clients:
        return ""
    client = configured().get(name)
    if client is None or client.source is None:
        return client.digest if client else ""
    return digest_of(resolve(client.source, os.environ, read_file))
