"""
A snapshot as the TOML text that gives it back, without any secret.

What must not live here: printing. Called by `everup config show`.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec

from everup.config.problem import BARE, printable
from everup.shapes.limits import Limits
from everup.shapes.route import EMBEDDED_URL, CacheMode
from everup.shapes.secret import SecretRef, SourceKind
from everup.shapes.snapshot import Client, ClientScope, ServerSettings, Snapshot

if TYPE_CHECKING:
    from everup.shapes.route import Caps, ClockOverrides, Model, Profile, Provider, Route

HIDDEN = '"***"  # the key itself stands in the config file; it is not shown'
Setting = tuple[str, object]


class Verbatim(msgspec.Struct, frozen=True):
    """Text that goes into the file as it is."""

    text: str


def render(snapshot: Snapshot, *, defaults: bool = False) -> str:
    """
    Return the config as TOML.

    With `defaults` every server setting and limit, else those that differ.
    """
    blocks = [f"# {printable(snapshot.source)}"] if snapshot.source else []
    blocks.append(block("server", changed(snapshot.server, ServerSettings(), defaults=defaults)))
    blocks.append(block("limits", changed(snapshot.limits, Limits(), defaults=defaults)))
    for provider in snapshot.providers.values():
        blocks += provider_blocks(provider)
    blocks += [block(head("models", str(model.ref)), model_settings(model)) for model in snapshot.models.values()]
    blocks += [block(head("routes", route.name), route_settings(route)) for route in snapshot.routes.values()]
    blocks.append(block("aliases", list(snapshot.aliases.items())))
    blocks += [block(head("clients", client.name), client_settings(client)) for client in snapshot.clients.values()]
    return "\n\n".join(filter(None, blocks)) + "\n"


def changed(now: msgspec.Struct, usual: msgspec.Struct, *, defaults: bool) -> list[Setting]:
    """Return the settings of a flat struct, all or those that differ from the usual."""
    before = msgspec.structs.asdict(usual)
    return [(key, value) for key, value in msgspec.structs.asdict(now).items() if defaults or value != before[key]]


def provider_blocks(provider: Provider) -> list[str]:
    """Return a provider's table and one table for each of its profiles."""
    name = head("providers", provider.name)
    is_cached = provider.wire == "anthropic" or provider.cache is not CacheMode.AUTO
    settings: list[Setting] = [
        ("wire", provider.wire),
        ("base_url", provider.base_url),
        ("local", provider.is_local),
        *caps_settings(provider.caps),
        ("concurrency", provider.concurrency),
        ("queue_max", provider.queue_max),
        ("ca_file", provider.ca_file or None),
        ("auth_header", provider.auth_header),
        ("auth_prefix", provider.auth_prefix),
        ("cache", provider.cache.value if is_cached else None),
    ]
    profiles = () if provider.base_url == EMBEDDED_URL else provider.profiles
    return [block(name, settings), *(block(f"{name}.profiles", profile_settings(each), "[[]]") for each in profiles)]


def profile_settings(profile: Profile) -> list[Setting]:
    """Return a profile's settings; the key is a reference, or hidden."""
    return [
        ("id", profile.id),
        ("key", reference(profile.source)),
        ("priority", profile.priority),
        ("concurrency", profile.concurrency),
    ]


def reference(source: SecretRef) -> object:
    """Return a key setting's text without a secret."""
    if source.kind is SourceKind.LITERAL:
        return Verbatim(HIDDEN)
    return "none" if source.kind is SourceKind.KEYLESS else source.describe()


def caps_settings(caps: Caps) -> list[Setting]:
    """Return the capabilities that are known."""
    return list(msgspec.structs.asdict(caps).items())


def clock_settings(clocks: ClockOverrides) -> dict[str, object]:
    """Return clocks under the names of the config file."""
    return {
        name.removesuffix("_s"): value for name, value in msgspec.structs.asdict(clocks).items() if value is not None
    }


def model_settings(model: Model) -> list[Setting]:
    """Return a model's settings."""
    price = {
        name.removesuffix("_usd"): value
        for name, value in msgspec.structs.asdict(model.price).items()
        if value is not None
    }
    return [
        *caps_settings(model.caps),
        ("window", model.context_tokens_max),
        ("output_max", model.output_tokens_max),
        ("params", model.params or None),
        ("price", price or None),
        ("clocks", clock_settings(model.clocks) or None),
    ]


def route_settings(route: Route) -> list[Setting]:
    """Return a route's settings."""
    chain = [str(ref) for ref in route.chain]
    return [("try", chain), *clock_settings(route.clocks).items(), ("attempts_max", route.attempts_max)]


def client_settings(client: Client) -> list[Setting]:
    """Return a client's settings; the key is its digest or a reference, never itself."""
    literal = client.source.literal if client.source is not None else None
    if literal is not None:
        key: object = f"sha256:{hashlib.sha256(literal.reveal().encode('ascii')).hexdigest()}"
    else:
        key = f"sha256:{client.digest}" if client.source is None else reference(client.source)
    is_admin = ClientScope.ADMIN in client.scopes
    return [
        ("key", key),
        ("scopes", ["admin"] if is_admin else None),
        ("routes", sorted(client.routes) or None),
    ]


def block(name: str, settings: list[Setting], marks: str = "[]") -> str:
    """
    Return one TOML table.

    Settings that are None are left out, a `[server]` without settings wholly.
    """
    lines = [f"{bare(key)} = {toml(value)}" for key, value in settings if value is not None]
    if not lines and "." not in name:
        return ""
    half = len(marks) // 2
    return "\n".join([f"{marks[:half]}{name}{marks[half:]}", *lines])


def head(table: str, name: str) -> str:
    """Return the name of an entry's table."""
    return f"{table}.{bare(name)}"


def bare(key: str) -> str:
    """Return a key, quoted where TOML wants it."""
    return key if BARE.fullmatch(key) else toml(key)


def toml(value: object) -> str:
    """Return a value in TOML's words."""
    match value:
        case Verbatim():
            return value.text
        case bool():
            return "true" if value else "false"
        case str():  # JSON's escapes are TOML's too, but for DEL, which JSON leaves as it is
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            return "{" + ", ".join(f"{bare(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value)
