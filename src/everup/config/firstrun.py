"""
What a first run found, as a document of the same shape as the config file.

What must not live here: looking for anything (see `local`, `catalogue`). Goes through the same `build` as a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict

from everup.config.parse import Loaded, load_document
from everup.config.problem import Report, nearest
from everup.config.words import read_ref
from everup.providers.known import KNOWN

if TYPE_CHECKING:
    from everup.config.schema import Table
    from everup.shapes.found import Facts, Found, FoundProvider

SOURCE = "found on this machine"
VARIABLE = "EVERUP_MODEL"


def load_found(found: Found, override_model: str = "", *, is_embedded_kept: bool = False) -> Loaded:
    """
    Return what was found as a snapshot.

    An `EVERUP_MODEL` that cannot be placed is warned of, not obeyed.
    """
    report = Report(SOURCE)
    if override_model and (doubt := model_doubt(found, override_model)):
        report.warn((), doubt)
    return load_document(compose(found, override_model, is_embedded_kept=is_embedded_kept), report)


def compose(found: Found, override_model: str = "", *, is_embedded_kept: bool = False) -> Table:
    """
    Return the document: providers, models, the route `default`, maybe `local`.

    `is_embedded_kept`: the embedded model has answered `default` so far; it stays there behind what is new, so
    that nobody loses a model that works.
    """
    providers: Table = {provider.name: provider_table(provider) for provider in found.providers}
    chain = [f"{provider.name}/{provider.model}" for provider in preferred(found) if provider.model]
    embedded = f"embedded/{found.embedded_model}" if found.embedded_model else ""
    has_local = bool(embedded and chain)
    if embedded:
        providers["embedded"] = {}
        chain = [*chain, embedded] if is_embedded_kept or not chain else chain
    if first := place(found, override_model):
        chain = [first, *(model for model in chain if model != first)]
    routes: Table = {"default": {"try": chain}} if chain else {}
    if has_local:
        routes["local"] = {"try": [embedded]}
    models = {
        f"{provider.name}/{model}": model_table(facts)
        for provider in found.providers
        for model, facts in provider.facts.items()
        if provider.is_local or f"{provider.name}/{model}" in chain
    }
    known = {name: table for name, table in models.items() if table and read_ref(name) is not None}
    return {"providers": providers, **({"models": known} if known else {}), "routes": routes}


def model_table(facts: Facts) -> Table:
    """Return the settings of what a provider told of a model."""
    told: Table = {"window": facts.context_tokens_max, **asdict(facts.caps)}
    return {name: value for name, value in told.items() if value is not None}


def preferred(found: Found) -> list[FoundProvider]:
    """Return what was found, remote providers before servers on this machine."""
    return sorted(found.providers, key=lambda provider: provider.is_local)


def provider_table(provider: FoundProvider) -> Table:
    """Return the settings of one found provider; a known name brings the rest."""
    table: Table = {}
    if provider.base_url:
        table["base_url"] = provider.base_url
    if provider.is_local:
        table["local"] = True
    if provider.key_env:
        table["key"] = f"env:{provider.key_env}"
    return table


def place(found: Found, model: str) -> str | None:
    """Return `provider/model` for what `EVERUP_MODEL` says, None if not found."""
    if not model:
        return None
    names = {provider.name for provider in found.providers} | ({"embedded"} if found.embedded_model else set())
    ref = read_ref(model)
    if ref is not None and ref.provider in names:
        return model
    for provider in preferred(found):  # a bare id, which may hold slashes too (OpenRouter's do)
        if model in (provider.models or ()):
            return f"{provider.name}/{model}"
    return f"embedded/{model}" if found.embedded_model and model == found.embedded_model else None


def model_doubt(found: Found, model: str) -> str:
    """Return what is wrong with what `EVERUP_MODEL` says; nothing if it is good."""
    placed = place(found, model)
    ref = read_ref(placed or model)
    if placed is None:
        return f"{VARIABLE} is left aside: {misplaced(found, ref.provider if ref else '')}"
    listed: tuple[str, ...] | None = (found.embedded_model,) if ref and ref.provider == "embedded" else None
    for provider in found.providers:
        if ref and provider.name == ref.provider:
            listed = provider.models
    if ref is None or not listed or ref.model in listed:
        return ""
    return f"{VARIABLE} is asked first, but {ref.provider} does not list this model{nearest(ref.model, listed)}"


def misplaced(found: Found, provider: str) -> str:
    """Return why no found provider answers to `EVERUP_MODEL`, and what helps."""
    known = KNOWN.get(provider)
    if known is not None and known.base_url_form:
        return f"{provider} has another address for everyone: name it in a config file"
    if known is not None and known.key_env:
        return f"{provider} was not found: set {known.key_env} to a key that it accepts, and start everup again"
    if known is not None:
        return f"{provider} was not found at {known.base_url}: start it, then everup again"
    names = [each.name for each in found.providers] + (["embedded"] if found.embedded_model else [])
    shown = ", ".join(names) or "none"
    return f"no provider that was found lists this model; write it `provider/model`, of those found ({shown})"
