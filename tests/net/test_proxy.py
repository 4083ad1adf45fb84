"""Through a proxy: tunnels, forwarding, and whose fault a failure is."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Self

import pytest
import trustme

from everup.errors import Sent, TransportKind
from everup.net.origin import Origin
from everup.shapes.limits import Limits
from tests.net.servers import Do, RawServer, ask, client_of, fail, kinds

pytestmark = pytest.mark.anyio
CA = trustme.CA()


def tls(host: str) -> ssl.SSLContext:
    """Return a server's side of TLS for a host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    """Return a file that holds the authority of these tests."""
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


class TunnelProxy:
    """A proxy that opens a tunnel to one port, whatever host was asked for."""

    def __init__(self, target_port: int, *, context: ssl.SSLContext | None = None) -> None:
        self.target_port = target_port
        self.context = context
        self.heads: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Return itself, listening."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Everything is closed."""
        self.server.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries bytes both ways until one side ends."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n")
        ways = {asyncio.create_task(carry(reader, far_writer)), asyncio.create_task(carry(far_reader, writer))}
        _, running = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in running:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.transport.abort()
        far_writer.transport.abort()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything read was written."""
    while data := await reader.read(65_536):
        writer.write(data)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_tls_goes_through_a_tunnel(ca_file: str, scheme: str) -> None:
    """An https origin is reached by CONNECT, by its own name, verified end to end, over a TLS proxy too."""
    context = tls("localhost") if scheme == "https" else None
    async with RawServer(tls=tls("provider.test")) as server, TunnelProxy(server.port, context=context) as proxy:
        url = f"{scheme}://user:pass@localhost:{proxy.port}"
        origin = Origin("https", "provider.test", 443, ca_file=ca_file, proxy=url)
        async with client_of() as client:
            assert [b"hi", b"hi"] == [(await ask(client, origin))[1] for _ in range(2)]
            assert 1 == client.view()["open"]
        assert 1 == len(proxy.heads)
        assert proxy.heads[0].startswith(b"CONNECT provider.test:443 HTTP/1.1\r\nhost: provider.test:443\r\n")
        assert b"proxy-authorization: Basic dXNlcjpwYXNz\r\n" in proxy.heads[0]
        assert b"proxy-authorization" not in server.requests[0]


async def test_a_bad_certificate_behind_a_tunnel_is_not_the_proxys(ca_file: str) -> None:
    """What the provider does wrong inside the tunnel is told as the provider's."""
    async with RawServer(tls=tls("other.test")) as server, TunnelProxy(server.port) as proxy, client_of() as client:
        url = f"http://127.0.0.1:{proxy.port}"
        error = await fail(client, Origin("https", "provider.test", 443, ca_file=ca_file, proxy=url))
        assert (TransportKind.TLS, Sent.NOTHING) == kinds(error)


async def test_plain_http_is_forwarded() -> None:
    """An http origin is asked for in absolute form, with the proxy's login, on a connection that is kept."""
    async with RawServer() as proxy, client_of() as client:
        origin = Origin("http", "provider.test", 8000, proxy=f"http://user:pass@127.0.0.1:{proxy.port}")
        assert [b"hi", b"hi"] == [(await ask(client, origin))[1] for _ in range(2)]
        assert 1 == proxy.connections
        assert proxy.requests[0].startswith(
            b"POST http://provider.test:8000/v1/chat HTTP/1.1\r\nhost: provider.test:8000\r\n"
        )
        assert b"proxy-authorization: Basic dXNlcjpwYXNz\r\n" in proxy.requests[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",), "407"),
    ],
)
async def test_a_login_that_is_wanted_is_the_proxys_fault(
    scheme: str, answer: tuple[bytes | Do, ...], told: str
) -> None:
    """A proxy that wants a login is named, with the variable that gives it one."""
    async with RawServer(answer) as proxy, client_of() as client:
        origin = Origin(scheme, "provider.test", 443, proxy=f"http://127.0.0.1:{proxy.port}")
        error = await fail(client, origin)
        assert TransportKind.PROXY is error.kind
        assert told in error.message
        assert f"{scheme.upper()}_PROXY" in error.message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",), "502"),
        ((b"HTTP/1.1 200 OK\r\n\r\nearly bytes", Do.HOLD), "before the tunnel"),
        ((b"SSH-2.0-x\r\n", Do.HOLD), "not HTTP"),
        ((Do.CLOSE,), "ended the connection"),
        ((Do.RESET,), "ended the connection"),
        ((Do.HOLD,), "did not answer CONNECT within"),
    ],
)
async def test_a_tunnel_that_is_not_opened_is_the_proxys_fault(answer: tuple[bytes | Do, ...], told: str) -> None:
    """Whatever a proxy does instead of opening a tunnel is told as the proxy's, with nothing sent."""
    async with RawServer(answer) as proxy, client_of(Limits(connect_s=0.5)) as client:
        origin = Origin("https", "provider.test", 443, proxy=f"http://user:secret@127.0.0.1:{proxy.port}")
        error = await fail(client, origin)
        assert (TransportKind.PROXY, Sent.NOTHING) == kinds(error)
        assert told in error.message
        assert f"proxy http://127.0.0.1:{proxy.port}" in error.message
        assert "secret" not in error.message


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_down_is_named(scheme: str) -> None:
    """A proxy nobody answers at is not the provider's fault."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with client_of() as client:
        error = await fail(client, Origin(scheme, "provider.test", 443, proxy=f"http://127.0.0.1:{port}"))
        assert (TransportKind.PROXY, Sent.NOTHING) == kinds(error)
        assert "ECONNREFUSED" in error.message
