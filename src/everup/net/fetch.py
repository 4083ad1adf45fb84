"""
One small request, whole or not at all; or many of them, some at a time.

What must not live here: anything on the path of a request. Called by the catalogue, local and credentials.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.errors import TransportError, TransportKind
from everup.net.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everup.net.client import Client
    from everup.net.http1 import Head
    from everup.net.origin import Origin


async def fetch(
    client: Client,
    origin: Origin,
    target: bytes,
    headers: tuple[tuple[bytes, bytes], ...],
    *,
    within_s: float,
    bytes_max: int,
    body: bytes = b"",
) -> tuple[Head, bytes]:
    """
    Return head and body of an answer.

    To a GET, or to a POST where there is a body to send.
    `TransportError` if both are not there in time (then: ABORTED).
    """
    method = b"POST" if body else b"GET"
    exchange = client.start(origin, Outgoing(method=method, target=target, headers=headers, body=body))
    try:
        async with asyncio.timeout(within_s):
            head = await exchange.head()
            return head, await exchange.read_all(bytes_max)
    except TimeoutError:
        why = f"{origin.place} gave no complete answer within {within_s:g} s"
        raise TransportError(TransportKind.ABORTED, why, sent=exchange.sent, is_reused=exchange.is_reused) from None
    finally:
        exchange.close()


async def fetch_each(
    client: Client,
    origin: Origin,
    target: bytes,
    headers: tuple[tuple[bytes, bytes], ...],
    bodies: Sequence[bytes],
    *,
    at_once_max: int,
    within_s: float,
    bytes_max: int,
) -> list[bytes | None]:
    """
    Return the bodies of the answers to these POSTs.

    None for one whose status is not 200, or that did not come.
    `within_s` is for all of them together: what has not begun by then is not asked.
    """
    loop = asyncio.get_running_loop()
    ends_mono_s = loop.time() + within_s
    slots = asyncio.Semaphore(at_once_max)

    async def one(body: bytes) -> bytes | None:
        async with slots:
            left_s = ends_mono_s - loop.time()
            if left_s <= 0:
                return None
            try:
                head, answer = await fetch(
                    client, origin, target, headers, within_s=left_s, bytes_max=bytes_max, body=body
                )
            except TransportError:
                return None
        return answer if head.status == 200 else None

    return await asyncio.gather(*(one(body) for body in bodies))
