"""
The protocol every wire implements, for both of its sides.

What must not live here: code of one wire. Called by surfaces (client side) and, through `road`, by the engine
(upstream side). Same wire on both sides: the `relay` functions. Two wires: `read_*` of one, `write_*` of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.shapes.asked import Asked
    from everup.shapes.chat import Answer, ChatRequest, Encoded
    from everup.shapes.events import Batch, Reply, Usage
    from everup.shapes.failure import Failure
    from everup.shapes.fault import Fault
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate
    from everup.shapes.stream import StreamEvent
    from everup.wires.framing import Frame, Framer


class StreamRelay(Protocol):
    """
    One upstream stream on its way to a client.

    Of the same wire: bytes pass unchanged except what a client did not ask for (the usage chunk) and broken
    events (ruling 9). Of another: as that wire's events.
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


class StreamReader(Protocol):
    """
    The events of one upstream stream.

    Framing, size bounds and judgement are `wires.passage`'s.
    """

    def read(self, frame: Frame) -> list[StreamEvent] | None:
        """
        Return what one frame says, in the order that `shapes.stream` promises.

        None for a frame that is broken (ruling 9): no JSON, no object. What is merely unknown is a `Pinged`.
        """
        ...

    def close(self) -> list[StreamEvent]:
        """
        Return what the end of the connection adds.

        An open block's end, a reason held back. Never a fault.
        """
        ...


class StreamWriter(Protocol):
    """A stream in a client's wire, made of events."""

    def write(self, events: list[StreamEvent]) -> bytes:
        """
        Return the bytes of these events.

        `Ended`, `Pinged` and `Failed` say nothing here.
        """
        ...

    def end(self) -> bytes:
        """
        Return the bytes that end a complete stream.

        The usage if it was asked for, the terminal marker.
        """
        ...


class Wire(Protocol):
    """One wire's functions; `name` is the word used in config."""

    name: str
    keep_alive: bytes
    """Bytes that keep a waiting client's stream alive and mean nothing in this wire."""
    stream_type: bytes
    """The content type of its streams."""

    def target(self, asked: Asked, candidate: Candidate) -> str:
        """
        Return the path below a provider's base URL that answers this wire.

        `/chat/completions`.
        """
        ...

    # Its client side.

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        """
        Return what a client asks.

        `RequestError` (400) for anything no upstream could understand.
        """
        ...

    def read_chat(self, asked: Asked) -> ChatRequest | Fault:
        """
        Return a whole request in no wire's words.

        UNSUPPORTED, naming the place in `param`, for what cannot be said so: whoever speaks the client's own
        wire may still answer it.
        """
        ...

    def write_answer(self, answer: Answer, asked: Asked, *, created_unix_s: int) -> bytes:
        """Return a good answer as the body a client of this wire reads."""
        ...

    def open_writer(self, asked: Asked, *, created_unix_s: int) -> StreamWriter:
        """Return a fresh writer of one streamed answer."""
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

    # Its upstream side.

    def write_chat(self, chat: ChatRequest, candidate: Candidate, *, foreign: frozenset[str] | None) -> Encoded:
        """
        Return the upstream body for one candidate, and what it could not hold.

        `foreign` as in `encode_request`. The same conversation gives the same bytes, and a longer one begins
        with the bytes of the shorter (prompt caches).
        """
        ...

    def read_answer(self, content_type: str, body: bytes, chat: ChatRequest | None, candidate: Candidate) -> Answer:
        """
        Return a whole answer (status 200) judged, or the fault that makes it none.

        `chat` None where its bytes are only relayed. Without a count of its own `usage` is None.
        """
        ...

    def open_framer(self, limits: Limits) -> Framer:
        """Return what cuts this wire's streams into frames."""
        ...

    def open_reader(self, chat: ChatRequest | None, candidate: Candidate) -> StreamReader:
        """
        Return a fresh reader of one streamed answer.

        `chat` None where its bytes are only relayed.
        """
        ...

    def read_refusal(self, status: int, headers: Mapping[str, str], body: bytes, candidate: Candidate) -> Fault:
        """
        Return the fault that any answer with another status than 200 stands for.

        Header names are lower case.
        """
        ...

    # The same wire on both sides.

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

        A whole JSON answer is read too (row 33).
        """
        ...

    def read_reply(self, content_type: str, body: bytes, asked: Asked, candidate: Candidate) -> Reply:
        """
        Return a whole answer (status 200) judged.

        Bytes and usage, or the fault that makes it none.
        """
        ...
