"""The clock-jumping loop: hours cost nothing, sockets and threads are waited for."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from everup.testing.clock import JumpLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop under test."""
    return ("asyncio", {"loop_factory": JumpLoop})


async def test_an_hour_of_sleep_takes_no_time() -> None:
    """A sleep of an hour moves the loop's clock by exactly an hour and takes less than five real seconds."""
    loop = asyncio.get_running_loop()
    began, real = loop.time(), time.monotonic()
    await asyncio.sleep(3600)
    assert pytest.approx(3600, abs=1e-6) == loop.time() - began
    assert time.monotonic() - real < 5


async def test_timers_fire_in_their_order() -> None:
    """Timers wake in the order of their times, whatever order they were set in."""
    woken: list[int] = []

    async def wake(after_s: int) -> None:
        await asyncio.sleep(after_s)
        woken.append(after_s)

    await asyncio.gather(*(wake(s) for s in (300, 1, 20)))
    assert [1, 20, 300] == woken


async def test_sockets_come_before_the_clock() -> None:
    """Bytes under way on a real socket arrive before a timer of one second may fire."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(200_000))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(1):
            writer.write(b"x" * 200_000)
            assert 200_000 == len(await reader.readexactly(200_000))
        writer.close()
        await writer.wait_closed()


async def test_a_silent_peer_costs_no_real_time() -> None:
    """A peer that sleeps 30 s before it answers is waited for by exactly 30 s of the loop's clock."""
    loop = asyncio.get_running_loop()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)
        writer.write(b"late")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(late, "127.0.0.1", 0)
    async with server:
        began = loop.time()
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert b"late" == await reader.read()
        assert pytest.approx(30, abs=1e-3) == loop.time() - began
        writer.close()
        await writer.wait_closed()


async def test_a_busy_thread_holds_the_clock() -> None:
    """While a thread of the executor works the clock stands still, so a timeout around it cannot fire early."""
    loop = asyncio.get_running_loop()
    done = threading.Event()
    began = loop.time()
    async with asyncio.timeout(0.5):
        await loop.run_in_executor(None, done.wait, 0.2)
    assert began == loop.time()


async def test_real_time_holds_the_clock() -> None:
    """A thread the loop did not start holds the clock when the test says so."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(woken.set,))
    with loop.real_time():  # type: ignore[attr-defined]
        thread.start()
        async with asyncio.timeout(1):
            await woken.wait()
    thread.join()


async def test_a_timeout_is_exact() -> None:
    """A timeout fires at its time and not later."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(12):
            await asyncio.Event().wait()
    assert pytest.approx(12, abs=1e-6) == loop.time() - began
