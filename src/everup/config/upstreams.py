"""
Providers, profiles and models: tables to shapes.

What must not live here: routes (see `ways`), resolving keys. Called by `build`.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from everup.config import address
from everup.config.problem import Report, Where, nearest
from everup.config.schema import ClockTable, ModelTable, PriceTable, ProfileTable, ProviderTable, Table
from everup.config.tables import read_table
from everup.config.words import json_fault, name_fault, read_key, read_ref
from everup.providers.known import KNOWN, WIRES, row_of
from everup.shapes.route import (
    EMBEDDED_URL,
    CacheMode,
    Caps,
    ClockOverrides,
    Model,
    ModelRef,
    Price,
    Profile,
    Provider,
)
from everup.shapes.secret import SecretRef, SourceKind

HEADER = re.compile(r"[a-z0-9-]{1,64}")
OUR_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding"}
)
DEFAULT_PROFILE = "default"


def build_provider(name: str, raw: object, where: Where, report: Report) -> Provider | None:
    """Return one provider, or None after reporting why it is off."""
    if reason := name_fault(name):
        report.error(where, reason)
        return None
    table = read_table(ProviderTable, raw, where, report)
    if table is None:
        return None
    known = KNOWN.get(name)
    wire = table.wire or (known.wire if known else WIRES[0])
    base_url = address.tidy(table.base_url or (known.base_url if known else ""))
    if wire == "ollama":
        base_url = at_its_own(base_url, where, report)
    reasons = list(provider_faults(name, table, wire, base_url))
    for key, reason in reasons:
        report.error((*where, key) if key else where, reason)
    profiles = build_profiles(name, table, base_url, where, report)
    if reasons or profiles is None:
        return None
    doubt_address(base_url, wire, profiles, where, report)
    return assemble(name, table, wire, base_url, profiles)


def at_its_own(base_url: str, where: Where, report: Report) -> str:
    """Return the address of an Ollama's own API; another part of it is warned of."""
    bare = address.native(base_url)
    if bare != base_url:
        left_out = base_url.removeprefix(bare)
        report.warn(
            (*where, "base_url"),
            f"taken without its `{left_out}`, for Ollama is asked by its own API; "
            'to ask it as an OpenAI-compatible server set wire = "openai_chat"',
        )
    return bare


def provider_faults(name: str, table: ProviderTable, wire: str, base_url: str) -> list[tuple[str, str]]:
    """Return setting and reason for all that is wrong beside the profiles."""
    found = []
    if wire not in WIRES:
        found.append(("wire", f"no such wire; there are: {', '.join(WIRES)}"))
    if not base_url:
        found.append(("", missing_url(name)))
    elif base_url == EMBEDDED_URL:
        if name != "embedded":
            found.append(("base_url", "only the provider `embedded` has this address"))
        if table.key is not None or table.profiles is not None:
            found.append(("", "the embedded model's key is made at each start: leave out `key` and `profiles`"))
    elif reason := address.url_fault(base_url):
        found.append(("base_url", reason))
    header = (table.auth_header or "authorization").lower()
    if not HEADER.fullmatch(header) or header in OUR_HEADERS:
        found.append(("auth_header", "this is no header that can carry a key"))
    if table.auth_prefix and not table.auth_prefix.isascii():
        found.append(("auth_prefix", "letters outside ASCII cannot stand in a header"))
    if table.cache is not None and table.cache not in set(CacheMode):
        found.append(("cache", f"there are: {', '.join(CacheMode)}"))
    return found


def missing_url(name: str) -> str:
    """Return the sentence for a provider without an address."""
    known = KNOWN.get(name)
    if known is None:
        return f"`base_url` is missing, and this is no provider everup knows{nearest(name, KNOWN)}"
    return f"`base_url` is missing: {name} has another address for everyone, such as {known.base_url_form}"


def doubt_address(base_url: str, wire: str, profiles: tuple[Profile, ...], where: Where, report: Report) -> None:
    """A usable address that is probably not meant so is warned of."""
    if base_url == EMBEDDED_URL:
        return
    if doubt := address.url_doubt(base_url, wire):
        report.warn((*where, "base_url"), doubt)
    has_key = any(profile.source.kind is not SourceKind.KEYLESS for profile in profiles)
    if has_key and address.is_in_the_open(base_url):
        report.warn((*where, "base_url"), "http:// sends the key unencrypted over the internet: use https://")


def assemble(name: str, table: ProviderTable, wire: str, base_url: str, profiles: tuple[Profile, ...]) -> Provider:
    """
    Return a provider of checked settings.

    What is not set comes from its known row, else from what is usual for its wire.
    """
    known = row_of(name, wire)
    prefix = known.auth_prefix if table.auth_prefix is None else table.auth_prefix
    return Provider(
        name=name,
        wire=wire,
        base_url=base_url,
        is_local=known.is_local if table.local is None else table.local,
        auth_header=(table.auth_header or known.auth_header).lower(),
        auth_prefix=prefix,
        profiles=profiles,
        caps=merge_caps(table, known.caps),
        concurrency=table.concurrency,
        queue_max=table.queue_max,
        quirks=known.quirks,
        ca_file=table.ca_file or "",
        headers=known.headers,
        cache=CacheMode(table.cache or CacheMode.AUTO),
    )


def merge_caps(table: ProviderTable | ModelTable, base: Caps) -> Caps:
    """Return capabilities: those set here, else those of `base`."""
    return Caps(
        tools=base.tools if table.tools is None else table.tools,
        images=base.images if table.images is None else table.images,
        structured=base.structured if table.structured is None else table.structured,
        reasoning=base.reasoning if table.reasoning is None else table.reasoning,
    )


def build_profiles(
    name: str, table: ProviderTable, base_url: str, where: Where, report: Report
) -> tuple[Profile, ...] | None:
    """Return a provider's profiles; None when there is none that could be used."""
    if table.key is not None and table.profiles is not None:
        report.error((*where, "key"), "`key` is the short form of one profile: use it or `profiles`, not both")
        return None
    if table.profiles is None:
        source = read_source(table.key, (*where, "key"), report) if table.key is not None else None
        if table.key is None:
            source = default_source(name, base_url, where, report)
        return None if source is None else (Profile(id=DEFAULT_PROFILE, provider=name, source=source),)
    found: dict[str, Profile] = {}
    for n, raw in enumerate(table.profiles):
        profile = build_profile(name, raw, (*where, "profiles", n), report)
        if profile is None:
            continue
        if profile.id in found:
            report.error((*where, "profiles", n, "id"), "an earlier profile has this id; this one is off")
            continue
        found[profile.id] = profile
    if not found:
        report.error((*where, "profiles"), "none of the profiles can be used, so the provider is off")
        return None
    return tuple(found.values())


def build_profile(provider: str, raw: object, where: Where, report: Report) -> Profile | None:
    """Return one profile, or None after reporting why it is off."""
    table = read_table(ProfileTable, raw, where, report)
    if table is None:
        return None
    if reason := name_fault(table.id):
        report.error((*where, "id"), reason)
    source = read_source(table.key, (*where, "key"), report)
    if reason or source is None:
        return None
    return Profile(
        id=table.id, provider=provider, source=source, priority=table.priority, concurrency=table.concurrency
    )


def read_source(key: str, where: Where, report: Report) -> SecretRef | None:
    """
    Return a key setting's reference, or None after reporting why.

    A literal is warned of.
    """
    source, reason = read_key(key, Path(report.source).absolute().parent)
    if source is None:
        report.error(where, reason)
    elif source.kind is SourceKind.LITERAL:
        report.warn(where, "the key itself stands in this file: `env:NAME` or `file:PATH` keeps it out of backups")
    return source


def default_source(name: str, base_url: str, where: Where, report: Report) -> SecretRef:
    """Return where the key comes from when the table does not say."""
    known = KNOWN.get(name)
    if known is None or not known.key_env:
        return SecretRef(SourceKind.EMBEDDED if base_url == EMBEDDED_URL else SourceKind.KEYLESS)
    if address.is_same_host(base_url, known):
        return SecretRef(SourceKind.ENV, known.key_env)
    # A key goes to the origin it was made for and to no other, unless the user says so (S10).
    report.warn(where, f'asked without a key, for this is not {name}\'s own address; else: key = "env:{known.key_env}"')
    return SecretRef(SourceKind.KEYLESS)


def build_model(name: str, raw: object, providers: dict[str, Provider], where: Where, report: Report) -> Model | None:
    """Return what the file says of one model, or None after reporting why it is off."""
    ref = read_ref(name)
    if ref is None:
        report.error(where, 'a model is written "provider/model"')
        return None
    table = read_table(ModelTable, raw, where, report)
    if table is None:
        return None
    price = read_table(PriceTable, table.price, (*where, "price"), report)
    clocks = read_table(ClockTable, table.clocks, (*where, "clocks"), report)
    faults = params_faults(table.params)
    for key, reason in faults:
        report.error((*where, "params", key), reason)
    if ref.provider not in providers:
        report.error(where, absent(ref.provider, providers))
    if price is None or clocks is None or faults or ref.provider not in providers:
        return None
    return assemble_model(ref, table, price, clocks, providers[ref.provider].caps)


def absent(name: str, providers: dict[str, Provider]) -> str:
    """Return the sentence for a provider that is named but not there."""
    if name in KNOWN:  # a known one that is named is there without a table: this one's table has a fault
        return f"the provider `{name}` is off because of its own errors"
    return f"no provider `{name}` is in use{nearest(name, {**providers, **KNOWN})}"


def assemble_model(ref: ModelRef, table: ModelTable, price: PriceTable, clocks: ClockTable, base: Caps) -> Model:
    """Return a model of checked settings."""
    return Model(
        ref=ref,
        caps=merge_caps(table, base),
        context_tokens_max=table.window,
        output_tokens_max=table.output_max,
        price=Price(input_usd=price.input, output_usd=price.output, cached_usd=price.cached),
        params=dict(table.params),
        clocks=clock_overrides(clocks),
    )


def clock_overrides(table: ClockTable) -> ClockOverrides:
    """Return the clocks of a table as a shape: each name gets its unit."""
    return ClockOverrides(**{f"{name}_s": value for name, value in msgspec.structs.asdict(table).items()})


def params_faults(params: Table) -> list[tuple[str, str]]:
    """Return name and reason of every parameter that cannot be set here."""
    found = []
    for key, value in params.items():
        if key in {"model", "messages", "stream"}:
            found.append((key, "a request's own model, messages and stream cannot be set here"))
        elif reason := json_fault(value):
            found.append((key, reason))
    return found
