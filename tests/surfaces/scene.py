"""
A gateway's client side on a real socket, with an engine that does what a test tells it.

Lives here: making one, speaking raw HTTP to it. Must not: assertions.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import msgspec

from everup.engine.out import Out
from everup.observe.log import Log
from everup.observe.metrics import Metrics
from everup.serve import Server, open_sockets
from everup.shapes.arrival import Arrival
from everup.shapes.asked import Asked
from everup.shapes.limits import Limits
from everup.shapes.route import ModelRef, Provider, Route
from everup.shapes.snapshot import Client, ClientScope, ServerSettings, Snapshot
from everup.surfaces.connections import Connections
from everup.surfaces.keys import KeyRing
from everup.surfaces.table import Application
from everup.surfaces.turn import Turn

KEY = "eu-admin-0123456789abcdefghijklmnopqrstuvwxyz"
USER_KEY = "eu-user-0123456789abcdefghijklmnopqrstuvwxyzA"
ANSWER = b'{"id":"chatcmpl-1","object":"chat.completion","choices":[]}'
BODY = b'{"model":"default","messages":[{"role":"user","content":"hi"}]}'
STREAM_BODY = b'{"model":"default","stream":true,"messages":[{"role":"user","content":"hi"}]}'
CHAT = "/v1/chat/completions"
READ_S = 5.0

Act = Callable[[Asked, Route, Arrival, Out], Awaitable[None]]


def make_client(name: str, key: str, *scopes: ClientScope, routes: frozenset[str] = frozenset()) -> Client:
    """Return a client with a key."""
    return Client(name=name, digest=sha256(key.encode()).hexdigest(), scopes=frozenset(scopes), routes=routes)


ADMIN = make_client("own", KEY, ClientScope.INFERENCE, ClientScope.ADMIN)
USER = make_client("user", USER_KEY, ClientScope.INFERENCE)


def make_snapshot(limits: Limits | None = None, **server: Any) -> Snapshot:
    """Return a configuration with one provider and the route `default`."""
    return Snapshot(
        server=ServerSettings(port=0, **server),
        limits=limits or Limits(),
        providers={"p": Provider(name="p", wire="openai_chat", base_url="http://127.0.0.1:1/v1")},
        routes={"default": Route(name="default", chain=(ModelRef("p", "org/model"),))},
    )


async def answer_whole(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
    """Answer as an engine does for a request that is not streamed."""
    await out.begin(
        200,
        [
            (b"x-everup-model", b"p/org/model"),
            (b"x-everup-trail", b"p/org/model=ok (1ms)"),
            (b"content-length", b"%d" % len(ANSWER)),
        ],
    )
    await out.write(ANSWER)
    await out.finish()


class ScriptedEngine:
    """An engine that calls the test's function; remembers what it was asked."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.asked: list[Asked] = []
        self.arrivals: list[Arrival] = []

    async def answer(self, asked: Asked, route: Route, arrival: Arrival, out: Out) -> None:
        """Do what the test says."""
        self.asked.append(asked)
        self.arrivals.append(arrival)
        await self.act(asked, route, arrival, out)


class Lists:
    """A catalogue with fixed lists."""

    def models_of(self, provider: str) -> tuple[str, ...] | None:
        """Return what a provider lists."""
        return {"p": ("org/model", "other")}.get(provider)


class Fixed:
    """A holder whose snapshot a test may replace."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.current = snapshot


class Plain(Application):
    """The application as any ASGI server calls it: nothing of ours but the protocol below it."""

    def take(self, turn: Turn) -> Coroutine[Any, Any, None]:
        """Return the answering of one request through ASGI's scope, receive and send."""
        return turn.run_asgi(self)  # type: ignore[arg-type]  # uvicorn's types are narrower than ASGI's


class House:
    """What a test holds of a running gateway."""

    made_of: type[Application] = Application
    """What tests run on; the fixture `way` runs each on both."""

    def __init__(self, snapshot: Snapshot, act: Act, log: Log) -> None:
        self.holder = Fixed(snapshot)
        self.engine = ScriptedEngine(act)
        self.keys = KeyRing((ADMIN, USER))
        self.metrics = Metrics()
        self.log = log
        self.application = self.made_of(
            holder=self.holder,
            keys=self.keys,
            engine=self.engine,
            catalogue=Lists(),
            status=lambda: {"version": "0", "pid": os.getpid()},
            metrics=self.metrics,
            log=log,
            names_of_machine=("box.example",),
        )
        self.port = 0
        self.connections: Connections
        self.server: Server

    async def raw(self, data: bytes, *, within_s: float = READ_S) -> bytes:
        """Return everything the gateway says to these bytes until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(within_s):
                return await reader.read()
        finally:
            writer.close()

    async def ask(
        self,
        method: str = "POST",
        path: str = CHAT,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = KEY,
    ) -> Said:
        """Return the answer to one well-formed request; a header given as "" is left out."""
        content = (BODY if method == "POST" else b"") if body is None else body
        sent = {"host": f"127.0.0.1:{self.port}", "connection": "close"}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        if content:
            sent |= {"content-type": "application/json", "content-length": str(len(content))}
        sent |= headers or {}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value != "")]
        return Said(await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + content))


class Said:
    """An answer taken apart."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if raw else 0
        pairs = [line.partition(": ") for line in lines[1:]]
        self.headers = {name: value for name, _, value in pairs}
        self.body = dechunk(body) if self.headers.get("transfer-encoding") == "chunked" else body
        self.is_whole = not self.headers.get("transfer-encoding") or body.endswith(b"0\r\n\r\n")

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    def code(self) -> str:
        """Return the error's code."""
        return str(self.json()["error"]["code"])


def dechunk(body: bytes) -> bytes:
    """Return a chunked body's content, as much as is there."""
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        body = rest[length + 2 :]
    return b"".join(parts)


@asynccontextmanager
async def gateway(
    act: Act = answer_whole, snapshot: Snapshot | None = None, log: Log | None = None
) -> AsyncIterator[House]:
    """A running client side on a port of its own."""
    snapshot = snapshot or make_snapshot()
    own_log = log or Log(None, snapshot.limits)
    house = House(snapshot, act, own_log)
    sockets = open_sockets(snapshot.server)
    server = Server(snapshot.server, snapshot.limits, own_log, sockets, None)
    house.server = server
    loop = asyncio.get_running_loop()
    house.connections = Connections(snapshot.limits, server.state, loop, house.metrics)
    house.application.connections_open = lambda: len(house.connections.open)
    house.connections.start()
    listeners = await server.listen(house.application, house.connections)
    house.port = server.port()
    try:
        yield house
    finally:
        for listener in listeners:
            listener.close()
        for connection in list(server.state.connections):
            connection.transport.abort()
        for task in list(server.state.tasks):
            task.cancel()
        if server.state.tasks:
            await asyncio.wait(server.state.tasks)
        await house.connections.wait_empty(1.0)
        house.connections.stop()
        for each in sockets:
            each.close()
        if log is None:
            own_log.close()


async def until(claim: Callable[[], bool], within_s: float = READ_S) -> None:
    """Wait until a claim holds."""
    async with asyncio.timeout(within_s):
        while not claim():
            await asyncio.sleep(0.005)


def pairs(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them."""
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def replace(snapshot: Snapshot, **changes: Any) -> Snapshot:
    """Return a snapshot with other fields."""
    return msgspec.structs.replace(snapshot, **changes)
