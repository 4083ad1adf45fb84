"""Nothing is left behind, whenever a request is given up."""

from __future__ import annotations

import asyncio
import gc
import ssl
from pathlib import Path

import pytest
import trustme

from everup.net.origin import Origin
from tests.net.servers import DEADLINE_S, OK, POST, Do, RawServer, ask, client_of, until
from tests.net.test_proxy import TunnelProxy

pytestmark = pytest.mark.anyio
CA = trustme.CA()
TURNS = 30
SLOW = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Return each of the loops everup runs on."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    """Return a file that holds the authority of these tests."""
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


def tls() -> ssl.SSLContext:
    """Return a server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("localhost", "provider.test").configure_cert(context)
    return context


def descriptors() -> int:
    """Return how many descriptors are open."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("way", ["plain", "tls", "tunnel"])
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30])
async def test_a_request_cancelled_at_any_turn_leaves_nothing(way: str, turns: int, ca_file: str) -> None:
    """Cancelled after any number of turns of the loop, a request leaves no task, connection or descriptor."""
    async with (
        RawServer((SLOW, Do.HOLD), tls=None if way == "plain" else tls()) as server,
        TunnelProxy(server.port) as proxy,
    ):
        proxied = Origin("https", "provider.test", 443, ca_file=ca_file, proxy=f"http://127.0.0.1:{proxy.port}")
        origin = {
            "plain": server.origin(),
            "tls": Origin("https", "localhost", server.port, ca_file=ca_file),
            "tunnel": proxied,
        }[way]
        async with client_of() as client:
            before = len(asyncio.all_tasks())
            asking = asyncio.create_task(ask(client, origin))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await until(lambda: not client.pool.open and not client.dials)
            await until(lambda: not server.open and len(asyncio.all_tasks()) <= before)


async def ask_and_give_up(ca_file: str) -> None:
    """Return after many requests: good ones, cut ones and ones given up on the way."""
    answers = (OK,), (SLOW, Do.CLOSE), (Do.RESET,)
    async with RawServer(*answers, tls=tls()) as server, client_of() as client:
        origin = Origin("https", "localhost", server.port, ca_file=ca_file)
        await asyncio.gather(*(ask(client, origin) for _ in range(10)), return_exceptions=True)
        asking = [asyncio.create_task(ask(client, origin)) for _ in range(10)]
        for task in asking:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_descriptors_come_back(ca_file: str) -> None:
    """After many requests that ended in every way, as many descriptors are open as after the first of them."""
    await ask_and_give_up(ca_file)
    before = descriptors()
    for _ in range(3):
        await ask_and_give_up(ca_file)
    await until(lambda: descriptors() <= before)


async def test_an_abort_while_dialing_is_over_at_once(ca_file: str) -> None:
    """Giving up while connecting does not wait for the connection, and it never comes alive."""
    async with RawServer((Do.HOLD,), tls=tls()) as server, client_of() as client:
        for turns in range(TURNS):
            exchange = client.start(Origin("https", "localhost", server.port, ca_file=ca_file), POST)
            asking = asyncio.create_task(exchange.head())
            for _ in range(turns):
                await asyncio.sleep(0)
            exchange.close()
            asking.cancel()
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.wait({asking})
            if not asking.cancelled():
                asking.exception()
        await until(lambda: not client.pool.open and not client.dials)
