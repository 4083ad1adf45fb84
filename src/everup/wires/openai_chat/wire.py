"""
The door of this wire: `OpenAIChat` implements `wires.base.Wire`.

Lives here: one line per function of the protocol. Must not: the work itself (see the files beside it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.policy.classify import Refusal, classify_refusal
from everup.wires.openai_chat import faults, reasoning, request_in, request_out, whole
from everup.wires.openai_chat.relay import ChatRelay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.shapes.asked import Asked
    from everup.shapes.events import Reply
    from everup.shapes.failure import Failure
    from everup.shapes.fault import Fault
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate
    from everup.wires.base import StreamRelay


class OpenAIChat:
    """OpenAI chat completions, as a surface and as an upstream."""

    name = "openai_chat"
    target = "/chat/completions"
    keep_alive = b": keep-alive\n\n"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        """
        Return what a client asks.

        `RequestError` (400) for anything no upstream could understand.
        """
        return request_in.read_request(body, limits)

    def encode_request(self, asked: Asked, candidate: Candidate, *, foreign: frozenset[str] | None) -> bytes:
        """
        Return the upstream body for one candidate.

        `foreign` names the reasoning to leave out.
        """
        return request_out.encode_request(asked, candidate, foreign=foreign)

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
                seen=faults.read_error(body),
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
