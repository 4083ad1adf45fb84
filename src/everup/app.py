"""
The composition root.

The only module that builds concrete things and hands them to each other.
What must not live here: decisions and formats. The process's environment comes in through `Options`; files,
sockets and children are made by the rooms that own them. Called by `cli.run`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from everup import __version__, serve
from everup.catalogue.learnt import with_facts
from everup.catalogue.models import Catalogue
from everup.config.firstrun import VARIABLE as MODEL_VARIABLE
from everup.config.firstrun import load_found
from everup.config.holder import Holder
from everup.config.home import config_path, find_home
from everup.config.parse import Loaded, load_file
from everup.credentials.clients import StoredClients, digest_of, read_clients
from everup.credentials.holder import Credentials
from everup.credentials.keys import OwnKey, ensure_key, is_own_key
from everup.disk.read import read_file
from everup.engine.engine import Engine
from everup.engine.parts import Parts
from everup.errors import CredentialError
from everup.local.embedded import Embedded
from everup.local.model_file import ModelFile, NoModel, find_model
from everup.local.servers import find_local
from everup.net.client import Client as NetClient
from everup.net.origin import make_origin
from everup.net.proxy import read_proxies
from everup.observe.log import Log
from everup.observe.metrics import Metrics
from everup.policy.plan import make_plan
from everup.shapes.route import Candidate, Needs
from everup.shapes.snapshot import Client, ClientScope, Snapshot
from everup.surfaces.guard import is_loopback
from everup.surfaces.keys import KeyRing, is_strong
from everup.surfaces.table import Application
from everup.wires.table import WIRES

if TYPE_CHECKING:
    from everup.engine.health import CandidateView
    from everup.shapes.found import Found
    from everup.shapes.limits import Limits
    from everup.shapes.secret import Secret
    from everup.shapes.snapshot import ServerSettings

GGUF_VARIABLE = "EVERUP_GGUF"
"""Names another model file for the embedded model."""
KEYS_EVERY_S = 0.25
"""How often the clients file is read: a revoked key is dead within a second (S8)."""
LOOK_EVERY_S = 5.0
"""How often a first run looks again for what appeared meanwhile."""
LISTS_EVERY_S = 600.0
"""How often providers' own model lists are read again."""
STDERR = 2

Tell = Callable[[str], None]
Render = Callable[["Found | None", Snapshot, str, str], str]


class Options(Struct, frozen=True, kw_only=True):
    """
    What the command line decides.

    `environ` is the process's environment, read in one place.
    """

    config: str = ""
    host: str | None = None
    port: int | None = None
    log_format: str = "auto"
    environ: Mapping[str, str] = {}


def run(options: Options, *, tell: Tell, render: Render) -> int:
    """
    Return the exit code, once the gateway was served and drained.

    `tell` prints for the person who started it; `render` makes the start table of what was found (None with a
    config file), the snapshot, the URL and where the key is. Errors: `ConfigError`, `CredentialError`.
    """
    home = find_home(options.environ, sys.platform)
    loaded = load_config(options)
    if loaded is not None:
        for problem in loaded.problems:
            tell(str(problem))
    snapshot = loaded.snapshot if loaded is not None else Snapshot()
    settings = with_options(snapshot.server, options)
    own = ensure_key(home, options.environ)
    is_json = options.log_format == "json" or (options.log_format == "auto" and not os.isatty(STDERR))
    log = Log(STDERR, snapshot.limits, is_json=is_json)
    gateway = Gateway(options, home, loaded, replace(snapshot, server=settings), own, log)

    def on_ready(url: str) -> None:
        if own.problem:
            tell(own.problem)
        if not own.is_kept:
            tell(f"This run's key, shown once: {own.secret.reveal()}")
        tell(render(gateway.found, gateway.holder.current, url, own.where))
        gateway.url = url

    try:
        return serve.run(gateway.build, settings, snapshot.limits, key=own.secret, log=log, on_ready=on_ready)
    finally:
        log.close()


def load_config(options: Options) -> Loaded | None:
    """Return what the config file says, None where there is none and none was named."""
    path = Path(options.config).expanduser() if options.config else config_path(options.environ, sys.platform)
    if not options.config and not path.exists():
        return None
    return load_file(path)


def with_options(settings: ServerSettings, options: Options) -> ServerSettings:
    """Return where to listen: the command line's word before the file's."""
    host = settings.host if options.host is None else options.host
    port = settings.port if options.port is None else options.port
    is_moved = options.host is not None or options.port is not None
    return replace(settings, host=host, port=port, unix_socket="" if is_moved else settings.unix_socket)


class Gateway:
    """One running gateway: its parts, and the tasks that keep them current."""

    def __init__(
        self, options: Options, home: Path, loaded: Loaded | None, snapshot: Snapshot, own: OwnKey, log: Log
    ) -> None:
        self.options = options
        self.home = home
        self.is_first_run = loaded is None
        self.own = own
        self.log = log
        self.holder = Holder(snapshot)
        self.plain = snapshot
        """The snapshot without what providers told of their models."""
        self.metrics = Metrics()
        self.found: Found | None = None
        self.configured: list[Client] = []
        """The config's clients, with the digests of their keys."""
        self.key_problems: tuple[str, ...] = ()
        self.url = ""
        self.began_mono_s = 0.0

    @contextlib.asynccontextmanager
    async def build(self) -> AsyncIterator[Application]:
        """Return the application, built on the running loop; everything ends with it."""
        environ, limits = self.options.environ, self.holder.current.limits
        loop = asyncio.get_running_loop()
        self.began_mono_s = loop.time()
        self.client = NetClient(limits, wall_unix_s=time.time)
        self.credentials = Credentials(environ, read_file, self.own.secret)
        self.embedded = Embedded(self.find_model, environ)
        proxies = read_proxies(environ)

        def origin_of(base_url: str, ca_file: str, is_local: bool) -> Any:  # noqa: FBT001  # a key of three parts
            return make_origin(base_url, ca_file=ca_file, is_local=is_local, proxies=proxies)

        self.catalogue = Catalogue(self.client, self.holder, self.credentials, origin_of)
        self.engine = self.make_engine(limits, origin_of)
        if self.is_first_run:
            await self.look()
        await self.load_credentials()
        self.keys = KeyRing(self.clients(await asyncio.to_thread(read_clients, self.home)))
        application = Application(
            holder=self.holder,
            keys=self.keys,
            engine=self.engine,
            catalogue=self.catalogue,
            status=self.status,
            metrics=self.metrics,
            log=self.log,
            names_of_machine=(platform.node(), f"{platform.node()}.local"),
        )
        self.metrics.set("everup_build_info", (__version__,), 1)
        tasks = [
            loop.create_task(self.repeat("keys", KEYS_EVERY_S, self.refresh_keys)),
            loop.create_task(self.repeat("lists", LISTS_EVERY_S, self.learn, is_at_once=True)),
        ]
        if self.is_first_run:
            tasks.append(loop.create_task(self.repeat("look", LOOK_EVERY_S, self.look_again)))
        try:
            yield application
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.catalogue.close()
            await self.embedded.close()
            await self.client.close()

    def make_engine(self, limits: Limits, origin_of: Callable[[str, str, bool], Any]) -> Engine:
        """Return the engine with its parts."""
        return Engine(
            Parts(
                limits=limits,
                client=self.client,
                wires=WIRES,
                credentials=self.credentials,
                embedded=self.embedded,
                origin_of=origin_of,
                metrics=self.metrics,
                log=self.log,
                jitter=random.random,
                wall_unix_s=time.time,
            )
        )

    def find_model(self) -> ModelFile | NoModel:
        """Return the embedded model's file, or why there is none."""
        return find_model(self.home, self.options.environ.get(GGUF_VARIABLE, ""))

    async def repeat(
        self, name: str, every_s: float, work: Callable[[], Awaitable[object]], *, is_at_once: bool = False
    ) -> None:
        """
        Do some upkeep again and again.

        A failure is one line in the log and another try, never the end of it.
        """
        while True:
            if not is_at_once:
                await asyncio.sleep(every_s)
            is_at_once = False
            try:
                await work()
            except Exception as error:  # noqa: BLE001  # the boundary of upkeep: it must not end, nor end a request
                self.metrics.count("everup_errors_total", (f"upkeep.{name}",))
                self.log.event(
                    "app.upkeep_failed", "error", work=name, exception=type(error).__name__, cause=str(error)
                )

    async def look(self) -> None:
        """Find what is on this machine and run under it."""
        found = await self.catalogue.find_first_run(
            self.options.environ,
            look_local=lambda: find_local(self.client, self.embedded, environ=self.options.environ),
            is_own_key=lambda text: is_own_key(text) or text == self.own.secret.reveal(),
        )
        if found == self.found:
            return
        is_embedded_kept = self.found is not None and bool(self.found.embedded_model)
        override = self.options.environ.get(MODEL_VARIABLE, "")
        loaded = load_found(found, override, is_embedded_kept=is_embedded_kept)
        current = self.holder.current
        self.plain = replace(loaded.snapshot, server=current.server, limits=current.limits)
        self.holder.swap(self.plain)
        for problem in loaded.problems:
            self.log.event("app.found_problem", "warning", problem=str(problem))
        self.found = found

    async def learn(self) -> None:
        """
        Ask providers what they list.

        And plan with what they tell where config says nothing.
        """
        await self.catalogue.refresh()
        told = with_facts(self.plain, self.catalogue.facts_of)
        if told.models != self.holder.current.models:
            self.holder.swap(told)

    async def look_again(self) -> None:
        """
        Pick up what appeared since: another server, a fetched model.

        What is gone stays, its health says so.
        """
        before = self.found
        if before is None or before.providers:
            return
        await self.look()
        if self.found != before:
            await self.load_credentials()
            routes = {name: [str(ref) for ref in route.chain] for name, route in self.holder.current.routes.items()}
            self.log.event("app.found", "info", routes=routes)

    async def load_credentials(self) -> None:
        """
        Resolve every secret that the snapshot names.

        Those that cannot be had are told.
        """
        for sentence in await self.credentials.load(self.holder.current):
            self.log.event("credentials.missing", "warning", problem=sentence)
        self.configured = [self.with_digest(client) for client in self.holder.current.clients.values()]

    async def refresh_keys(self) -> None:
        """Take the clients file as it is now."""
        self.keys.refresh(self.clients(await asyncio.to_thread(read_clients, self.home)))

    def tell_problems(self, stored: StoredClients) -> None:
        """Tell once what is wrong with the clients file, and once that it is well again."""
        if stored.problems == self.key_problems:
            return
        self.key_problems = stored.problems
        works = "everup's own key and the config's clients go on"
        for problem in stored.problems:
            self.log.event("keys.unreadable", "error", cause=problem, works=works, fix="everup keys list")
        if not stored.problems:
            self.log.event("keys.recovered", "info")

    def clients(self, stored: StoredClients) -> list[Client]:
        """
        Return everyone who may ask.

        The owner, the config's clients and the stored ones, less the revoked.
        """
        self.tell_problems(stored)
        own = Client(
            name="own", digest=digest_of(self.own.secret), scopes=frozenset({ClientScope.ADMIN, ClientScope.INFERENCE})
        )
        everyone = [*self.configured, *stored.clients.values()]
        return [own, *(client for client in everyone if client.digest and client.digest not in stored.revoked)]

    def with_digest(self, client: Client) -> Client:
        """
        Return a configured client with its key's digest.

        "" while the key cannot be had, or is too weak for where everup listens (S1).
        """
        try:
            if client.source is not None and not self.is_good_enough(self.credentials.secret_of(client.source)):
                self.log.event(
                    "keys.too_weak",
                    "error",
                    client=client.name,
                    cause="other machines can reach server.host, and this client's key is no 32 random bytes",
                    works="the client is refused, everything else is served",
                    fix=f"everup keys new {client.name}",
                )
                return replace(client, digest="")
            return replace(client, digest=self.credentials.digest_of(client))
        except CredentialError:
            return replace(client, digest="")

    def is_good_enough(self, key: Secret) -> bool:
        """Return whether a client's key may be used where everup listens."""
        server = self.holder.current.server
        return bool(server.unix_socket) or is_loopback(server.host) or is_strong(key.reveal())

    def view(self, candidate: Candidate, now_mono_s: float) -> CandidateView:
        """
        Return a candidate as `/status` shows it.

        One whose key cannot be had is failing before it is tried.
        """
        view = self.engine.parts.health.view(candidate, now_mono_s)
        try:
            self.credentials.current(candidate.profile)
        except CredentialError as error:
            return replace(view, state="failing", why=f"no_credential: {error.reason}")
        return view

    def status(self) -> dict[str, Any]:
        """Return what `/status` shows."""
        snapshot, now = self.holder.current, asyncio.get_running_loop().time()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(now - self.began_mono_s, 1),
            "url": self.url,
            "config": {
                "rev": snapshot.rev,
                "source": snapshot.source,
                "sha256": snapshot.sha256,
                "warnings": list(snapshot.warnings),
            },
            "routes": {name: [str(ref) for ref in route.chain] for name, route in snapshot.routes.items()},
            "candidates": [to_builtins(self.view(each, now)) for each in candidates_of(snapshot)],
            "clients": sorted({client.name for client in self.keys.by_digest.values()}),
            "embedded": self.embedded.status(),
        }


def candidates_of(snapshot: Snapshot) -> list[Candidate]:
    """Return every candidate of every route, once each, in the routes' order."""
    seen: dict[tuple[str, str], Candidate] = {}
    for route in snapshot.routes.values():
        plan = make_plan(route, snapshot, Needs(), turn=0, received_mono_s=0.0, deadline_s=None)
        for each in plan.candidates:
            seen.setdefault((each.name, each.profile.id), each)
    return list(seen.values())
