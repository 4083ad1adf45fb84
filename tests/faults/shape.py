"""
What a row of the fault table is: a first provider's script and what must follow, as data.

What must not live here: rows (see `rows_*`), sending them (see `harness`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from everup.testing.scripts import Script
from tests.faults.dialects import Dialect, Telling

CANARY = "the-canary-sentence-7f3a"
"""Stands in every provider's error text and must never reach an upstream body (C2, the founding bug)."""
LEAK = "sk-canary0a1b2c3d4e5f60718293a4b5c6d7e8f9"
"""The first provider's key; its errors echo it, and nobody may repeat it (C6, S18)."""
SAYS = f"{CANARY} (your key {LEAK})"
FOREIGN = "Zm9yZWlnbi1yZWFzb25pbmc="
"""Reasoning that somebody else minted, in a history."""


class Expect(Struct, frozen=True, kw_only=True):
    """
    What must follow: who answered, with which status, after how many requests to the first provider.

    `trail` has, for each failed attempt of the first provider, a word its trail entry must hold. `says` is the
    text a person reads, `holds` bytes that the client's body must hold.
    """

    by: str
    calls: int
    trail: tuple[str, ...] = ()
    status: int = 200
    says: str = ""
    holds: bytes = b""
    is_complete: bool = True
    is_elsewhere_asked: bool = False
    """Whether the second provider is asked although it does not answer."""


def moved(*trail: str, calls: int | None = None) -> Expect:
    """Return: the second answered, after one request per failed attempt."""
    return Expect(by="second", calls=len(trail) if calls is None else calls, trail=trail, says="second")


def served(*trail: str, says: str = "first", holds: bytes = b"", calls: int | None = None) -> Expect:
    """Return: the first answered itself, after its failed attempts if any."""
    return Expect(by="first", calls=len(trail) + 1 if calls is None else calls, trail=trail, says=says, holds=holds)


def failed(status: int, *trail: str, calls: int | None = None) -> Expect:
    """Return: nobody answered, and the client got this status."""
    return Expect(by="nobody", calls=len(trail) if calls is None else calls, trail=trail, status=status)


def broken(says: str, *, trail: str = "") -> Expect:
    """Return: the answer was shown so far and ended as an error, without another attempt."""
    return Expect(by="first", calls=1, trail=(trail,) if trail else (), says=says, is_complete=False)


class Row(Struct, frozen=True, kw_only=True):
    """
    One row: the fault, and what follows with a good second provider (`pair`) and with none (`alone`).

    A fault that shows the provider's wire is a `Telling`; one of the connection alone is the same in each. The
    streamed forms are the same unless they are given. `clocks` are the route's, `address` replaces the
    first provider's listener (see `harness.ADDRESSES`), `provider` and `model` are added to its tables.
    """

    id: str
    about: str
    first: Script | Telling | tuple[()] = ()
    pair: Expect
    alone: Expect
    streamed_pair: Expect | None = None
    streamed_alone: Expect | None = None
    clocks: Mapping[str, float] = {}
    address: str = ""
    provider: Mapping[str, object] = {}
    model: Mapping[str, object] = {}
    fields: Mapping[str, Any] = {}
    is_repaired: bool = False
    """Whether ruling 8 (1a) changes the body on purpose, so that C2 does not hold."""
    billed: bool = False
    """Whether the failed attempts must be told as possibly billed (ruling 4)."""

    @property
    def clauses(self) -> tuple[str, ...]:
        """Return the clauses of the contract that it asserts, beside what it says itself."""
        return ("C1", "C6") if self.is_repaired else ("C1", "C2", "C6")

    def scripts(self, dialect: Dialect) -> tuple[Script, ...]:
        """Return what a provider of this wire answers, request by request; none if it cannot be reached."""
        told = self.first if isinstance(self.first, Script | tuple) else self.first(dialect)
        return told if isinstance(told, tuple) else (told,)

    def expect(self, form: str, mode: str) -> Expect:
        """Return what must follow in this form (whole, streamed) and mode (pair, alone)."""
        if mode == "pair":
            return self.streamed_pair if form == "streamed" and self.streamed_pair else self.pair
        return self.streamed_alone if form == "streamed" and self.streamed_alone else self.alone


class Untested(Struct, frozen=True):
    """A row that cannot be provoked over a socket, and why."""

    id: str
    reason: str
