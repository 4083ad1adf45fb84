"""
`everup models`: what clients may ask for.

What must not live here: deciding what that is; the running gateway knows. Without one, the config file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from everup.cli import place
from everup.cli.exits import Ended, Exit
from everup.cli.options import JSON, URL
from everup.cli.screen import say, show_json, show_table, tell

if TYPE_CHECKING:
    from everup.shapes.snapshot import Snapshot


@click.command()
@JSON
@URL
def models(*, as_json: bool, url: str) -> None:
    """
    List the routes and models that clients may ask for.

    Without a running gateway: those of the config file, and exit code 3.

    Example: everup models --json
    """
    from everup.cli.gateway import find_gateway, get_json

    try:
        listing = get_json(find_gateway(url), "/v1/models")
    except Ended as end:
        loaded = place.read_config(place.config_path())
        if end.code is not Exit.NOT_RUNNING or loaded is None:
            raise
        tell(f"everup: {end.message}\nThis is what the config file has:")
        show(configured(loaded.snapshot), as_json=as_json)
        raise Ended(Exit.NOT_RUNNING) from None
    show(listing.get("data", []) if isinstance(listing, dict) else [], as_json=as_json)


def show(entries: list[dict[str, Any]], *, as_json: bool) -> None:
    """The list stands on stdout."""
    if as_json:
        show_json(entries)
    elif entries:
        show_table(("MODEL", "BY"), [(str(entry.get("id", "")), str(entry.get("owned_by", ""))) for entry in entries])
    else:
        say("There is no model yet: `everup status` says what is missing.")


def configured(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the routes of a config file, then every model it names."""
    named = dict.fromkeys(ref for route in snapshot.routes.values() for ref in route.chain)
    named.update(dict.fromkeys(model.ref for model in snapshot.models.values()))
    routes = [{"id": name, "object": "model", "owned_by": "everup"} for name in snapshot.routes]
    return routes + [{"id": str(ref), "object": "model", "owned_by": ref.provider} for ref in named]
