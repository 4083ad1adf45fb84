"""
The way between a client's wire and an upstream's.

Its bytes as they are, or translated.
Lives here: which of the two, and one request's words read once for all its attempts. Must not: any wire's format.
Called by the engine: `Talk` once a request, `road` once an attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from everup.shapes.chat import ChatRequest, Encoded
from everup.shapes.events import Reply
from everup.wires.passage import Passage, minted_in, usage_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.asked import Asked
    from everup.shapes.fault import Fault
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate
    from everup.wires.base import StreamRelay, Wire


class Talk:
    """
    One request as its client's wire reads it.

    The neutral form is made when the first attempt needs it.
    """

    __slots__ = ("asked", "chat", "client", "wall_unix_s")

    def __init__(self, asked: Asked, client: Wire, wall_unix_s: Callable[[], float]) -> None:
        self.asked = asked
        self.client = client
        self.wall_unix_s = wall_unix_s
        self.chat: ChatRequest | Fault | None = None

    def read_chat(self) -> ChatRequest | Fault:
        """Return the request in no wire's words, or why it cannot be said so."""
        if self.chat is None:
            self.chat = self.client.read_chat(self.asked)
        return self.chat

    def encode(self, upstream: Wire, candidate: Candidate, *, foreign: frozenset[str] | None) -> Encoded:
        """Return what one candidate is sent, or the fault that it cannot be sent."""
        if upstream is self.client:
            return Encoded(upstream.encode_request(self.asked, candidate, foreign=foreign))
        chat = self.read_chat()
        if not isinstance(chat, ChatRequest):
            return Encoded(fault=chat)
        encoded = upstream.write_chat(chat, candidate, foreign=foreign)
        return replace(encoded, dropped=in_order(encoded.dropped, self.asked)) if encoded.dropped else encoded

    def open_stream(self, upstream: Wire, candidate: Candidate, content_type: str, limits: Limits) -> StreamRelay:
        """Return the passage of one streamed answer (status 200)."""
        if upstream is self.client:
            return upstream.open_stream(self.asked, candidate, content_type, limits)
        created = int(self.wall_unix_s())
        chat = self.sent_chat()
        return Passage(upstream, self.client, self.asked, chat, candidate, content_type, limits, created_unix_s=created)

    def read_reply(self, upstream: Wire, content_type: str, body: bytes, candidate: Candidate) -> Reply:
        """
        Return a whole answer (status 200) judged.

        The client's bytes and the usage, or the fault.
        """
        if upstream is self.client:
            return upstream.read_reply(content_type, body, self.asked, candidate)
        answer = upstream.read_answer(content_type, body, self.sent_chat(), candidate)
        if answer.fault is not None:
            return Reply(fault=answer.fault)
        raw = self.client.write_answer(answer, self.asked, created_unix_s=int(self.wall_unix_s()))
        return Reply(raw=raw, usage=usage_of(answer, self.asked), model=answer.model, minted=minted_in(answer))

    def sent_chat(self) -> ChatRequest:
        """Return the request in no wire's words, of which an upstream has an answer."""
        assert isinstance(self.chat, ChatRequest), "encode() comes first"
        return self.chat


def in_order(dropped: tuple[str, ...], asked: Asked) -> tuple[str, ...]:
    """Return the names of what was left out in the order of the client's own fields."""
    places = {name: place for place, name in enumerate(asked.fields)}
    return tuple(sorted(dropped, key=lambda name: places.get(name.partition("[")[0].partition(".")[0], len(places))))
