"""One request and its answer over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from everup.errors import Sent, TransportError, TransportKind
from everup.net.client import Outgoing
from everup.net.exchange import Exchange
from everup.net.origin import Origin
from everup.shapes.limits import Limits
from everup.testing.clock import JumpLoop
from tests.net.servers import OK, POST, Do, RawServer, Wait, ask, client_of, fail, kinds, until

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1 200 OK\r\n"
BIG = Outgoing(method=b"POST", target=b"/", headers=(), body=b"x" * 30_000_000)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


async def test_a_request_goes_out_whole_and_once() -> None:
    """The request has the caller's headers and ours, and its body, byte for byte."""
    async with RawServer() as server, client_of() as client:
        status, body, exchange = await ask(client, server.origin())
        head = b"POST /v1/chat HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept-encoding: identity\r\n" % server.port
        head += b"content-type: application/json\r\ncontent-length: 7\r\n\r\n"
        assert (200, b"hi") == (status, body)
        assert [head + POST.body] == server.requests
        assert (Sent.ALL, False, False) == (exchange.sent, exchange.is_reused, exchange.is_ended_by_close)


async def test_a_get_has_no_length() -> None:
    """A GET without a body says nothing of one."""
    async with RawServer() as server, client_of() as client:
        await ask(client, server.origin(), Outgoing(method=b"GET", target=b"/v1/models", headers=()))
        assert b"content-length" not in server.requests[0]


@pytest.mark.parametrize("status", [204, 301, 302, 401, 429, 500, 503, 529])
async def test_a_status_is_not_an_error(status: int) -> None:
    """Every status comes back as the head says it; redirects are not followed."""
    answer = b"HTTP/1.1 %d X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n" % status
    async with RawServer(answer) as server, client_of() as client:
        assert (status, b"") == (await ask(client, server.origin()))[:2]
        assert 1 == len(server.requests)


@pytest.mark.parametrize("slices", [1, 7])
async def test_slices_make_no_difference(slices: int) -> None:
    """An answer in slices of any size is the same answer, interim heads and trailers included."""
    answer = b"HTTP/1.1 103 Early\r\n\r\n" + HEAD + b"transfer-encoding: chunked\r\n\r\n"
    answer += b"4\r\ndata\r\n6\r\n: 1\n\n\xe2\r\n2\r\n\x82\xac\r\n0\r\nx-t: 1\r\n\r\n"
    async with RawServer(answer, slices=slices) as server, client_of() as client:
        assert b"data: 1\n\n\xe2\x82\xac" == (await ask(client, server.origin()))[1]
        assert (await ask(client, server.origin()))[2].is_reused


async def test_what_has_arrived_comes_at_once() -> None:
    """A stream's bytes are given as they come, and those that came together come together."""
    steps = (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n", Wait(30), b"1\r\nc\r\n0\r\n\r\n")
    async with RawServer(steps) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        assert [b"ab", b"c", b"", b""] == [await exchange.read() for _ in range(4)]
        assert exchange.first_byte_mono_s is not None
        exchange.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((Do.CLOSE,), TransportKind.RESET),
        ((Do.RESET,), TransportKind.RESET),
        ((b"HTTP/1.1 200 OK\r\ncont", Do.CLOSE), TransportKind.RESET),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", Do.CLOSE), TransportKind.RESET),
        ((HEAD + b"content-length: 9\r\n\r\nhi", Do.CLOSE), TransportKind.CUT),
        ((HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", Do.CLOSE), TransportKind.CUT),
        ((HEAD + b"content-length: 9\r\n\r\nhi", Wait(1), Do.RESET), TransportKind.CUT),
        ((HEAD + b"\r\nhi", Wait(1), Do.RESET), TransportKind.CUT),
        ((HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n", Do.HOLD), TransportKind.BAD_HTTP),
        ((HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\nhi", Do.HOLD), TransportKind.BAD_HTTP),
        ((HEAD + b"a: b\r\n" * 300, Do.HOLD), TransportKind.BAD_HTTP),
        ((HEAD + b"a: " + b"b" * 400_000, Do.HOLD), TransportKind.BAD_HTTP),
        ((b"\x15\x03\x01\x00\x02\x02\x16", Do.HOLD), TransportKind.BAD_HTTP),
    ],
)
async def test_each_bad_end_has_its_kind(answer: tuple[bytes | Do | Wait, ...], kind: TransportKind) -> None:
    """An answer that is cut or no HTTP fails by its kind, as sent whole, and its connection is closed."""
    async with RawServer(answer) as server, client_of() as client:
        error = await fail(client, server.origin())
        assert (kind, Sent.ALL) == kinds(error)
        assert f"http://127.0.0.1:{server.port}" in error.message
        assert 0 == client.view()["idle"]


async def test_what_came_before_a_cut_is_given_first() -> None:
    """Bytes that arrived before the connection broke are read before the error is raised."""
    steps = (HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", Do.CLOSE)
    async with RawServer(steps) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        await until(lambda: not client.pool.open)
        assert b"hi" == await exchange.read()
        with pytest.raises(TransportError, match="inside the body"):
            await exchange.read()
        exchange.close()


async def test_a_body_without_length_is_told() -> None:
    """A body that only the connection ends is complete as far as HTTP goes, and says that this is all it knows."""
    async with RawServer((HEAD + b"\r\nhi", Do.CLOSE)) as server, client_of() as client:
        _, body, exchange = await ask(client, server.origin())
        assert (b"hi", True) == (body, exchange.is_ended_by_close)


@pytest.mark.parametrize(
    "framing", [b"content-length: 5\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"]
)
async def test_a_body_over_the_limit_is_refused(framing: bytes) -> None:
    """A body larger than asked for is an error as soon as that is known, however it is framed."""
    async with RawServer((HEAD + framing, Do.HOLD)) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        with pytest.raises(TransportError) as caught:
            await exchange.read_all(4)
        assert TransportKind.TOO_LARGE is caught.value.kind
        exchange.close()


async def test_a_body_at_the_limit_is_read_whole() -> None:
    """A body of exactly the limit is returned."""
    async with RawServer() as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        assert b"hi" == await exchange.read_all(2)
        exchange.close()


async def test_a_slow_reader_holds_little() -> None:
    """A body that nobody reads stops arriving, and all of it comes once it is read."""
    size = 20_000_000
    limits = Limits(stream_buffer_bytes=65_536)
    async with (
        RawServer(HEAD + b"content-length: %d\r\n\r\n" % size + b"x" * size) as server,
        client_of(limits) as client,
    ):
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        await until(lambda: exchange.connection is not None and exchange.connection.is_paused)
        assert exchange.reader is not None
        assert exchange.reader.held_bytes < 65_536 + 262_144
        assert size == len(await exchange.read_all(size))
        exchange.close()
        assert 1 == client.view()["idle"]


async def test_nothing_is_sent_before_the_head_is_wanted() -> None:
    """Starting an exchange does nothing yet, and closing it then neither."""
    async with RawServer() as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        assert (Sent.NOTHING, 0) == (exchange.sent, client.view()["open"])
        exchange.close()
        exchange.close()


async def test_a_body_on_its_way_is_partly_sent() -> None:
    """While the peer takes no more of the request it counts as sent in part, also after the connection broke."""
    async with client_of() as client:
        silent = await asyncio.get_running_loop().create_server(SilentPeer, "127.0.0.1", 0)
        exchange = client.start(Origin("http", "127.0.0.1", silent.sockets[0].getsockname()[1]), BIG)
        reading = asyncio.create_task(exchange.head())
        await until(lambda: exchange.sent is Sent.SOME)
        SilentPeer.hang_up()
        with pytest.raises(TransportError) as caught:
            await reading
        assert (TransportKind.RESET, Sent.SOME) == kinds(caught.value)
        exchange.close()
        silent.close()


class SilentPeer(asyncio.Protocol):
    """A peer that reads nothing."""

    transports: list[asyncio.Transport] = []  # noqa: RUF012  # one test's peers, emptied when they hang up

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Reading stops."""
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self.transports.append(transport)

    @classmethod
    def hang_up(cls) -> None:
        """Every peer has gone, without having read."""
        while cls.transports:
            cls.transports.pop().abort()


async def test_an_early_answer_does_not_keep_the_connection() -> None:
    """An answer that comes while the request is still leaving is good, and its connection is closed."""
    async with client_of() as client:

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 413 Large\r\ncontent-length: 2\r\n\r\nno")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            peers.append(writer)

        peers: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        status, body, exchange = await ask(client, Origin("http", "127.0.0.1", port), BIG)
        assert (413, b"no", Sent.ALL) == (status, body, exchange.sent)
        assert 0 == client.view()["idle"]
        server.close()
        for peer in peers:
            peer.transport.abort()


@pytest.mark.parametrize("when", ["before", "dialing", "head", "body"])
async def test_an_abort_ends_it_at_any_time(when: str) -> None:
    """An aborted exchange raises that error at once, wherever it waits, and its connection is closed."""
    given = TransportError(TransportKind.ABORTED, "a clock decided")
    steps = {"head": (Do.HOLD,), "body": (HEAD + b"content-length: 9\r\n\r\nhi", Do.HOLD)}.get(when, (OK,))
    async with RawServer(steps) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        if when == "before":
            exchange.abort(given)
        elif when == "body":
            await exchange.head()
            await exchange.read()
        reading = asyncio.create_task(exchange.read())
        if when == "dialing":
            await asyncio.sleep(0)
            assert exchange.dialing is not None
        elif when == "head":
            await until(lambda: bool(server.requests))
        elif when == "body":
            await asyncio.sleep(0)
        exchange.abort(given)
        with pytest.raises(TransportError) as caught:
            await reading
        assert given is caught.value
        with pytest.raises(TransportError):
            await exchange.head()
        exchange.close()
        await until(lambda: not client.pool.open and not client.dials)


async def test_closing_wakes_whoever_waits() -> None:
    """A read that waits while its exchange is closed by somebody else ends with an error."""
    async with RawServer((Do.HOLD,)) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        reading = asyncio.create_task(exchange.head())
        await until(lambda: bool(server.requests))
        exchange.close()
        with pytest.raises(TransportError, match="closed"):
            await reading


@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing(method=b"HEAD", target=b"/", headers=()),
        Outgoing(method=b"GET", target=b"http://elsewhere/", headers=()),
        Outgoing(method=b"GET", target=b"/a b", headers=()),
        Outgoing(method=b"GET", target=b"/\r\nx: y", headers=()),
        Outgoing(method=b"GET", target=b"/", headers=((b"x", b"secret\r\ny: z"),)),
        Outgoing(method=b"GET", target=b"/", headers=((b"x", b"secret\n"),)),
        Outgoing(method=b"GET", target=b"/", headers=((b"x", b"secret\0"),)),
        Outgoing(method=b"GET", target=b"/", headers=((b"x:y", b"secret"),)),
        Outgoing(method=b"GET", target=b"/", headers=((b"", b"secret"),)),
        Outgoing(method=b"GET", target=b"/", headers=((b"Host", b"secret"),)),
        Outgoing(method=b"GET", target=b"/", headers=((b"transfer-encoding", b"secret"),)),
    ],
)
async def test_a_request_that_could_mislead_is_not_sent(outgoing: Outgoing) -> None:
    """A method, target or header that could be read as something else never leaves, and its value is not told."""
    async with RawServer() as server, client_of() as client:
        error = await fail(client, server.origin(), outgoing)
        assert (TransportKind.LOCAL, Sent.NOTHING) == kinds(error)
        assert "secret" not in error.message
        assert 0 == server.connections


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


class Sink:
    """A sink that takes everything up to a piece."""

    def __init__(self, last: bytes = b"") -> None:
        self.last = last
        self.got: list[bytes] = []

    def __call__(self, data: bytes) -> bool:
        """Take a piece."""
        self.got.append(data)
        return data != self.last


async def relay_and_read(exchange: Exchange, sink: Callable[[bytes], bool]) -> bytes:
    """Return what comes after a relay."""
    await exchange.relay(sink)
    return await exchange.read()


async def test_a_sink_gets_each_piece_as_it_comes() -> None:
    """What arrives is given to the sink in its order, and the end of the body ends the relay."""
    answer = (CHUNKED, Wait(0.1), b"1\r\na\r\n", Wait(0.1), b"1\r\nb\r\n1\r\nc\r\n", Wait(0.1), b"0\r\n\r\n")
    sink = Sink()
    async with RawServer(answer) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        assert b"" == await relay_and_read(exchange, sink)
        exchange.close()
        assert 1 == client.view()["idle"]
    assert [b"a", b"bc"] == sink.got


async def test_a_sink_that_takes_no_more_is_not_asked_again() -> None:
    """A sink keeps what it declined after, and the rest is read as usual."""
    answer = (CHUNKED, Wait(0.1), b"1\r\na\r\n", Wait(0.1), b"1\r\nb\r\n", Wait(0.1), b"1\r\nc\r\n0\r\n\r\n")
    sink = Sink(last=b"b")
    async with RawServer(answer) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        assert b"c" == await relay_and_read(exchange, sink)
        assert [b"a", b"b"] == sink.got
        exchange.close()


@pytest.mark.parametrize("how", ["cut", "abort", "sink"])
async def test_a_relay_ends_with_its_exchange(how: str) -> None:
    """A cut is told by the next read, an abort ends the relay at once, and the sink's own error is raised."""

    def sink(_data: bytes) -> bool:
        if how == "sink":
            raise LookupError
        if how == "abort":
            asyncio.get_running_loop().call_soon(exchange.abort, TransportError(TransportKind.ABORTED, "given up"))
        return True

    answer = (CHUNKED, Wait(0.1), b"1\r\na\r\n", Wait(0.1), Do.CLOSE if how == "cut" else Do.HOLD)
    async with RawServer(answer) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        error: type[Exception] = LookupError if how == "sink" else TransportError
        with pytest.raises(error):
            await relay_and_read(exchange, sink)
        exchange.close()
