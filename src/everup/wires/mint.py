"""
Ids for what a provider gives none.

Functions of content and position, so that a repeated turn has the same.
Lives here: the two kinds of ids. Must not: any wire's pattern for ids (see `wires/<name>`). Called by readers
and writers of every wire.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Raw

if TYPE_CHECKING:
    from everup.shapes.asked import Asked

ID_BYTES = 12
"""96 bits, written as 24 hex digits."""
TAIL_BYTES = 1024
"""So much of a conversation's end tells its answer's id from others, whatever its length."""
NO_MESSAGES = Raw(b"")


def mint_call_id(turn: int, place: int, name: str, arguments: str) -> str:
    """
    Return the id of a tool call whose wire gave none.

    `turn` counts the messages before the call's own, `place` the calls before it in there: the id made for an
    answer is the one made again when the answer comes back in a history.
    """
    return "call_" + digest(f"{turn}\0{place}\0{name}\0{arguments}".encode("utf-8", "replace"))


def mint_answer_id(prefix: str, asked: Asked, *, created_unix_s: int) -> str:
    """Return the id of an answer whose wire gave none: of what was asked, and when."""
    tail = bytes(memoryview(asked.fields.get("messages", NO_MESSAGES))[-TAIL_BYTES:])
    head = f"{created_unix_s}\0{asked.body_bytes}\0{asked.model}\0".encode("utf-8", "replace")
    return prefix + digest(head + tail)


def digest(text: bytes) -> str:
    """Return the 24 hex digits of a text."""
    return blake2b(text, digest_size=ID_BYTES).hexdigest()
