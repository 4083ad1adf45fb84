"""
Every setting of the config file: type, bounds, default and description.

What must not live here: how settings combine (see `build`). `docs/config.md` is made from this file and from
`shapes.limits`, so a setting without a description is a failing test.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

SECONDS_MAX = 31_536_000
COUNT_MAX = 1_000_000_000_000

Table = dict[str, object]
Seconds = Annotated[float, Meta(gt=0, le=SECONDS_MAX)]
Wait = Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
Count = Annotated[int, Meta(ge=1, le=COUNT_MAX)]
CountOrNone = Annotated[int, Meta(ge=0, le=COUNT_MAX)]
Dollars = Annotated[float, Meta(ge=0, le=1_000_000)]


class Root(Struct, kw_only=True, frozen=True):
    """The file: its tables."""

    server: Annotated[Table, Meta(description="where everup listens")] = {}
    limits: Annotated[Table, Meta(description="every bound, by name")] = {}
    providers: Annotated[Table, Meta(description="endpoints that answer, by name")] = {}
    models: Annotated[Table, Meta(description='what is known of a model, by "provider/model"')] = {}
    routes: Annotated[Table, Meta(description="chains of models, by the name clients ask for")] = {}
    aliases: Annotated[Table, Meta(description="other names for routes and models")] = {}
    clients: Annotated[Table, Meta(description="who may ask, by name")] = {}


class ServerTable(Struct, kw_only=True, frozen=True):
    """`[server]`: where and how everup listens."""

    host: Annotated[str, Meta(description="the address to listen on; any but loopback wants a strong key")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65_535), Meta(description="the port; 0 takes a free one")] = 4400
    hosts: Annotated[list[str], Meta(description="further host names that clients may use, without port")] = []
    origins: Annotated[list[str], Meta(description="web origins that may call, each `scheme://host[:port]`")] = []
    tls_cert: Annotated[str, Meta(description="certificate chain file (PEM); goes with `tls_key`")] = ""
    tls_key: Annotated[str, Meta(description="private key file (PEM); goes with `tls_cert`")] = ""
    unix_socket: Annotated[str, Meta(description="a path to listen on instead of host and port")] = ""


class CapsTable(Struct, kw_only=True, frozen=True):
    """Capabilities; a setting left out is unknown, and unknown counts as able."""

    tools: Annotated[bool | None, Meta(description="can call tools")] = None
    images: Annotated[bool | None, Meta(description="can see images")] = None
    structured: Annotated[bool | None, Meta(description="can keep to a JSON schema")] = None
    reasoning: Annotated[bool | None, Meta(description="thinks before it answers, so it gets longer clocks")] = None


class ProviderTable(CapsTable, kw_only=True, frozen=True):
    """`[providers.NAME]`: an endpoint; a known name brings its settings."""

    wire: Annotated[
        str | None, Meta(description="the format it speaks: `openai_chat` unless said, `anthropic`, `ollama`")
    ] = None
    base_url: Annotated[
        str | None,
        Meta(description="its address with the version path (`https://host/v1`); for the wire `ollama` without"),
    ] = None
    cache: Annotated[
        str | None,
        Meta(description="who marks what Anthropic caches: `auto` (everup, beside the client) or `client` alone"),
    ] = None
    local: Annotated[bool | None, Meta(description="runs on a machine of yours: slower first words are expected")] = (
        None
    )
    key: Annotated[str | None, Meta(description="its only key: `env:NAME`, `file:PATH`, `none` or the key itself")] = (
        None
    )
    profiles: Annotated[list[Table] | None, Meta(description="several keys instead of one; see below")] = None
    concurrency: Annotated[Count | None, Meta(description="requests at once; `limits.concurrency` unless said")] = None
    queue_max: Annotated[
        CountOrNone | None, Meta(description="requests waiting for a slot; `limits.queue_max` unless said")
    ] = None
    ca_file: Annotated[str | None, Meta(description="certificate authorities (PEM) for its TLS")] = None
    auth_header: Annotated[
        str | None,
        Meta(description="the header that carries the key; `authorization`, for the wire `anthropic` `x-api-key`"),
    ] = None
    auth_prefix: Annotated[
        str | None, Meta(description='what stands before the key; `"Bearer "`, for the wire `anthropic` nothing')
    ] = None


class ProfileTable(Struct, kw_only=True, frozen=True):
    """One entry of `profiles`: a key of the provider."""

    id: Annotated[str, Meta(description="its name in trails and `everup status`")]
    key: Annotated[str, Meta(description="`env:NAME`, `file:PATH`, `none` or the key itself")]
    priority: Annotated[CountOrNone, Meta(description="lower is asked first; equal ones take turns")] = 0
    concurrency: Annotated[Count | None, Meta(description="requests at once with this key")] = None


class PriceTable(Struct, kw_only=True, frozen=True):
    """`price`: US dollars per million tokens."""

    input: Annotated[Dollars | None, Meta(description="of the prompt")] = None
    output: Annotated[Dollars | None, Meta(description="of the answer")] = None
    cached: Annotated[Dollars | None, Meta(description="of the prompt's cached part")] = None


class ClockTable(Struct, kw_only=True, frozen=True):
    """Clocks in seconds; a setting left out keeps the rule of `[limits]`."""

    first_event: Annotated[Seconds | None, Meta(description="until the first sign of an answer")] = None
    opening: Annotated[Seconds | None, Meta(description="from there to the first words")] = None
    stall: Annotated[Seconds | None, Meta(description="between words")] = None
    answer: Annotated[Seconds | None, Meta(description="for a whole answer that is not streamed")] = None


class ModelTable(CapsTable, kw_only=True, frozen=True):
    """`[models."provider/model"]`: what you know of a model, and what to send it."""

    params: Annotated[Table, Meta(description="fields of the request; the client's own win")] = {}
    window: Annotated[Count | None, Meta(description="tokens of prompt and answer together")] = None
    output_max: Annotated[Count | None, Meta(description="tokens of the answer")] = None
    price: Annotated[Table, Meta(description="US dollars per million tokens; see below")] = {}
    clocks: Annotated[Table, Meta(description="clocks of this model; see below")] = {}


class RouteTable(ClockTable, kw_only=True, frozen=True, rename={"try_": "try"}):
    """`[routes.NAME]`: models to try in this order."""

    try_: Annotated[list[str], Meta(description='the chain: `["provider/model", ...]`')]
    deadline: Annotated[Seconds | None, Meta(description="for the whole request")] = None
    patience: Annotated[Wait | None, Meta(description="how long the first model's `Retry-After` is waited")] = None
    attempts_max: Annotated[Count | None, Meta(description="attempts in all; candidates + 1 unless said")] = None


class ClientTable(Struct, kw_only=True, frozen=True):
    """`[clients.NAME]`: a caller with a key."""

    key: Annotated[str, Meta(description="`sha256:HEX` of the key, `env:NAME`, `file:PATH` or the key itself")]
    scopes: Annotated[list[str], Meta(description="`inference`, or `admin` for everything")] = msgspec.field(
        default_factory=lambda: ["inference"]
    )
    routes: Annotated[list[str] | None, Meta(description="routes and models it may ask for; all unless said")] = None


ZERO_ALLOWED = frozenset(
    {
        "attempts_beyond_candidates",
        "cooldown_wait_s",
        "drain_s",
        "idle_connections_max",
        "patience_s",
        "probe_wait_s",
        "queue_max",
        "queue_s",
    }
)
"""Limits where 0 means something ("do not wait"); every other one must be greater."""
