"""
The models that each configured provider lists, refreshed beside the requests.

Lives here: when to ask, the last good list and what it told of its models. Must not: anything a request waits for
or that reaches one as an error. `app` runs `keep_fresh()` as a task; `surfaces` and `policy.resolve` read
`models_of`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from everup.catalogue.ask import Told, ask_models
from everup.catalogue.first_run import find_first_run
from everup.errors import CredentialError
from everup.providers.known import KNOWN
from everup.shapes.found import Facts
from everup.shapes.route import EMBEDDED_URL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from everup.catalogue.ask import OriginOf
    from everup.net.client import Client
    from everup.shapes.found import Found
    from everup.shapes.route import Profile, Provider
    from everup.shapes.secret import Secret
    from everup.shapes.snapshot import Snapshot

WITHIN_S = 5.0
EVERY_S = 600.0
AT_ONCE_MAX = 16


class Snapshots(Protocol):
    """Whoever holds the current configuration (`config.holder.Holder`)."""

    @property
    def current(self) -> Snapshot:
        """Return the snapshot in use."""
        ...


class Keys(Protocol):
    """Whoever holds the secrets (`credentials.holder.Credentials`)."""

    def current(self, profile: Profile) -> Secret | None:
        """Return a profile's secret, None if keyless; CredentialError without one."""
        ...


class Listed(Struct, frozen=True, kw_only=True):
    """What is known of one provider: its last good list, and why there is no newer."""

    base_url: str
    models: tuple[str, ...] | None = None
    facts: dict[str, Facts] = {}
    good_mono_s: float = 0.0
    why: str = ""


class Catalogue:
    """The lists, by provider name."""

    def __init__(
        self, client: Client, holder: Snapshots, credentials: Keys, origin_of: OriginOf, *, within_s: float = WITHIN_S
    ) -> None:
        self.client = client
        self.holder = holder
        self.credentials = credentials
        self.origin_of = origin_of
        self.within_s = within_s
        self.lists: dict[str, Listed] = {}
        self.refreshing: asyncio.Task[None] | None = None

    def models_of(self, provider: str) -> tuple[str, ...] | None:
        """Return the models last listed, None where none ever were."""
        listed = self.lists.get(provider)
        return listed.models if listed else None

    def facts_of(self, provider: str, model: str) -> Facts | None:
        """Return what a provider last told of one of its models, None where nothing."""
        listed = self.lists.get(provider)
        if listed is None:
            return None
        return listed.facts.get(model) or listed.facts.get(f"{model}:latest")  # Ollama's name for a name without tag

    def view(self) -> dict[str, dict[str, object]]:
        """Return of each provider how many models, how old the list, why no newer."""
        now = asyncio.get_running_loop().time()
        return {
            name: {
                "models": None if listed.models is None else len(listed.models),
                "age_s": None if listed.models is None else round(now - listed.good_mono_s, 1),
                "why": listed.why,
            }
            for name, listed in self.lists.items()
        }

    async def keep_fresh(self, every_s: float = EVERY_S) -> None:
        """Asks now and then every `every_s`, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(every_s)

    async def refresh(self) -> None:
        """Every provider was asked. Calls at once share one asking."""
        if self.refreshing is None:
            self.refreshing = asyncio.create_task(self.ask_all())
            self.refreshing.add_done_callback(self.refreshed)
        await asyncio.shield(self.refreshing)

    def refreshed(self, _task: asyncio.Task[None]) -> None:
        """The next refresh asks anew."""
        self.refreshing = None

    async def ask_all(self) -> None:
        """The lists are those of the providers configured now."""
        providers = [row for row in self.holder.current.providers.values() if row.base_url != EMBEDDED_URL]
        slots = asyncio.Semaphore(AT_ONCE_MAX)
        asked = await asyncio.gather(*(self.ask(provider, slots) for provider in providers))
        self.lists = {provider.name: listed for provider, listed in zip(providers, asked, strict=True)}

    async def ask(self, provider: Provider, slots: asyncio.Semaphore) -> Listed:
        """Return a provider's list: the new one, else the last good one and why."""
        async with slots:
            told = await self.told_by(provider)
        if told.models is not None:
            now = asyncio.get_running_loop().time()
            return Listed(base_url=provider.base_url, models=told.models, facts=told.facts, good_mono_s=now)
        old = self.lists.get(provider.name)
        if old is None or old.base_url != provider.base_url:
            return Listed(base_url=provider.base_url, why=told.why)
        return replace(old, why=told.why)

    async def told_by(self, provider: Provider) -> Told:
        """Return what a provider told when asked with its first profile that has a key."""
        row = KNOWN.get(provider.name)
        if row is not None and not row.is_listed:
            return Told(why="not asked, for its list does not name what can be asked for")
        why = "no profile"
        for profile in provider.profiles:
            try:
                secret = self.credentials.current(profile)
            except CredentialError as error:
                why = error.reason
                continue
            return await ask_models(self.client, self.origin_of, provider, secret, within_s=self.within_s)
        return Told(why=why)

    async def find_first_run(
        self,
        environ: Mapping[str, str],
        *,
        look_local: Callable[[], Awaitable[Found]],
        is_own_key: Callable[[str], bool],
    ) -> Found:
        """Return what is here to run with when nothing is configured (see `first_run`)."""
        return await find_first_run(self.client, self.origin_of, environ, look_local=look_local, is_own_key=is_own_key)

    async def close(self) -> None:
        """No asking is under way."""
        if self.refreshing is not None:
            self.refreshing.cancel()
            await asyncio.wait({self.refreshing})
