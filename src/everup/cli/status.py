"""
`everup status`: each candidate, whether it is ready, and why not.

What must not live here: judging health; the running gateway knows. Without one, the config file is read and
nothing is locked, migrated or created.
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

HEAD = ("CANDIDATE", "PROFILE", "STATE", "WHY", "UNTIL", "LAST", "REQUESTS", "FAILED")
DAY_S = 86_400
FOUND = "found on this machine"
"""What a first run gives as its source."""


@click.command()
@JSON
@URL
def status(*, as_json: bool, url: str) -> None:
    """
    Show the routes and the state of each candidate.

    A candidate is ready, cooling (why, how long), failing, or still unused. Without a running gateway: what the
    config file has, and exit code 3.

    Example: everup status
    """
    from everup.cli.gateway import find_gateway, get_json

    try:
        view = get_json(find_gateway(url), "/status")
    except Ended as end:
        if end.code is not Exit.NOT_RUNNING:
            raise
        show_files(end, as_json=as_json)
        raise Ended(Exit.NOT_RUNNING) from None
    if as_json:
        show_json(view)
    else:
        show_view(view if isinstance(view, dict) else {})


def origin(source: object) -> str:
    """Return where the configuration is from, in words."""
    return str(source) if source == FOUND else f"configured by {source}"


def show_view(view: dict[str, Any]) -> None:
    """The gateway's view stands on stdout, its warnings first on stderr."""
    config = as_table(view.get("config"))
    for warning in as_list(config.get("warnings")):
        tell(str(warning))
    since = span(view.get("uptime_s"))
    say(
        f"everup {view.get('version', '?')} at {view.get('url', '?')}, up for {since}, "
        f"{view.get('requests_open', 0)} open, {origin(config.get('source', '?'))}"
    )
    if routes := [(name, ", then ".join(map(str, as_list(chain))) or "-") for name, chain in routes_of(view)]:
        say("")
        show_table(("ROUTE", "ANSWERED BY"), routes)
    say("")
    candidates = [as_table(each) for each in as_list(view.get("candidates"))]
    if candidates:
        show_table(HEAD, [candidate_row(each) for each in candidates])
        for each in candidates:
            if ":" in (why := str(each.get("why") or "")):
                say(f"{each.get('candidate', '')} ({each.get('profile', '')}): {why}")
    elif config.get("source") == FOUND:
        say("There is no candidate yet: set a provider's key, start a local server, or run `everup local get`.")
    else:
        say("There is no candidate: the configuration has no route with a model. `everup config check` says more.")
    embedded = as_table(view.get("embedded"))
    if embedded.get("model") or embedded.get("cause"):
        say(embedded_line(embedded))


def candidate_row(each: dict[str, Any]) -> tuple[str, ...]:
    """Return one candidate as a row, blank where nothing is known."""
    until = each.get("until_s")
    last = each.get("last_ms")
    return (
        str(each.get("candidate", "")),
        str(each.get("profile", "")),
        str(each.get("state", "")),
        str(each.get("why") or "").partition(":")[0],
        f"in {span(until)}" if isinstance(until, int | float) else "",
        f"{last} ms" if isinstance(last, int | float) else "",
        str(each.get("requests", 0)),
        str(each.get("failures", 0)),
    )


def span(seconds: object) -> str:
    """Return a length of time in words, by its two largest units."""
    if not isinstance(seconds, int | float):
        return "?"
    rest = int(seconds)
    parts: list[str] = []
    for name, size_s in (("d", DAY_S), ("h", 3600), ("min", 60), ("s", 1)):
        number, rest = divmod(rest, size_s)
        if number or (name == "s" and not parts):
            parts.append(f"{number} {name}")
    return " ".join(parts[:2])


def embedded_line(embedded: dict[str, Any]) -> str:
    """Return how the embedded model is, with the cause and the fix when it is down."""
    state = embedded.get("state", "?")
    told = "off, it starts when first needed" if state == "off" else state
    words = f"embedded model {embedded.get('model') or '(none)'}: {told}"
    return "; ".join(filter(None, (words, str(embedded.get("cause") or ""), str(embedded.get("fix") or ""))))


def show_files(end: Ended, *, as_json: bool) -> None:
    """The config file's candidates are shown, the lack of a gateway told."""
    path = place.config_path()
    loaded = place.read_config(path)
    rows = configured(loaded.snapshot) if loaded else []
    if as_json:
        return show_json(
            {"running": False, "why": end.message, "config": str(path) if loaded else "", "candidates": rows}
        )
    tell(f"everup: {end.message}")
    if loaded is None:
        return tell(f"There is no config file ({path}): `everup run` uses what it finds on this machine.")
    tell(f"This is what {path} has:")
    return show_table(
        ("CANDIDATE", "PROFILE", "ROUTES"),
        [(row["candidate"], row["profile"], ", ".join(row["routes"]) or "-") for row in rows],
    )


def configured(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return a config file's candidates: each routed model with each profile."""
    routes: dict[str, list[str]] = {}
    for name, route in snapshot.routes.items():
        for ref in route.chain:
            routes.setdefault(str(ref), []).append(name)
    return [
        {"candidate": candidate, "profile": profile.id, "routes": names}
        for candidate, names in routes.items()
        if (provider := snapshot.providers.get(candidate.partition("/")[0]))
        for profile in provider.profiles
    ]


def routes_of(view: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return name and chain of each route of the gateway's view."""
    return list(as_table(view.get("routes")).items())


def as_table(value: object) -> dict[str, Any]:
    """Return a JSON object, an empty one for anything else (another version's)."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return a JSON array, an empty one for anything else."""
    return value if isinstance(value, list) else []
