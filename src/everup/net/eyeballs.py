"""
Happy eyeballs: the first of several addresses that answers.

RFC 8305, by ourselves: uvloop has none.
What must not live here: names, TLS. Called by `dial`.
"""

from __future__ import annotations

import asyncio
import socket
from itertools import zip_longest
from typing import TYPE_CHECKING

from everup.errors import TransportError, TransportKind
from everup.net.causes import worst

if TYPE_CHECKING:
    from everup.net.dns import Address

STAGGER_S = 0.25
"""RFC 8305 section 5: the recommended delay before the next address is tried beside the last."""
ADDRESSES_MAX = 8


async def connect_first(addresses: tuple[Address, ...], place: str, within_s: float) -> socket.socket:
    """
    Return a connected socket.

    `TransportError` names each address that failed and how.
    """
    errors: list[tuple[str, OSError]] = []
    ordered = interleave(addresses)[:ADDRESSES_MAX]
    try:
        async with asyncio.timeout(within_s):
            sock = await (connect_one(ordered[0], errors) if len(ordered) == 1 else race(ordered, errors))
    except TimeoutError:
        raise too_slow(ordered, place, within_s) from None
    if sock is None:
        raise worst(errors, place)
    return sock


def too_slow(addresses: list[Address], place: str, within_s: float) -> TransportError:
    """Return the error of a place none of whose addresses answered in time."""
    told = ", ".join(str(address[0]) for _, address in addresses)
    return TransportError(TransportKind.CONNECT_TIMEOUT, f"cannot connect to {place} ({told}) within {within_s:g} s")


def interleave(addresses: tuple[Address, ...]) -> list[Address]:
    """
    Return the addresses with their families taking turns.

    The resolver's first one first.
    """
    first = [address for address in addresses if address[0] == addresses[0][0]]
    other = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for pair in zip_longest(first, other) for address in pair if address is not None]


async def race(ordered: list[Address], errors: list[tuple[str, OSError]]) -> socket.socket | None:
    """
    Return the first socket that connects.

    Each address gets a head start, a failure calls the next at once.
    """
    waiting = list(reversed(ordered))
    running: set[asyncio.Task[socket.socket | None]] = set()
    winner: socket.socket | None = None
    try:
        while winner is None and (waiting or running):
            if waiting:
                running.add(asyncio.ensure_future(connect_one(waiting.pop(), errors)))
            timeout = STAGGER_S if waiting else None
            done, running = await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                winner = keep_one(winner, task.result())
    except BaseException:
        close(winner)
        raise
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(close_late)
    return winner


def keep_one(winner: socket.socket | None, other: socket.socket | None) -> socket.socket | None:
    """Return the one to use, closing the other."""
    if winner is None:
        return other
    close(other)
    return winner


def close(sock: socket.socket | None) -> None:
    """Close a socket if there is one."""
    if sock is not None:
        sock.close()


def close_late(task: asyncio.Task[socket.socket | None]) -> None:
    """Close what a loser of the race had already connected when it was cancelled."""
    if not task.cancelled() and task.exception() is None:
        close(task.result())


async def connect_one(address: Address, errors: list[tuple[str, OSError]]) -> socket.socket | None:
    """Return a connected socket, or None with its error noted."""
    family, where = address
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except OSError as error:
        close(sock)
        errors.append((str(where[0]), error))
        return None
    except BaseException:
        close(sock)
        raise
    return sock
