"""Which connections are used again, and for how long they are kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from everup.errors import Sent, TransportError, TransportKind
from everup.shapes.limits import Limits
from everup.testing.clock import JumpLoop
from tests.net.servers import OK, POST, Do, RawServer, Wait, ask, client_of, fail, kinds, until

pytestmark = pytest.mark.anyio
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


async def test_a_clean_connection_is_used_again() -> None:
    """Requests one after the other share one connection; the second knows that it was reused."""
    async with RawServer() as server, client_of() as client:
        reused = [(await ask(client, server.origin()))[2].is_reused for _ in range(3)]
        assert ([False, True, True], 1) == (reused, server.connections)
        place = f"http://127.0.0.1:{server.port}"
        assert {"open": 1, "idle": 1, "origins": {place: {"open": 1, "idle": 1}}} == client.view()


async def test_a_fresh_one_can_be_asked_for() -> None:
    """A request that wants a connection of its own gets a new one although one is idle."""
    async with RawServer() as server, client_of() as client:
        await ask(client, server.origin())
        assert not (await ask(client, server.origin(), is_fresh=True))[2].is_reused
        assert 2 == server.connections


async def test_a_body_that_came_at_once_does_not_stop_its_connection() -> None:
    """A body beyond the buffer that is there before it is read leaves a connection that the next request can use."""
    size = 5000
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
    async with RawServer(answer) as server, client_of(Limits(stream_buffer_bytes=100)) as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        await until(lambda: exchange.reader is not None and exchange.reader.is_done)
        assert size == len(await exchange.read_all(size))
        exchange.close()
        async with asyncio.timeout(5):
            _, body, second = await ask(client, server.origin())
        assert (size, True) == (len(body), second.is_reused)


async def test_origins_do_not_share() -> None:
    """Connections to the same address under other settings are not mixed up."""
    async with RawServer() as server, client_of() as client:
        await ask(client, server.origin())
        assert not (await ask(client, server.origin(is_local=True)))[2].is_reused


@pytest.mark.parametrize(
    "answer",
    [
        (CLOSING,),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",),
        (OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",),
        (OK + b"garbage",),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", Do.CLOSE),
    ],
)
async def test_a_connection_that_is_not_clean_is_closed(answer: tuple[bytes | Do, ...]) -> None:
    """The answer is good; its connection, about which something is doubtful, carries no second request."""
    async with RawServer(answer) as server, client_of() as client:
        bodies = [(await ask(client, server.origin()))[1] for _ in range(2)]
        assert ([b"hi", b"hi"], 2, 0) == (bodies, server.connections, client.view()["idle"])


async def test_an_unread_body_closes_the_connection() -> None:
    """Closing an exchange before its body was complete closes the connection at once."""
    async with RawServer((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", Do.HOLD)) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        exchange.close()
        await until(lambda: not server.open)
        assert 0 == client.view()["open"]


async def test_bytes_on_an_idle_connection_end_it() -> None:
    """A peer that speaks unasked is not trusted with another request."""
    async with RawServer() as server, client_of() as client:
        await ask(client, server.origin())
        server.push(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        await until(lambda: not client.view()["open"])
        assert not (await ask(client, server.origin()))[2].is_reused


async def test_a_peer_that_hangs_up_is_forgotten() -> None:
    """An idle connection that the peer closes is gone before anybody could take it."""
    async with RawServer() as server, client_of() as client:
        await ask(client, server.origin())
        server.hang_up()
        await until(lambda: not client.view()["open"])
        assert 0 == client.view()["idle"]


@pytest.mark.parametrize(("is_local", "young_s", "old_s"), [(True, 3.5, 4.5), (False, 54.0, 56.0)])
async def test_idle_connections_age(is_local: bool, young_s: float, old_s: float) -> None:  # noqa: FBT001  # a parameter of the table above
    """A connection is reused while it is young, and closed by itself, unasked, when it is not (ruling 4)."""
    async with RawServer() as server, client_of() as client:
        origin = server.origin(is_local=is_local)
        await ask(client, origin)
        await asyncio.sleep(young_s)
        assert (await ask(client, origin))[2].is_reused
        await asyncio.sleep(old_s)
        assert not (await ask(client, origin))[2].is_reused
        await asyncio.sleep(old_s + 2)
        await until(lambda: not client.view()["open"])
        assert client.pool.timer is None


async def test_the_longest_idle_one_gives_way() -> None:
    """At most so many connections are kept, the ones used last."""
    async with RawServer() as server, client_of(Limits(idle_connections_max=2)) as client:
        exchanges = [client.start(server.origin(), POST) for _ in range(4)]
        for exchange in exchanges:
            await exchange.read_all(10)
        kept = [exchange.connection for exchange in exchanges[2:]]
        for exchange in exchanges:
            exchange.close()
        assert kept == list(client.pool.idle)
        await until(lambda: 2 == client.view()["open"])


@pytest.mark.parametrize("end", [Do.CLOSE, Do.RESET])
async def test_a_reused_connection_that_ends_at_once_was_stale(end: Do) -> None:
    """The peer had closed before it got the request: that is its own kind, and a fresh connection answers."""
    async with RawServer((OK,), (end,), (OK,)) as server, client_of() as client:
        await ask(client, server.origin())
        error = await fail(client, server.origin())
        assert (TransportKind.STALE, True) == (error.kind, error.is_reused)
        assert b"hi" == (await ask(client, server.origin(), is_fresh=True))[1]


@pytest.mark.parametrize("steps", [(Wait(2), Do.CLOSE), (b"HTTP/1.1 ", Do.CLOSE)])
async def test_a_late_or_begun_end_is_ambiguous(steps: tuple[bytes | Do | Wait, ...]) -> None:
    """A reused connection that ends later, or after a first byte, may have been billed: it was not stale."""
    async with RawServer((OK,), steps) as server, client_of() as client:
        await ask(client, server.origin())
        error = await fail(client, server.origin())
        assert (TransportKind.RESET, Sent.ALL) == kinds(error)
        assert error.is_reused


async def test_many_at_once() -> None:
    """Concurrent requests each get their own answer, and later ones reuse the connections."""
    async with RawServer() as server, client_of() as client:
        for _ in range(3):
            answers = await asyncio.gather(*(ask(client, server.origin()) for _ in range(50)))
            assert {b"hi"} == {body for _, body, _ in answers}
        assert 50 == server.connections


async def test_a_closed_client_answers_nobody() -> None:
    """Closing the client ends what waits and refuses what comes after, both as our own doing or a lost connection."""
    async with RawServer((Do.HOLD,)) as server, client_of() as client:
        waiting = asyncio.create_task(fail(client, server.origin()))
        await until(lambda: bool(server.requests))
        await client.close()
        assert TransportKind.RESET is (await waiting).kind
        assert TransportKind.ABORTED is (await fail(client, server.origin())).kind


async def test_a_client_closed_while_dialing() -> None:
    """A dial under way when the client closes ends as our own doing."""
    async with RawServer() as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        waiting = asyncio.create_task(exchange.head())
        await asyncio.sleep(0)
        assert exchange.dialing is not None
        await client.close()
        with pytest.raises(TransportError) as caught:
            await waiting
        assert TransportKind.ABORTED is caught.value.kind
        exchange.close()
