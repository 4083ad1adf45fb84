"""The same client on uvloop: one pass over everything that touches the loop."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from everup.errors import Sent, TransportError, TransportKind
from everup.net.client import Outgoing
from everup.net.origin import Origin
from everup.shapes.limits import Limits
from tests.net.servers import OK, POST, Do, RawServer, ask, client_of, fail, kinds, until
from tests.net.test_dial import deaf_port, free_port
from tests.net.test_proxy import TunnelProxy

pytestmark = pytest.mark.anyio
CA = trustme.CA()
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Return uvloop."""
    return "asyncio", {"use_uvloop": True}


def tls(host: str = "localhost") -> ssl.SSLContext:
    """Return a server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    """Return a file that holds the authority of these tests."""
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


async def test_connections_are_reused() -> None:
    """One connection serves requests one after the other, a big body among them."""
    async with RawServer() as server, client_of() as client:
        big = Outgoing(method=b"POST", target=b"/", headers=(), body=b"x" * 5_000_000)
        for outgoing in (POST, big, POST):
            assert (200, b"hi") == (await ask(client, server.origin(), outgoing))[:2]
        assert (1, len(big.body)) == (server.connections, len(server.requests[1].partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize("slices", [1, 7])
async def test_slices_make_no_difference(slices: int) -> None:
    """A chunked answer in small slices is read whole."""
    answer = HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    async with RawServer(answer, slices=slices) as server, client_of() as client:
        assert b"hello" == (await ask(client, server.origin()))[1]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((Do.CLOSE,), TransportKind.RESET),
        ((Do.RESET,), TransportKind.RESET),
        ((HEAD + b"content-length: 9\r\n\r\nhi", Do.CLOSE), TransportKind.CUT),
        ((HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", Do.CLOSE), TransportKind.CUT),
        ((b"\x15\x03\x01\x00\x02\x02\x16", Do.HOLD), TransportKind.BAD_HTTP),
    ],
)
async def test_each_bad_end_has_its_kind(answer: tuple[bytes | Do, ...], kind: TransportKind) -> None:
    """Cuts and garbage fail by their kind, as sent whole."""
    async with RawServer(answer) as server, client_of() as client:
        assert (kind, Sent.ALL) == kinds(await fail(client, server.origin()))


async def test_a_stale_connection_is_told() -> None:
    """A reused connection that ends at once is stale."""
    async with RawServer((OK,), (Do.CLOSE,)) as server, client_of() as client:
        await ask(client, server.origin())
        assert TransportKind.STALE is (await fail(client, server.origin())).kind


async def test_refused_and_silent_hosts() -> None:
    """Addresses that refuse or say nothing are told apart."""
    async with client_of(Limits(connect_s=0.1)) as client:
        assert TransportKind.REFUSED is (await fail(client, Origin("http", "localhost", free_port()))).kind
        with deaf_port() as port:
            assert TransportKind.CONNECT_TIMEOUT is (await fail(client, Origin("http", "127.0.0.1", port))).kind


async def test_a_slow_reader_holds_little() -> None:
    """Back-pressure works, and the rest comes once it is read."""
    size = 10_000_000
    async with RawServer(HEAD + b"content-length: %d\r\n\r\n" % size + b"x" * size) as server, client_of() as client:
        exchange = client.start(server.origin(), POST)
        await exchange.head()
        await until(lambda: exchange.connection is not None and exchange.connection.is_paused)
        assert size == len(await exchange.read_all(size))
        exchange.close()


@pytest.mark.parametrize("is_proxied", [False, True])
async def test_tls_is_verified_and_resumed(ca_file: str, is_proxied: bool) -> None:  # noqa: FBT001  # both ways
    """TLS works directly and through a tunnel, and its sessions are resumed."""
    async with RawServer(tls=tls()) as server, TunnelProxy(server.port) as proxy, client_of() as client:
        url = f"http://127.0.0.1:{proxy.port}" if is_proxied else ""
        origin = Origin("https", "localhost", server.port, ca_file=ca_file, proxy=url)
        for _ in range(2):
            assert b"hi" == (await ask(client, origin, is_fresh=True))[1]
        assert [False, True] == server.resumed


async def test_a_bad_certificate_is_refused(ca_file: str) -> None:
    """A certificate for another name is refused with its subject."""
    async with RawServer(tls=tls("other.test")) as server, client_of() as client:
        error = await fail(client, Origin("https", "localhost", server.port, ca_file=ca_file))
        assert (TransportKind.TLS, Sent.NOTHING) == kinds(error)
        assert "subject other.test" in error.message


async def test_a_silent_handshake_ends_at_its_limit(ca_file: str) -> None:
    """A server that never speaks TLS costs the connect limit."""
    silent = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    async with client_of(Limits(connect_s=0.1)) as client:
        port = silent.sockets[0].getsockname()[1]
        error = await fail(client, Origin("https", "localhost", port, ca_file=ca_file))
        assert (TransportKind.CONNECT_TIMEOUT, Sent.NOTHING) == kinds(error)
    silent.close()


async def test_a_body_on_its_way_is_partly_sent() -> None:
    """While the peer takes no more of the request it counts as sent in part."""
    silent = await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0)
    async with client_of() as client:
        big = Outgoing(method=b"POST", target=b"/", headers=(), body=b"x" * 30_000_000)
        exchange = client.start(Origin("http", "127.0.0.1", silent.sockets[0].getsockname()[1]), big)
        reading = asyncio.create_task(exchange.head())
        await until(lambda: exchange.sent is Sent.SOME)
        exchange.abort(TransportError(TransportKind.ABORTED, "enough"))
        with pytest.raises(TransportError):
            await reading
        assert Sent.SOME is exchange.sent
        exchange.close()
    silent.close()


class Silent(asyncio.Protocol):
    """A peer that reads nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Reading stops."""
        transport.pause_reading()  # type: ignore[attr-defined]
