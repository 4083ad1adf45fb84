"""
Who minted a reasoning signature.

Kept by hash, so that a foreign one is left out before it is refused.
What must not live here: finding signatures in bytes (see `wires/<name>/reasoning`). Bounded; ruling 8, row 1a.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everup.shapes.route import Candidate

Owner = tuple[str, str]


def owner_of(candidate: Candidate) -> Owner:
    """Return the endpoint and account whose signatures a candidate accepts."""
    return candidate.provider.name, candidate.profile.id


def digest(signature: str) -> bytes:
    """Return a short hash of a signature: the signature itself is never kept."""
    return blake2b(signature.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Minted:
    """The newest signatures seen, each with the endpoint and account that made it."""

    def __init__(self, entries_max: int) -> None:
        self.entries_max = entries_max
        self.owners: dict[bytes, Owner] = {}

    def remember(self, signatures: Iterable[str], candidate: Candidate) -> None:
        """Keep who minted these; the oldest leave a full table."""
        for signature in signatures:
            key = digest(signature)
            self.owners.pop(key, None)
            self.owners[key] = owner_of(candidate)
        while len(self.owners) > self.entries_max:
            self.owners.pop(next(iter(self.owners)))

    def foreign(self, signatures: Iterable[str], candidate: Candidate) -> frozenset[str]:
        """Return those known to be minted by somebody else than this candidate."""
        mine = owner_of(candidate)
        return frozenset(signature for signature in signatures if self.owners.get(digest(signature), mine) != mine)
