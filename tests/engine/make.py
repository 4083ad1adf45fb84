"""An engine with real connections to scripted providers, and a client that writes down what it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec

from everup.engine.engine import Engine
from everup.engine.out import Headers
from everup.engine.parts import Parts
from everup.engine.run import Exhausted
from everup.errors import CredentialError
from everup.net.client import Client as NetClient
from everup.net.origin import make_origin
from everup.net.proxy import read_proxies
from everup.observe.metrics import Metrics
from everup.shapes.arrival import Arrival
from everup.shapes.failure import Failure
from everup.shapes.limits import Limits
from everup.shapes.route import ClockOverrides, Model, ModelRef, Profile, Provider, Route
from everup.shapes.secret import Secret
from everup.shapes.snapshot import Client, Snapshot
from everup.testing.provider import ScriptedProvider
from everup.testing.scripts import Script
from everup.wires.table import WIRES

WIRE = WIRES["openai_chat"]
HELLO = {"messages": [{"role": "user", "content": "Say hello."}]}


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def event(self, name: str, level: str, **fields: object) -> None:
        """Keep one line."""
        self.lines.append((name, {"level": level, **fields}))


class Keys:
    """Secrets by profile; a profile called `gone` has none."""

    def current(self, profile: Profile) -> Secret | None:
        """Return a profile's secret."""
        if profile.id == "gone":
            raise CredentialError("env:GONE is not set")
        return Secret(f"sk-{profile.provider}-{profile.id}")


class NoEmbedded:
    """A machine without an embedded model."""

    @contextmanager
    def lease(self) -> Any:
        """Nothing is kept alive."""
        yield

    async def start_if_needed(self) -> tuple[str, Secret]:
        """Never called in these tests."""
        raise AssertionError


class Sheet:
    """A client that writes down what it is sent, at its own pace."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.failure: Failure | None = None
        self.is_finished = False

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Keep a whole answer."""
        await self.begin(status, headers)
        await self.write(body)
        await self.finish()

    async def begin(self, status: int, headers: Headers) -> None:
        """Keep the head."""
        assert not self.status
        self.status = status
        self.headers = {name.decode(): value.decode() for name, value in headers}

    async def write(self, data: bytes) -> None:
        """Keep bytes of the body."""
        assert self.status
        assert not self.is_finished
        self.parts.append(data)
        await asyncio.sleep(self.pause_s)

    def write_now(self, data: bytes) -> bool:
        """Keep bytes of the body at once, unless this client is slow."""
        assert self.status
        assert not self.is_finished
        if self.pause_s:
            return False
        self.parts.append(data)
        return True

    async def finish(self) -> None:
        """Keep that it was complete."""
        assert not self.is_finished
        assert self.failure is None
        self.is_finished = True

    async def fail(self, failure: Failure) -> None:
        """Keep how it broke off."""
        assert self.status
        assert not self.is_finished
        self.failure = failure

    @property
    def body(self) -> bytes:
        """Return everything sent."""
        return b"".join(self.parts)

    @property
    def text(self) -> str:
        """Return what a person would read."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return str(json.loads(self.body)["choices"][0]["message"]["content"])
        said = []
        for line in self.body.split(b"\n"):
            if line.startswith(b"data: {"):
                said += [choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"]]
        return "".join(said)

    @property
    def trail(self) -> str:
        """Return the trail."""
        return self.headers["x-everup-trail"]


class World:
    """Providers by name, one route over them, and the engine that answers it."""

    def __init__(self, providers: dict[str, ScriptedProvider], snapshot: Snapshot) -> None:
        self.providers = providers
        self.snapshot = snapshot
        self.log = Lines()
        self.net = NetClient(snapshot.limits)
        proxies = read_proxies({})
        self.engine = Engine(
            Parts(
                limits=snapshot.limits,
                client=self.net,
                wires=WIRES,
                credentials=Keys(),
                embedded=NoEmbedded(),
                origin_of=lambda url, ca, local: make_origin(url, ca_file=ca, is_local=local, proxies=proxies),
                metrics=Metrics(),
                log=self.log,
                jitter=lambda: 1.0,
                wall_unix_s=lambda: 1_700_000_000.0,
            )
        )

    async def ask(
        self, *, is_stream: bool, sheet: Sheet | None = None, deadline_s: float | None = None, **fields: Any
    ) -> Sheet:
        """Return what a client was sent; a total failure is kept with status 0."""
        body = msgspec.json.encode({"model": "default", "stream": is_stream, **HELLO, **fields})
        asked = WIRE.read_request(body, self.snapshot.limits)
        arrival = Arrival(
            request_id="req_1",
            surface="openai_chat",
            client=Client(name="me"),
            received_mono_s=asyncio.get_running_loop().time(),
            snapshot=self.snapshot,
            deadline_s=deadline_s,
        )
        out = sheet if sheet is not None else Sheet()
        try:
            await self.engine.answer(asked, self.snapshot.routes["default"], arrival, out)
        except Exhausted as error:
            out.failure = error.failure
        return out

    def calls(self) -> dict[str, int]:
        """Return how many requests each provider got."""
        return {name: len(provider.requests) for name, provider in self.providers.items()}


def make_world_snapshot(
    urls: dict[str, str], *, limits: Limits, clocks: ClockOverrides, profiles: dict[str, tuple[Profile, ...]]
) -> Snapshot:
    """Return a snapshot with a route `default` over one model of each provider."""
    return Snapshot(
        limits=limits,
        providers={
            name: Provider(
                name=name,
                wire="openai_chat",
                base_url=url,
                profiles=profiles.get(name, (Profile(id="default", provider=name),)),
            )
            for name, url in urls.items()
        },
        models={f"{name}/m": Model(ref=ModelRef(name, "m")) for name in urls},
        routes={"default": Route(name="default", chain=tuple(ModelRef(name, "m") for name in urls), clocks=clocks)},
    )


@asynccontextmanager
async def world(
    *,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    clocks: ClockOverrides = ClockOverrides(),  # noqa: B008  # frozen
    profiles: dict[str, tuple[Profile, ...]] | None = None,
    **scripts: Script | tuple[Script, ...],
) -> AsyncIterator[World]:
    """Return an engine over one scripted provider per name; everything it opened is closed again."""
    providers: dict[str, ScriptedProvider] = {}
    try:
        for name, script in scripts.items():
            listed = script if isinstance(script, tuple) else (script,)
            providers[name] = await ScriptedProvider({"*": listed}).__aenter__()
        urls = {name: provider.base_url for name, provider in providers.items()}
        made = World(providers, make_world_snapshot(urls, limits=limits, clocks=clocks, profiles=profiles or {}))
        try:
            yield made
        finally:
            await made.net.close()
            assert 0 == made.net.view()["open"]
            assert all(gate.taken == 0 for gate in made.engine.parts.admission.gates.values())
    finally:
        for provider in providers.values():
            await provider.__aexit__(None, None, None)
