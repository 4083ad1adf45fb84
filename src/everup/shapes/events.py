"""
What was seen in an answer's bytes, as flags and values.

What must not live here: parsing (see `wires`) and judging (see `policy.commit`). Yielded by every wire's
relay, so that both roads through the house are judged alike.
"""

from __future__ import annotations

from enum import IntFlag

from msgspec import Struct

from everup.shapes.fault import Fault


class Seen(IntFlag):
    """What one batch of bytes held; a batch may hold several."""

    NOTHING = 0
    PING = 1
    """A comment, a ping, or an event without meaning: bytes that prove life."""
    START = 2
    """A real first event that is not content (a role, an id)."""
    CONTENT = 4
    """Something a person would see: text, a refusal text, thinking (ruling 2: a thinking delta is content)."""
    TOOL = 8
    """A tool call begun or continued; content too."""
    USAGE = 16
    FINISH = 32
    """A finish reason."""
    END = 64
    """The wire's own terminal marker (`[DONE]`, `message_stop`)."""


class Usage(Struct, frozen=True, kw_only=True):
    """
    Tokens of one answer, normalised.

    Input includes cached, output includes reasoning.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    """Part of the input, like `cached_tokens`: what was written to the provider's prompt cache (Anthropic)."""
    reasoning_tokens: int = 0
    is_estimated: bool = False


class Batch(Struct, frozen=True):
    """
    What one read of a stream gave.

    Bytes to relay, what was in them, and a fault if it ends here.
    A fault is always the last thing of a batch: bytes after it are not relayed.
    """

    raw: bytes = b""
    seen: Seen = Seen.NOTHING
    fault: Fault | None = None


class Reply(Struct, frozen=True, kw_only=True):
    """
    A whole (not streamed) answer.

    The bytes for the client, or the fault that makes it none.
    """

    raw: bytes = b""
    usage: Usage | None = None
    fault: Fault | None = None
    model: str = ""
    minted: tuple[str, ...] = ()
    """Signatures of reasoning parts in it (ruling 8, 1a); bounded."""
