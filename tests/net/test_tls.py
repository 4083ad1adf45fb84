"""TLS: what is accepted, how a refusal is told, and that sessions are resumed."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from everup.errors import Sent, TransportKind
from everup.net.origin import Origin
from everup.net.tls import make_context, span
from everup.shapes.limits import Limits
from tests.net.servers import RawServer, ask, client_of, fail, kinds

pytestmark = pytest.mark.anyio
CA = trustme.CA()
DAY = dt.timedelta(days=1)


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    """Return a file that holds the authority of these tests."""
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(host: str = "localhost", *, ca: trustme.CA = CA, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
    """Return a server's side with a certificate for a host, valid between two days from now."""
    now = dt.datetime.now(dt.UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert = ca.issue_cert(host, not_before=now + days[0] * DAY, not_after=now + days[1] * DAY)
    cert.configure_cert(context)
    return context


def place(server: RawServer, ca_file: str) -> Origin:
    """Return the origin of a server by the name in its certificate."""
    return Origin("https", "localhost", server.port, ca_file=ca_file)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_sessions_are_resumed(ca_file: str, version: ssl.TLSVersion) -> None:
    """A second connection to the same host resumes the first one's session; a kept one is simply used."""
    context = server_context()
    context.minimum_version = context.maximum_version = version
    async with RawServer(tls=context) as server, client_of() as client:
        for is_fresh in (False, False, True, True):
            _, body, exchange = await ask(client, place(server, ca_file), is_fresh=is_fresh)
            assert (b"hi", Sent.ALL) == (body, exchange.sent)
        assert [False, True, True] == server.resumed


@pytest.mark.parametrize(
    ("context", "told"),
    [
        (server_context(ca=trustme.CA()), "unable to get local issuer certificate"),
        (server_context("other.test"), "Hostname mismatch"),
        (server_context(days=(-20, -10)), "certificate has expired"),
        (server_context(days=(10, 20)), "certificate is not yet valid"),
    ],
)
async def test_a_bad_certificate_is_refused(ca_file: str, context: ssl.SSLContext, told: str) -> None:
    """A certificate that does not verify ends the attempt with its subject and issuer, and nothing is sent."""
    async with RawServer(tls=context) as server, client_of() as client:
        error = await fail(client, place(server, ca_file))
        assert (TransportKind.TLS, Sent.NOTHING) == kinds(error)
        assert told in error.message
        assert "subject " in error.message
        assert "issuer " in error.message
        assert "clock" not in error.message
        assert [] == server.requests


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)])
async def test_dates_that_contradict_the_clock_are_told(ca_file: str, days: tuple[int, int]) -> None:
    """Outside a certificate's dates the message says by how much this machine's clock may be wrong."""
    async with RawServer(tls=server_context(days=days)) as server, client_of(wall_unix_s=time.time) as client:
        error = await fail(client, place(server, ca_file))
        assert "this machine's clock may be wrong by " in error.message
        assert " d" in error.message


async def test_only_the_named_authority_is_trusted_too(ca_file: str) -> None:
    """Without the CA file the same server is refused: files do not leak into other origins."""
    async with RawServer(tls=server_context()) as server, client_of() as client:
        assert b"hi" == (await ask(client, place(server, ca_file)))[1]
        assert TransportKind.TLS is (await fail(client, place(server, ""))).kind


async def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A CA file that is absent, or holds no certificate, is named with the cause."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    async with RawServer(tls=server_context()) as server, client_of() as client:
        for path in (str(tmp_path / "absent.pem"), str(empty)):
            error = await fail(client, place(server, path))
            assert (TransportKind.TLS, Sent.NOTHING) == kinds(error)
            assert path in error.message


async def test_a_plain_port_is_no_tls(ca_file: str) -> None:
    """A server that answers in plain text is told apart from a bad certificate."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with client_of() as client:
        port = server.sockets[0].getsockname()[1]
        error = await fail(client, Origin("https", "localhost", port, ca_file=ca_file))
        assert (TransportKind.TLS, Sent.NOTHING) == kinds(error)
        assert "wrong version number" in error.message or "record layer" in error.message
    server.close()


async def test_a_silent_handshake_ends_at_its_limit(ca_file: str) -> None:
    """A server that never speaks TLS costs the connect limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with client_of(Limits(connect_s=0.1)) as client:
            error = await fail(client, Origin("https", "127.0.0.1", silent.getsockname()[1], ca_file=ca_file))
            assert (TransportKind.CONNECT_TIMEOUT, Sent.NOTHING) == kinds(error)


async def test_a_connection_that_ends_before_tls(ca_file: str) -> None:
    """A listener that hangs up at once is a broken connection too, and costs no time."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with client_of() as client:
        port = server.sockets[0].getsockname()[1]
        for _ in range(10):
            error = await fail(client, Origin("https", "localhost", port, ca_file=ca_file))
            assert (TransportKind.RESET, Sent.NOTHING) == kinds(error)
    server.close()


async def test_a_handshake_that_is_cut_is_a_reset(ca_file: str) -> None:
    """A connection that ends inside the handshake is a broken connection, not a bad certificate."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with client_of() as client:
        port = server.sockets[0].getsockname()[1]
        error = await fail(client, Origin("https", "localhost", port, ca_file=ca_file))
        assert (TransportKind.RESET, Sent.NOTHING) == kinds(error)
    server.close()


def test_a_context_always_verifies() -> None:
    """Every context checks chain and name, takes nothing older than TLS 1.2, and has roots to trust."""
    context = make_context("")
    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)
    assert ssl.TLSVersion.TLSv1_2 <= context.minimum_version
    assert context.cert_store_stats()["x509_ca"] > 10


@pytest.mark.parametrize(("seconds", "told"), [(59, "0 min 59 s"), (3700, "1 h 1 min"), (200_000, "2 d")])
def test_spans_are_readable(seconds: float, told: str) -> None:
    """A length of time is told in the units a person would use."""
    assert told == span(seconds)
