"""
The parts an engine is made of, and what can be asked of each.

What must not live here: behaviour. Built by `app`, held by every run; the protocols are the seams that tests fill.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from everup.engine.admission import Admission
from everup.engine.health import HealthTable
from everup.engine.minted import Minted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from everup.net.client import Client
    from everup.net.origin import Origin
    from everup.shapes.limits import Limits
    from everup.shapes.route import Profile, Provider
    from everup.shapes.secret import Secret
    from everup.wires.base import Wire

ORIGINS_MAX = 1024


class CurrentSecret(Protocol):
    """Where an attempt gets its secret: from memory, at once."""

    def current(self, profile: Profile) -> Secret | None:
        """
        Return the secret, None for a keyless profile.

        `CredentialError` if it cannot be had.
        """
        ...


class EmbeddedServer(Protocol):
    """Where the embedded model answers while it is needed."""

    def lease(self) -> AbstractContextManager[None]:
        """Return what keeps it from being stopped as idle."""
        ...

    async def start_if_needed(self) -> tuple[str, Secret]:
        """Return its base URL and key; `EmbeddedDown` if it cannot be started."""
        ...


class Counts(Protocol):
    """Metrics, as far as a run counts; never raises."""

    def count(self, name: str, labels: tuple[str, ...], n: float = 1) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, labels: tuple[str, ...], value: float) -> None:
        """Add an observation to a histogram."""
        ...


class Tells(Protocol):
    """The log, as far as a run tells; never blocks and never raises."""

    def event(self, name: str, level: str, **fields: object) -> None:
        """Write one line."""
        ...


class Parts:
    """Everything a run uses, none of it the run's own."""

    def __init__(
        self,
        *,
        limits: Limits,
        client: Client,
        wires: Mapping[str, Wire],
        credentials: CurrentSecret,
        embedded: EmbeddedServer,
        origin_of: Callable[[str, str, bool], tuple[Origin, str]],
        metrics: Counts,
        log: Tells,
        jitter: Callable[[], float],
        wall_unix_s: Callable[[], float],
    ) -> None:
        """
        `origin_of` takes base URL, CA file and whether local.

        And returns the origin and the path prefix. `wall_unix_s` dates answers of wires that do not.
        """
        self.client = client
        self.wires = wires
        self.credentials = credentials
        self.embedded = embedded
        self.metrics = metrics
        self.log = log
        self.jitter = jitter
        self.wall_unix_s = wall_unix_s
        self.loop = asyncio.get_running_loop()
        self.make_origin = origin_of
        self.health = HealthTable(limits, jitter)
        self.admission = Admission(limits)
        self.minted = Minted(limits.minted_entries_max)
        self.origins: dict[tuple[str, str, bool], tuple[Origin, str]] = {}

    def origin(self, base_url: str, provider: Provider) -> tuple[Origin, str]:
        """Return the origin and path prefix of a base URL, made once."""
        key = (base_url, provider.ca_file, provider.is_local)
        made = self.origins.get(key)
        if made is None:
            if len(self.origins) >= ORIGINS_MAX:
                self.origins.clear()
            made = self.origins[key] = self.make_origin(*key)
        return made
