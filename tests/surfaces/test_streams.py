"""Streams to clients: whole, cut, left, revoked, slow."""

from __future__ import annotations

import asyncio
import socket

import pytest

from everup.engine.out import Out
from everup.shapes.arrival import Arrival
from everup.shapes.asked import Asked
from everup.shapes.failure import Failure
from everup.shapes.limits import Limits
from everup.shapes.route import Route
from tests.surfaces.scene import (
    ADMIN,
    CHAT,
    KEY,
    STREAM_BODY,
    USER_KEY,
    House,
    Said,
    gateway,
    make_snapshot,
    until,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("way")]

EVENT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
FAILED = Failure(status=502, kind="unavailable", code="answer_cut", message="it broke off")


def request(body: bytes = STREAM_BODY, key: str = KEY) -> bytes:
    """Return a request as bytes."""
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    return head.encode() + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Endless:
    """An engine that streams until it is cancelled, and says when it was."""

    def __init__(self, piece: bytes = EVENT, pause_s: float = 0.005) -> None:
        self.piece = piece
        self.pause_s = pause_s
        self.cancelled = asyncio.Event()
        self.written = 0

    async def __call__(self, _asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        """Stream."""
        try:
            await out.begin(200, [(b"x-everup-model", b"p/org/model")])
            while True:
                await out.write(self.piece)
                self.written += len(self.piece)
                await asyncio.sleep(self.pause_s)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def silent(_asked: Asked, _route: Route, _arrival: Arrival, _out: Out) -> None:
    """Wait without an answer."""
    await asyncio.Event().wait()


async def open_stream(house: House, key: str = KEY) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection whose stream has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(request(key=key))
    return reader, writer


async def test_a_stream_leaves_whole() -> None:
    """A stream has an event stream's headers, every byte the engine wrote, and a proper end."""

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        await out.begin(200, [(b"content-type", b"text/event-stream; charset=utf-8")])
        for _ in range(3):
            await out.write(EVENT)
        await out.write(b"data: [DONE]\n\n")
        await out.finish()

    async with gateway(act) as house:
        said = await house.ask(body=STREAM_BODY)
    assert said.is_whole
    assert EVENT * 3 + b"data: [DONE]\n\n" == said.body
    assert ("text/event-stream; charset=utf-8", "no", "no-store") == tuple(
        said.headers[name] for name in ("content-type", "x-accel-buffering", "cache-control")
    )


async def test_a_failed_stream_ends_with_an_error_event_and_no_end() -> None:
    """An answer that broke off carries an error event, and its body never ends as if it were complete."""

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        await out.begin(200, [])
        await out.write(EVENT)
        await out.fail(FAILED)

    async with gateway(act) as house:
        said = await house.ask(body=STREAM_BODY)
        again = await house.ask("GET", "/healthz")
    assert not said.is_whole
    assert said.body.startswith(EVENT)
    assert b"it broke off" in said.body
    assert b"[DONE]" not in said.body
    assert 200 == again.status


async def test_a_bug_in_mid_stream_is_told_and_cut() -> None:
    """An error of our own after content ends the stream with an error event too, without detail."""

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        await out.begin(200, [])
        await out.write(EVENT)
        message = "canary"
        raise ZeroDivisionError(message)

    async with gateway(act) as house:
        said = await house.ask(body=STREAM_BODY)
    assert not said.is_whole
    assert b"internal_error" in said.body
    assert b"canary" not in said.raw


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_86_a_client_that_leaves_cancels_the_engine(how: str) -> None:
    """A client that closes, half-closes or resets is noticed at once: the engine's task is cancelled."""
    act = Endless()
    async with gateway(act) as house:
        reader, writer = await open_stream(house)
        await reader.readuntil(b"data")
        if how == "close":
            writer.close()
        elif how == "half-close":
            writer.write_eof()
        else:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        async with asyncio.timeout(1):
            await act.cancelled.wait()
        await until(lambda: not house.connections.open)
        writer.close()
    assert 1 == house.metrics.numbers["everup_requests_left_total", ("chat",)]
    assert ("everup_errors_total", ("chat",)) not in house.metrics.numbers


async def test_86_a_client_that_leaves_before_the_head_cancels_the_engine() -> None:
    """Leaving while nothing was answered yet cancels the engine as well."""
    async with gateway(silent) as house:
        _, writer = await open_stream(house)
        await until(lambda: len(house.keys.open) == 1)
        writer.close()
        await until(lambda: not house.keys.open)


async def test_86_a_slow_client_holds_the_engine_back() -> None:
    """A client that does not read stops the engine after the buffers are full, and is cut after its time."""
    act = Endless(piece=b"data: " + b"x" * 65_536 + b"\n\n", pause_s=0)
    async with gateway(act, make_snapshot(Limits(send_quiet_s=0.5))) as house:
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", house.port))
        small.sendall(request())
        async with asyncio.timeout(5):
            await act.cancelled.wait()
        small.close()
    assert act.written < 16 * 1024 * 1024


@pytest.mark.parametrize("when", ["in the stream", "before it"])
async def test_s8_a_revoked_key_ends_its_open_requests(when: str) -> None:
    """Revoking a key ends its streams with an error event at once; others go on."""
    act = Endless()
    async with gateway(act if when == "in the stream" else silent) as house:
        reader, writer = await open_stream(house, USER_KEY)
        _, other = await open_stream(house)
        await until(lambda: len(house.keys.open) == 2)
        if when == "in the stream":
            await reader.readuntil(b"data")
        house.keys.refresh((ADMIN,))
        async with asyncio.timeout(1):
            rest = await reader.readuntil(b"key_revoked")
        assert [ADMIN] == [call.client for call in house.keys.open]
        writer.close()
        other.close()
    assert rest.startswith(b"HTTP/1.1 401") == (when == "before it")


async def test_62_a_drain_ends_streams_with_an_error_event() -> None:
    """When the drain's time is up, open streams end with an error event and without a proper end."""
    act = Endless()
    async with gateway(act, make_snapshot(Limits(drain_s=0.2))) as house:
        reader, writer = await open_stream(house)
        await reader.readuntil(b"data")
        await house.server.drain(house.application, house.connections, [])
        rest = await reader.read()
        writer.close()
    assert b"shutting_down" in rest
    assert not rest.endswith(b"0\r\n\r\n")


async def test_62_a_drain_lets_a_stream_finish() -> None:
    """A stream that ends within the drain ends whole."""

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        await out.begin(200, [])
        for _ in range(20):
            await out.write(EVENT)
            await asyncio.sleep(0.02)
        await out.finish()

    async with gateway(act) as house:
        reader, writer = await open_stream(house)
        head = await reader.readuntil(b"data")
        await house.server.drain(house.application, house.connections, [])
        said = Said(head + await reader.read())
        writer.close()
    assert said.is_whole
    assert EVENT * 20 == said.body


async def test_62_a_request_that_still_uploads_is_ended_too() -> None:
    """A request whose body is not there yet when the drain is over gets the same error, as a status."""
    async with gateway(silent, make_snapshot(Limits(drain_s=0.1))) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(request()[:-5])
        await until(lambda: bool(house.server.state.tasks))
        await house.server.drain(house.application, house.connections, [])
        said = Said(await reader.read())
        writer.close()
    assert (503, "shutting_down", "true") == (said.status, said.code(), said.headers["x-should-retry"])


async def test_a_plain_asgi_server_works_too() -> None:
    """Without our protocol the application answers, notices a client that leaves, and never raises."""
    act = Endless()
    async with gateway(act) as house:
        body = [{"type": "http.request", "body": STREAM_BODY, "more_body": False}]
        gone = asyncio.Event()
        sent: list[str] = []

        async def receive() -> dict[str, object]:
            if body:
                return dict(body.pop())
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            sent.append(str(message["type"]))
            await asyncio.sleep(0)

        headers = [(b"host", b"localhost"), (b"x-api-key", KEY.encode()), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "raw_path": CHAT.encode(), "headers": headers, "client": None}
        task = asyncio.create_task(house.application(scope, receive, send))  # type: ignore[arg-type]  # plain dicts
        await until(lambda: len(sent) > 3)
        gone.set()
        async with asyncio.timeout(1):
            await task
    assert act.cancelled.is_set()
    assert "http.response.start" == sent[0]
