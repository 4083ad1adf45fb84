"""
The protocol every wire implements, for both of its sides.

What must not live here: code of one wire. Called by surfaces (client side) and by the engine (upstream side).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.shapes.asked import Asked
    from everup.shapes.events import Batch, Reply, Usage
    from everup.shapes.failure import Failure
    from everup.shapes.fault import Fault
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate


class StreamRelay(Protocol):
    """
    One upstream stream on its way to a client of the same wire.

    Bytes pass unchanged except what a client did not ask for (the usage chunk) and broken events (ruling 9).
    """

    usage: Usage | None
    model: str
    """The model the provider says it used, "" until seen."""
    dropped_events: int
    minted: list[str]
    """Signatures of reasoning parts seen (ruling 8, 1a); bounded."""

    def feed(self, data: bytes) -> Batch:
        """
        Return what these bytes add.

        Raw bytes to relay, what was in them, a fault if the stream broke.
        """
        ...

    def close(self) -> Batch:
        """
        Return what the end of the stream adds.

        Nothing after a complete one, else a CUT or EMPTY fault.
        """
        ...


class Wire(Protocol):
    """One wire's functions; `name` is the word used in config."""

    name: str
    target: str
    """The path below a provider's base URL that answers this wire (`/chat/completions`)."""
    keep_alive: bytes
    """Bytes that keep a waiting client's stream alive and mean nothing in this wire."""

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        """
        Return what a client asks.

        `RequestError` (400) for anything no upstream could understand.
        """
        ...

    def encode_request(self, asked: Asked, candidate: Candidate, *, foreign: frozenset[str] | None) -> bytes:
        """
        Return the upstream body for one candidate.

        `foreign` holds signatures whose reasoning parts are left out; None keeps all, and the special member
        "*" leaves out every reasoning part (the one repair of ruling 8, 1a).
        """
        ...

    def read_signatures(self, asked: Asked) -> tuple[str, ...]:
        """
        Return the reasoning signatures in a request's history, bounded.

        Cheap when there are none.
        """
        ...

    def open_stream(self, asked: Asked, candidate: Candidate, content_type: str, limits: Limits) -> StreamRelay:
        """
        Return a fresh relay for one streamed answer (status 200).

        Sniffs a whole JSON answer too (row 33).
        """
        ...

    def read_reply(self, content_type: str, body: bytes, asked: Asked, candidate: Candidate) -> Reply:
        """
        Return a whole answer (status 200) judged.

        Bytes and usage, or the fault that makes it none.
        """
        ...

    def read_refusal(self, status: int, headers: Mapping[str, str], body: bytes, candidate: Candidate) -> Fault:
        """
        Return the fault that any answer with another status than 200 stands for.

        Header names are lower case.
        """
        ...

    def encode_failure(self, failure: Failure, limits: Limits) -> bytes:
        """
        Return the error body of a failed request in this wire.

        Within `limits.error_bytes_max`.
        """
        ...

    def encode_stream_failure(self, failure: Failure, limits: Limits) -> bytes:
        """
        Return the error event that ends a begun stream in this wire.

        Never a normal end.
        """
        ...
