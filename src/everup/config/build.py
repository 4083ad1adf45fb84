"""
A document (nested tables, from TOML or from a first run) to a snapshot.

What must not live here: text and positions (see `parse`). Every fault is reported; each switches off only the
entry it is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.config.callers import build_client, build_limits, build_server
from everup.config.schema import Root, Table
from everup.config.tables import read_settings
from everup.config.upstreams import build_model, build_provider
from everup.config.ways import build_aliases, build_route
from everup.config.words import read_ref
from everup.providers.known import KNOWN
from everup.shapes.snapshot import Client, Snapshot

if TYPE_CHECKING:
    from everup.config.problem import Report
    from everup.shapes.route import Model, Provider, Route


def build_snapshot(document: Table, report: Report, *, sha256: str = "") -> Snapshot:
    """Return everything good in a document; what is not stands in the report."""
    values, _ = read_settings(Root, document, (), report)
    root = Root(**values)  # type: ignore[arg-type]  # read_settings checked each
    providers = build_providers(root, report)
    routes = build_routes(root.routes, providers, report)
    return Snapshot(
        sha256=sha256,
        source=report.source,
        server=build_server(root.server, report),
        limits=build_limits(root.limits, report),
        providers=providers,
        models=build_models(root.models, providers, report),
        routes=routes,
        aliases=build_aliases(root.aliases, routes, providers, report),
        clients=build_clients(root.clients, routes, providers, report),
    )


def build_providers(root: Root, report: Report) -> dict[str, Provider]:
    """Return the providers of the file and the known ones that it mentions."""
    found = {}
    for name, raw in {**root.providers, **mentioned(root)}.items():
        provider = build_provider(name, raw, ("providers", name), report)
        if provider is not None:
            found[name] = provider
    return found


def mentioned(root: Root) -> Table:
    """Return an empty table for each known provider used without one."""
    texts: list[object] = [*root.models, *root.aliases.values()]
    for route in root.routes.values():
        chain = route.get("try") if isinstance(route, dict) else None
        texts += chain if isinstance(chain, list) else []
    refs = [read_ref(text) for text in texts if isinstance(text, str)]
    # A table that is there but wrong stays off: its key must not go to an address it was not meant for.
    names = {ref.provider for ref in refs if ref} & KNOWN.keys() - root.providers.keys()
    return {name: {} for name in KNOWN if name in names}


def build_models(raw: Table, providers: dict[str, Provider], report: Report) -> dict[str, Model]:
    """Return the models of the file by `provider/model`."""
    found = {}
    for name, table in raw.items():
        model = build_model(name, table, providers, ("models", name), report)
        if model is not None:
            found[name] = model
    return found


def build_routes(raw: Table, providers: dict[str, Provider], report: Report) -> dict[str, Route]:
    """Return the routes of the file by name."""
    found = {}
    for name, table in raw.items():
        route = build_route(name, table, providers, raw, report)
        if route is not None:
            found[name] = route
    return found


def build_clients(
    raw: Table, routes: dict[str, Route], providers: dict[str, Provider], report: Report
) -> dict[str, Client]:
    """
    Return the clients of the file by name.

    Of two with the same key only the first.
    """
    found: dict[str, Client] = {}
    digests: set[str] = set()
    for name, table in raw.items():
        client = build_client(name, table, routes, providers, report)
        if client is None:
            continue
        if client.digest and client.digest in digests:
            report.error(("clients", name, "key"), "another client has the same key; this one is off")
            continue
        digests.add(client.digest)
        found[name] = client
    return found
