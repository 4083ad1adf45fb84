"""
One small GET, whole or not at all.

What must not live here: anything on the path of a request. Called by the catalogue, local and credentials.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.errors import TransportError, TransportKind
from everup.net.outgoing import Outgoing

if TYPE_CHECKING:
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
) -> tuple[Head, bytes]:
    """
    Return head and body of a GET.

    `TransportError` if both are not there in time (then: ABORTED).
    """
    exchange = client.start(origin, Outgoing(method=b"GET", target=target, headers=headers))
    try:
        async with asyncio.timeout(within_s):
            head = await exchange.head()
            return head, await exchange.read_all(bytes_max)
    except TimeoutError:
        why = f"{origin.place} gave no complete answer within {within_s:g} s"
        raise TransportError(TransportKind.ABORTED, why, sent=exchange.sent, is_reused=exchange.is_reused) from None
    finally:
        exchange.close()
