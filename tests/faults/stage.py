"""
A whole everup with a handful of scripted providers, for tests that need more than one request.

What must not live here: the table's rows (see `harness`). Providers, routes and limits are given as data; each
test uses its own, so that one process serves a module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from everup.testing.gateway import Gateway, config_text
from everup.testing.provider import Request, ScriptedProvider


class Stage(Struct, frozen=True):
    """A running everup and its providers by name."""

    gateway: Gateway
    providers: dict[str, ScriptedProvider]

    def __getitem__(self, name: str) -> ScriptedProvider:
        """Return a provider."""
        return self.providers[name]

    def counts(self, *names: str) -> list[int]:
        """Return how many requests each of these providers got."""
        return [len(self.providers[name].requests) for name in names]


@asynccontextmanager
async def open_stage(
    folder: Path,
    routes: Mapping[str, Sequence[str] | Mapping[str, object]],
    *,
    limits: Mapping[str, float] | None = None,
    tables: Mapping[str, Mapping[str, object]] | None = None,
    models: Mapping[str, Mapping[str, object]] | None = None,
    more: str = "",
    send_buffer_bytes: int = 0,
) -> AsyncIterator[Stage]:
    """A running everup with one scripted provider for each name that a route's chain mentions."""
    chains = [route["try"] if isinstance(route, Mapping) else route for route in routes.values()]
    names = sorted({ref.split("/")[0] for chain in chains for ref in chain})  # type: ignore[attr-defined]
    async with AsyncExitStack() as stack:
        providers = {
            name: await stack.enter_async_context(ScriptedProvider(models=("m",), send_buffer_bytes=send_buffer_bytes))
            for name in names
        }
        rows = {name: {"base_url": each.base_url, **(tables or {}).get(name, {})} for name, each in providers.items()}
        text = config_text(providers=rows, routes=routes, limits=limits, models=models, more=more)
        gateway = await stack.enter_async_context(Gateway(folder, text))
        yield Stage(gateway, providers)


def most_at_once(requests: Sequence[Request]) -> int:
    """Return how many requests a provider was answering at the same time at most."""
    marks = [(request.arrived_mono_s, 1) for request in requests]
    marks += [(request.answered_mono_s, -1) for request in requests if request.answered_mono_s is not None]
    running = most = 0
    for _, change in sorted(marks):
        running += change
        most = max(most, running)
    return most
