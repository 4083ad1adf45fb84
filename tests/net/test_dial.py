"""Names and addresses: what a connection that cannot be made is called, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from everup.errors import Sent, TransportError, TransportKind
from everup.net.causes import worst
from everup.net.dns import Address, Resolver, literal
from everup.net.eyeballs import connect_first, interleave
from everup.net.origin import Origin
from everup.shapes.limits import Limits
from tests.net.servers import POST, Do, RawServer, ask, client_of, fail, kinds, until

pytestmark = pytest.mark.anyio
V4, V6 = int(socket.AF_INET), int(socket.AF_INET6)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def deaf_port() -> Iterator[int]:
    """Yield a port whose listener never accepts and whose queue is full: the kernel drops what more comes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        filling = [socket.socket() for _ in range(4)]
        for sock in filling:
            sock.setblocking(False)  # noqa: FBT003  # the standard library's signature
            sock.connect_ex(("127.0.0.1", port))
        yield port
        for sock in filling:
            sock.close()


def descriptors() -> list[int]:
    """Return the numbers of the descriptors that are open."""
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


class Names:
    """A resolver that answers as told."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = addresses
        self.calls = 0
        self.error: Exception | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        """Return the addresses, or fail, when allowed to."""
        assert host
        assert port
        self.calls += 1
        self.may_answer.wait(10)
        if self.error is not None:
            raise self.error
        return self.addresses


async def test_refused_is_told_with_its_cause() -> None:
    """A port nobody listens on is refused, by name of the error, with nothing sent."""
    async with client_of() as client:
        error = await fail(client, Origin("http", "127.0.0.1", free_port()))
        assert (TransportKind.REFUSED, Sent.NOTHING) == kinds(error)
        assert "ECONNREFUSED: Connection refused" in error.message


async def test_silence_is_a_connect_timeout() -> None:
    """A host that drops the attempt costs the connect limit and no more."""
    with deaf_port() as port:
        async with client_of(Limits(connect_s=0.1)) as client:
            error = await fail(client, Origin("http", "127.0.0.1", port))
            assert (TransportKind.CONNECT_TIMEOUT, Sent.NOTHING) == kinds(error)
            assert "127.0.0.1) within 0.1 s" in error.message


async def test_localhost_is_tried_on_both_families() -> None:
    """The name localhost needs no resolver, and a server on IPv4 alone is found."""
    async with RawServer() as server, client_of(lookup=Names()) as client:
        assert b"hi" == (await ask(client, Origin("http", "localhost", server.port)))[1]
        assert 0 == client.dialer.resolver.lookup.calls  # type: ignore[attr-defined]


async def test_a_dead_address_does_not_hold_up_a_live_one() -> None:
    """Where the first address drops everything, the next is tried beside it and wins."""
    with deaf_port() as port, socket.socket() as other:
        other.bind(("127.0.0.2", port))
        other.listen()
        sock = await connect_first(((V4, ("127.0.0.1", port)), (V4, ("127.0.0.2", port))), "x", 5.0)
        assert ("127.0.0.2", port) == sock.getpeername()
        assert 1 == sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()


async def test_all_refused_names_each_address() -> None:
    """When every address fails, the message has them all."""
    port = free_port()
    with pytest.raises(TransportError) as caught:
        await connect_first(((V4, ("127.0.0.1", port)), (V4, ("127.0.0.2", port))), "x", 5.0)
    assert TransportKind.REFUSED is caught.value.kind
    assert "127.0.0.1: " in caught.value.message
    assert "127.0.0.2: " in caught.value.message


def test_families_take_turns() -> None:
    """The resolver's first family begins, and each family gets every other place."""
    a, b, c, d = (V6, ("a",)), (V6, ("b",)), (V6, ("c",)), (V4, ("d",))
    assert [a, d, b, c] == interleave((a, b, c, d))


@pytest.mark.parametrize(
    ("errnos", "kind"),
    [
        ((errno.ENETUNREACH, errno.ECONNREFUSED), TransportKind.REFUSED),
        ((errno.EHOSTUNREACH,), TransportKind.UNREACHABLE),
        ((errno.ECONNREFUSED, errno.EMFILE), TransportKind.LOCAL),
        ((errno.ENFILE,), TransportKind.LOCAL),
        ((errno.ENOMEM,), TransportKind.LOCAL),
        ((errno.ETIMEDOUT,), TransportKind.CONNECT_TIMEOUT),
        ((errno.EACCES,), TransportKind.UNREACHABLE),
    ],
)
def test_the_most_telling_error_names_the_kind(errnos: tuple[int, ...], kind: TransportKind) -> None:
    """Of several failures the one that says most decides, and what our own machine lacks beats all."""
    error = worst([("a", OSError(code, os.strerror(code))) for code in errnos], "host:1")
    assert kind is error.kind
    assert all(errno.errorcode[code] in error.message for code in errnos)


async def test_no_descriptors_left_is_our_own_fault() -> None:
    """With every descriptor in use the error blames this machine, and no provider."""
    async with RawServer() as server, client_of() as client:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(descriptors())
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, hard))
        taken: list[int] = []
        try:
            while len(taken) < used + 2:
                try:
                    taken.append(os.dup(0))
                except OSError:
                    break
            error = await fail(client, server.origin())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in taken:
                os.close(fd)
        assert (TransportKind.LOCAL, Sent.NOTHING) == kinds(error)
        assert "EMFILE" in error.message
        assert b"hi" == (await ask(client, server.origin()))[1]


async def test_a_name_is_looked_up_once_while_fresh() -> None:
    """A name's addresses are remembered, and many who want them at once make one lookup."""
    async with RawServer() as server:
        names = Names((V4, ("127.0.0.1", server.port)))
        async with client_of(lookup=names) as client:
            origin = Origin("http", "provider.test", server.port)
            answers = await asyncio.gather(*(ask(client, origin, is_fresh=True) for _ in range(5)))
            assert ({b"hi"}, 1) == ({body for _, body, _ in answers}, names.calls)
            assert b"host: provider.test:" in server.requests[0]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "Temporary failure"),
        (OSError(errno.EIO, "x"), "EIO"),
        (UnicodeError("label too long"), "label too long"),
        (None, "no address"),
    ],
)
async def test_a_name_without_addresses_is_told(error: Exception | None, told: str) -> None:
    """A lookup that fails names the host and the resolver's own words."""
    names = Names()
    names.error = error
    async with client_of(lookup=names) as client:
        failed = await fail(client, Origin("http", "provider.test", 80))
        assert (TransportKind.DNS, Sent.NOTHING) == kinds(failed)
        assert "provider.test" in failed.message
        assert told in failed.message


async def test_a_slow_resolver_costs_its_limit() -> None:
    """A resolver that hangs is left at its limit, and holds up neither the loop nor the end of the client."""
    names = Names()
    names.may_answer.clear()
    try:
        async with client_of(Limits(dns_s=0.1), lookup=names) as client:
            for _ in range(2):
                error = await fail(client, Origin("http", "provider.test", 80))
                assert (TransportKind.DNS, 1) == (error.kind, names.calls)
                assert "within 0.1 s" in error.message
    finally:
        names.may_answer.set()


async def test_an_old_address_is_better_than_none() -> None:
    """When the resolver fails, the last good address is used for an hour, and not after (FAULTS row 79)."""
    names = Names((V4, ("127.0.0.1", 1)))
    resolver = Resolver(Limits(dns_fresh_s=0.0, dns_stale_s=100.0), names)
    assert names.addresses == await resolver.find("provider.test", 1)
    names.error = socket.gaierror(socket.EAI_AGAIN, "no network")
    assert names.addresses == await resolver.find("provider.test", 1)
    resolver.limits = Limits(dns_fresh_s=0.0, dns_stale_s=0.0)
    with pytest.raises(TransportError, match="no network"):
        await resolver.find("provider.test", 1)
    assert 3 == names.calls


async def test_an_address_nobody_answers_at_is_asked_for_again() -> None:
    """After a failed connection the name is looked up anew, fresh or not."""
    async with RawServer() as server:
        names = Names((V4, ("127.0.0.1", free_port())))
        async with client_of(lookup=names) as client:
            origin = Origin("http", "provider.test", server.port)
            assert TransportKind.REFUSED is (await fail(client, origin)).kind
            names.addresses = ((V4, ("127.0.0.1", server.port)),)
            assert (b"hi", 2) == ((await ask(client, origin))[1], names.calls)


async def test_a_prefetched_name_is_there() -> None:
    """A lookup can be begun before the first request; a failing one is told to that request only."""
    names = Names((V4, ("127.0.0.1", 9)))
    async with client_of(lookup=names) as client:
        client.prefetch(Origin("http", "provider.test", 80))
        client.prefetch(Origin("http", "127.0.0.1", 80))
        await until(lambda: bool(client.dialer.resolver.known))
        client.prefetch(Origin("http", "provider.test", 80))
        assert 1 == names.calls


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("localhost", ["127.0.0.1", "::1"]),
        ("model.localhost", ["127.0.0.1", "::1"]),
        ("provider.test", []),
        ("a" * 70 + ".test", []),
    ],
)
def test_addresses_need_no_resolver(host: str, expected: list[str]) -> None:
    """Addresses and localhost are known without asking."""
    assert expected == [address[1][0] for address in literal(host, 80)]


async def test_lookups_are_bounded() -> None:
    """More hanging lookups than threads are refused as our own lack."""
    names = Names()
    names.may_answer.clear()
    try:
        async with client_of(Limits(dns_s=0.05), lookup=names) as client:
            origins = [Origin("http", f"p{n}.test", 80) for n in range(40)]
            errors = await asyncio.gather(*(fail(client, origin) for origin in origins))
            assert [32, 8] == [sum(e.kind is kind for e in errors) for kind in (TransportKind.DNS, TransportKind.LOCAL)]
    finally:
        names.may_answer.set()
    await until(lambda: not [t for t in threading.enumerate() if t.name.startswith("everup-dns")])


async def test_a_peer_that_hangs_up_at_once() -> None:
    """A listener that closes every connection before a request is no answer."""
    async with RawServer((Do.CLOSE,)) as server, client_of() as client:
        server.server.close()
        await server.server.wait_closed()
        hasty = await asyncio.start_server(lambda _, writer: writer.transport.abort(), "127.0.0.1", 0)
        port = hasty.sockets[0].getsockname()[1]
        error = await fail(client, Origin("http", "127.0.0.1", port), POST)
        assert TransportKind.RESET is error.kind
        hasty.close()


async def test_what_needs_no_resolver_is_worked_out_once() -> None:
    """An address is asked of the system at its first use only, and the memory of them is bounded."""
    resolver = Resolver(Limits(), Names())
    first = await resolver.find("127.0.0.1", 80)
    assert first is await resolver.find("127.0.0.1", 80)
    for port in range(1, 1100):
        await resolver.find("127.0.0.1", port)
    assert len(resolver.literals) <= 1024
