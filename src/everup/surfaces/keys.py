"""
Keys of callers, checked from memory; what runs under a lost key is ended.

What must not live here: where keys are kept (see `credentials`). A key comes in a header, never in a URL.
Sources: FAULTS ruling 13, S6-S9.
"""

from __future__ import annotations

import hmac
import math
from hashlib import sha256
from typing import TYPE_CHECKING

from everup.shapes.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everup.shapes.limits import Limits
    from everup.shapes.snapshot import Client
    from everup.surfaces.arrival import Call

KEY_BYTES_MAX = 4096
WINDOW_S = 60.0
STRONG_BITS = 200
"""What 32 random bytes, written in any usual alphabet, are never estimated below."""

REVOKED = Failure(
    status=401,
    kind="authentication",
    code="key_revoked",
    message="The key of this request was revoked while it ran.",
)


class KeyRing:
    """The valid keys of now, and the requests that run under them."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self.by_digest: dict[str, Client] = {}
        self.open: set[Call] = set()
        self.refresh(clients)

    def refresh(self, clients: Iterable[Client]) -> None:
        """Replace the valid keys; requests of a key that is gone end at once."""
        by_digest = {client.digest: client for client in clients if client.digest}
        if by_digest == self.by_digest:
            return
        self.by_digest = by_digest
        for call in list(self.open):
            if call.client is not None and call.client.digest not in self.by_digest:
                call.end(REVOKED)

    def verify(self, key: bytes) -> Client | None:
        """Return whose key this is, None for a wrong or empty one."""
        if not key or len(key) > KEY_BYTES_MAX:
            return None
        digest = sha256(key).hexdigest()
        client = self.by_digest.get(digest)
        # The lookup compares digests too, but promises no constant time; what decides is this.
        if client is None or not hmac.compare_digest(client.digest, digest):
            return None
        return client

    def end_all(self, why: Failure) -> None:
        """End every open request with this error."""
        for call in list(self.open):
            call.end(why)


def presented_key(headers: dict[bytes, bytes]) -> bytes | None:
    """
    Return the key that a request presents, None for none.

    An Authorization header decides alone, even when it is no Bearer: then the key is b"", which is never valid.
    """
    given = headers.get(b"authorization")
    if given is None:
        key = headers.get(b"x-api-key")
        return key.strip() if key is not None else None
    scheme, _, key = given.strip().partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def is_strong(key: str) -> bool:
    """Return whether a key is good enough to listen beyond this machine (S1)."""
    distinct = len(set(key))
    # What repeats itself adds nothing: "password" ten times over is one word long.
    fresh = 2 + len({key[start : start + 3] for start in range(len(key) - 2)})
    return len(key) >= 32 and distinct > 1 and fresh * math.log2(distinct) >= STRONG_BITS


class Guesses:
    """Wrong keys per address and minute; a valid key is never held up by it (S7)."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.windows: dict[str, tuple[float, int]] = {}

    def note(self, address: str, now_mono_s: float) -> float | None:
        """Return the seconds to wait for an address that guesses too often, else None."""
        since, count = self.windows.pop(address, (now_mono_s, 0))
        if now_mono_s - since >= WINDOW_S:
            since, count = now_mono_s, 0
        if len(self.windows) >= self.limits.key_guess_addresses_max:
            del self.windows[next(iter(self.windows))]
        self.windows[address] = (since, count + 1)
        if count + 1 > self.limits.key_guesses_per_minute_max:
            return WINDOW_S - (now_mono_s - since)
        return None
