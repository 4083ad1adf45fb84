"""
A model name to the route that answers it.

What must not live here: anything that changes with time. Source: the order in `docs/config.md` (Names);
never silently another model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from everup.errors import RequestError
from everup.shapes.route import EMBEDDED_URL, ModelRef, Route

if TYPE_CHECKING:
    from everup.shapes.snapshot import Client, Snapshot

Listed = Mapping[str, tuple[str, ...]]
"""Model ids that each provider's own list names, by provider."""

NEAREST_MAX = 3


def resolve(name: str, snapshot: Snapshot, listed: Listed, client: Client) -> Route:
    """
    Return the route for a name.

    A route, an exact alias, `provider/model`, a bare id that one provider has, a pattern.
    Errors: 503 where nothing can be asked at all; 404 with the nearest names; 403 for a key of other routes.
    """
    route = (
        snapshot.routes.get(name)
        or follow(snapshot.aliases.get(name), snapshot, listed)
        or named_model(name, snapshot)
        or bare_model(name, snapshot, listed)
        or pattern(name, snapshot, listed)
    )
    if route is None:
        raise unknown(name, snapshot, listed, client) if snapshot.providers else nothing_yet()
    if client.routes and route.name not in client.routes:
        allowed = ", ".join(sorted(client.routes))
        raise RequestError(403, "route_not_allowed", f"This key may use {allowed}, not {name!r}.", param="model")
    return route


def follow(target: str | None, snapshot: Snapshot, listed: Listed) -> Route | None:
    """Return the route that an alias leads to; an alias never leads to another alias."""
    if target is None:
        return None
    return snapshot.routes.get(target) or named_model(target, snapshot) or bare_model(target, snapshot, listed)


def named_model(name: str, snapshot: Snapshot) -> Route | None:
    """
    Return the one-model route of `provider/model`.

    Whose provider must be configured.
    """
    provider, slash, model = name.partition("/")
    if not slash or not model or provider not in snapshot.providers:
        return None
    ref = ModelRef(provider, model)
    is_embedded = snapshot.providers[provider].base_url == EMBEDDED_URL
    if is_embedded and ref not in known_models(snapshot, {}):
        return None  # it answers to any name, and would then say that another model did
    return Route(name=name, chain=(ref,), is_asked_by_name=True)


def bare_model(name: str, snapshot: Snapshot, listed: Listed) -> Route | None:
    """Return the one-model route of a bare id, if exactly one provider has it."""
    owners = [ref for ref in known_models(snapshot, listed) if ref.model == name]
    if len(owners) != 1:
        return None
    return Route(name=str(owners[0]), chain=(owners[0],), is_asked_by_name=True)


def pattern(name: str, snapshot: Snapshot, listed: Listed) -> Route | None:
    """Return the route of the first alias pattern that fits, in the file's order."""
    for alias, target in snapshot.aliases.items():
        if fnmatchcase(name, alias):
            return follow(target, snapshot, listed)
    return None


def known_models(snapshot: Snapshot, listed: Listed) -> list[ModelRef]:
    """
    Return every model that config or a configured provider's list names.

    Once each, sorted.
    """

    def each() -> Iterator[ModelRef]:
        for model in snapshot.models.values():
            yield model.ref
        for route in snapshot.routes.values():
            yield from route.chain
        for provider, ids in listed.items():
            if provider in snapshot.providers:
                yield from (ModelRef(provider, model) for model in ids)

    return sorted(set(each()))


def nothing_yet() -> RequestError:
    """Return the 503 of a gateway that has nobody to ask, with what to do."""
    hint = (
        "Set a provider's key (for example OPENAI_API_KEY) and start everup again, or start a model server on this "
        "machine (Ollama, LM Studio, llama.cpp), or run `everup local get`: those are picked up by themselves."
    )
    return RequestError(503, "no_candidate", "Nothing is there to answer with yet.", hint=hint)


def unknown(name: str, snapshot: Snapshot, listed: Listed, client: Client) -> RequestError:
    """
    Return the 404 for a name nothing answers to.

    With the nearest names this client may use.
    """
    models = known_models(snapshot, listed)
    owners = [str(ref) for ref in models if ref.model == name]
    if len(owners) > 1 and not client.routes:
        hint = f"More than one provider has it: ask for {' or '.join(owners[:NEAREST_MAX])}."
        return RequestError(404, "model_not_found", f"The model {name!r} is ambiguous.", param="model", hint=hint)
    names = [*snapshot.routes, *snapshot.aliases]
    if client.routes:
        names = [each for each in names if each in client.routes]
    else:
        names += [str(ref) for ref in models] + sorted({ref.model for ref in models})
    near = get_close_matches(name, names, NEAREST_MAX, 0.4) or names[:NEAREST_MAX]
    hint = f"Nearest: {', '.join(near)}." if near else "No route is configured."
    return RequestError(
        404,
        "model_not_found",
        f"No route or model is called {name!r}.",
        param="model",
        hint=f"{hint} `everup models` lists all.",
    )
