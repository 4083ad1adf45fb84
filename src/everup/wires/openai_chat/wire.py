"""
The door of this wire: `OpenAIChat` implements `wires.base.Wire`.

Lives here: one line per function of the protocol. Must not: the work itself (see the files beside it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.policy.classify import Refusal, classify_refusal
from everup.wires.errors_in import read_error
from everup.wires.framing import Framer, SseSplitter
from everup.wires.openai_chat import (
    chat_in,
    faults,
    reasoning,
    relay_request,
    reply_in,
    reply_out,
    request_in,
    request_out,
    whole,
)
from everup.wires.openai_chat.relay import ChatRelay
from everup.wires.openai_chat.stream_in import ChatReader
from everup.wires.openai_chat.stream_out import ChatWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.shapes.asked import Asked
    from everup.shapes.chat import Answer, ChatRequest, Encoded
    from everup.shapes.events import Reply
    from everup.shapes.failure import Failure
    from everup.shapes.fault import Fault
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate
    from everup.wires.base import StreamReader, StreamRelay, StreamWriter


class OpenAIChat:
    """OpenAI chat completions, as a surface and as an upstream."""

    name = "openai_chat"
    keep_alive = b": keep-alive\n\n"
    stream_type = b"text/event-stream; charset=utf-8"

    def target(self, _asked: Asked, _candidate: Candidate) -> str:
        """Return the path below a provider's base URL that answers this wire."""
        return "/chat/completions"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        """
        Return what a client asks.

        `RequestError` (400) for anything no upstream could understand.
        """
        return request_in.read_request(body, limits)

    def read_chat(self, asked: Asked) -> ChatRequest | Fault:
        """
        Return a whole request in no wire's words.

        The fault instead that names what cannot be said so.
        """
        return chat_in.read_chat(asked)

    def write_answer(self, answer: Answer, asked: Asked, *, created_unix_s: int) -> bytes:
        """Return a good answer as the body a client of this wire reads."""
        return reply_out.write_answer(answer, asked, created_unix_s=created_unix_s)

    def open_writer(self, asked: Asked, *, created_unix_s: int) -> StreamWriter:
        """Return a fresh writer of one streamed answer."""
        return ChatWriter(asked, created_unix_s=created_unix_s)

    def write_chat(self, chat: ChatRequest, candidate: Candidate, *, foreign: frozenset[str] | None) -> Encoded:
        """
        Return the upstream body for a request of another wire.

        With it what it could not hold.
        """
        return request_out.write_chat(chat, candidate, foreign=foreign)

    def read_answer(self, content_type: str, body: bytes, chat: ChatRequest | None, candidate: Candidate) -> Answer:
        """Return a whole answer (status 200) judged, or the fault that makes it none."""
        return reply_in.read_answer(content_type, body, chat, candidate)

    def open_framer(self, limits: Limits) -> Framer:
        """Return what cuts this wire's streams into frames."""
        return SseSplitter(limits.sse_line_bytes_max)

    def open_reader(self, chat: ChatRequest | None, candidate: Candidate) -> StreamReader:
        """Return a fresh reader of one streamed answer."""
        return ChatReader(chat, candidate)

    def encode_request(self, asked: Asked, candidate: Candidate, *, foreign: frozenset[str] | None) -> bytes:
        """
        Return the upstream body for one candidate.

        `foreign` names the reasoning to leave out.
        """
        return relay_request.encode_request(asked, candidate, foreign=foreign)

    def read_signatures(self, asked: Asked) -> tuple[str, ...]:
        """Return the reasoning signatures in a request's history, bounded."""
        return () if asked.is_plain else reasoning.read_signatures(asked.fields.get("messages"))

    def open_stream(self, asked: Asked, candidate: Candidate, content_type: str, limits: Limits) -> StreamRelay:
        """Return a fresh relay for one streamed answer."""
        return ChatRelay(asked, candidate, content_type, limits)

    def read_reply(self, content_type: str, body: bytes, asked: Asked, candidate: Candidate) -> Reply:
        """Return a whole answer (status 200) judged."""
        return whole.read_reply(content_type, body, asked, candidate)

    def read_refusal(self, status: int, headers: Mapping[str, str], body: bytes, candidate: Candidate) -> Fault:
        """Return the fault that any answer with another status than 200 stands for."""
        return classify_refusal(
            Refusal(
                status=status,
                headers=headers,
                body=body,
                seen=read_error(body),
                provider=candidate.provider.name,
                model=candidate.model.ref.model,
                is_local=candidate.provider.is_local,
            )
        )

    def encode_failure(self, failure: Failure, limits: Limits) -> bytes:
        """Return the error body of a failed request in this wire."""
        return faults.encode_failure(failure, limits.error_bytes_max)

    def encode_stream_failure(self, failure: Failure, limits: Limits) -> bytes:
        """
        Return the error event that ends a begun stream in this wire.

        Never a normal end.
        """
        return faults.encode_stream_failure(failure, limits.error_bytes_max)
