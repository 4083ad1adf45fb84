"""
Server settings, limits and clients: tables to shapes.

What must not live here: checking a key (see `surfaces`), opening a socket. Called by `build`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from everup.config.problem import Report, Where, nearest, printable
from everup.config.schema import COUNT_MAX, ZERO_ALLOWED, ClientTable, ServerTable
from everup.config.tables import fault_of, read_table, word_for
from everup.config.words import key_fault, name_fault, read_key
from everup.shapes.limits import Limits
from everup.shapes.secret import SourceKind
from everup.shapes.snapshot import Client, ClientScope, ServerSettings

if TYPE_CHECKING:
    from everup.shapes.route import Provider, Route

DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
KEY_CHARS_MIN = 16


def build_server(raw: object, report: Report) -> ServerSettings:
    """
    Return the server's settings.

    All defaults (loopback) when any is wrong, so that nothing opens by accident.
    """
    where: Where = ("server",)
    table = read_table(ServerTable, raw, where, report)
    if table is None:
        return ServerSettings()
    faults = list(server_faults(table))
    for key, reason in faults:
        report.error((*where, *key), reason)
    if faults:
        return ServerSettings()
    return ServerSettings(
        host=table.host.strip("[]"),
        port=table.port,
        hosts=tuple(host.lower() for host in table.hosts),
        origins=tuple(table.origins),
        tls_cert=table.tls_cert,
        tls_key=table.tls_key,
        unix_socket=table.unix_socket,
    )


def server_faults(table: ServerTable) -> list[tuple[Where, str]]:
    """Return setting and reason for everything wrong with the server's settings."""
    found: list[tuple[Where, str]] = []
    if not HOST.fullmatch(table.host.strip("[]")):
        found.append((("host",), "this is no address or host name to listen on"))
    found += [
        (("hosts", n), "a host name without scheme, port and path is meant")
        for n, host in enumerate(table.hosts)
        if not HOST.fullmatch(host) or ":" in host
    ]
    found += [
        (("origins", n), "an origin is exactly `scheme://host[:port]`, without a path; `*` is not allowed")
        for n, origin in enumerate(table.origins)
        if not is_origin(origin)
    ]
    if bool(table.tls_cert) != bool(table.tls_key):
        given = "tls_cert" if table.tls_cert else "tls_key"
        found.append(((given,), "`tls_cert` and `tls_key` go together"))
    return found


def is_origin(text: str) -> bool:
    """Return whether a text is an exact web origin."""
    try:
        parts = urlsplit(text)
        return (
            bool(parts.hostname)
            and text == f"{parts.scheme}://{parts.netloc}"
            and "@" not in text
            and (parts.scheme in {"http", "https"} and "*" not in text and parts.port != 0)
        )
    except ValueError:
        return False


def build_limits(raw: object, report: Report) -> Limits:
    """Return the limits: those that are well set, the defaults for the rest."""
    where: Where = ("limits",)
    if not isinstance(raw, dict):
        report.error(where, f"expected a table, got {word_for(raw)}")
        return Limits()
    fields = {field.name: field for field in msgspec.structs.fields(Limits)}
    values: dict[str, float] = {}
    for key, value in raw.items():
        if key not in fields:
            report.warn((*where, key), f"unknown limit, ignored{nearest(key, fields)}")
        elif reason := limit_fault(key, value, fields[key].type):
            report.error((*where, key), f"{reason}; the default is used")
        else:
            values[key] = msgspec.convert(value, fields[key].type)
    return Limits(**values)  # type: ignore[arg-type]  # checked field by field above


def limit_fault(name: str, value: object, kind: object) -> str:
    """Return why a limit cannot have this value; nothing if it can."""
    if reason := fault_of(value, kind):
        return reason
    number = float(value) if isinstance(value, int | float) else -1.0
    if not 0 <= number <= COUNT_MAX or (number == 0 and name not in ZERO_ALLOWED):
        return f"expected a number {'from' if name in ZERO_ALLOWED else 'above'} 0 to {COUNT_MAX:,}"
    return ""


def build_client(
    name: str, raw: object, routes: dict[str, Route], providers: dict[str, Provider], report: Report
) -> Client | None:
    """Return one client, or None after reporting why it is off."""
    where: Where = ("clients", name)
    if reason := name_fault(name):
        report.error(where, reason)
        return None
    table = read_table(ClientTable, raw, where, report)
    if table is None:
        return None
    scopes = build_scopes(table.scopes, (*where, "scopes"), report)
    allowed = build_allowed(table.routes, routes, providers, (*where, "routes"), report)
    client = build_key(name, table.key, (*where, "key"), report)
    if client is None or scopes is None or allowed is None:
        return None
    return msgspec.structs.replace(client, scopes=scopes, routes=allowed)


def build_key(name: str, key: str, where: Where, report: Report) -> Client | None:
    """Return a client with its key's digest or reference, None if reported."""
    if digest := DIGEST.fullmatch(key.lower() if key.startswith("sha256:") else ""):
        return Client(name=name, digest=digest[1])
    if key.startswith("sha256:"):
        report.error(where, "after `sha256:` come 64 hexadecimal digits")
        return None
    source, reason = read_key(key, Path(report.source).absolute().parent)
    if source is None or source.kind is SourceKind.KEYLESS:
        report.error(where, reason or "a client always has a key")
        return None
    if source.kind is not SourceKind.LITERAL:
        return Client(name=name, source=source)
    if len(key) < KEY_CHARS_MIN or key_fault(key):
        report.error(where, f"the key is too easy to guess: at least {KEY_CHARS_MIN} characters (`everup keys new`)")
        return None
    report.warn(where, "the key itself stands in this file: its `sha256:` digest is enough")
    return Client(name=name, source=source)


def build_scopes(names: list[str], where: Where, report: Report) -> frozenset[ClientScope] | None:
    """
    Return scopes, `inference` always among them.

    None after reporting an unknown one or none at all.
    """
    known = {scope.value for scope in ClientScope}
    wrong = [n for n, name in enumerate(names) if name not in known]
    for n in wrong:
        report.error((*where, n), f"no such scope; there are: {', '.join(sorted(known))}")
    if not names:
        report.error(where, "the list is empty: leave it out for `inference`")
    if wrong or not names:
        return None
    return frozenset({ClientScope.INFERENCE, *map(ClientScope, names)})


def build_allowed(
    names: list[str] | None, routes: dict[str, Route], providers: dict[str, Provider], where: Where, report: Report
) -> frozenset[str] | None:
    """
    Return what a client may ask for: empty for everything, None if reported.

    A name that leads nowhere is reported and kept: dropping the last one would allow everything.
    """
    if names is None:
        return frozenset()
    if not names:
        report.error(where, "the list is empty: leave it out to allow every route")
        return None
    for n, name in enumerate(names):
        provider, slash, _ = name.partition("/")
        if name not in routes and not (slash and provider in providers):
            report.error((*where, n), f"no route or model `{printable(name)}`{nearest(name, routes)}")
    return frozenset(names)
