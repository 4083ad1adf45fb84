"""
The few fields of an answer that everup looks at.

Lives here: narrow structs for one decode per event or body. Must not: judging. Every value is `object`: a
provider may put anything anywhere, and what is not understood is passed on.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from everup.shapes.events import Seen
from everup.wires.openai_chat.usage import UsageSeen

START, CONTENT, TOOL = int(Seen.START), int(Seen.CONTENT), int(Seen.TOOL)
USAGE, FINISH, END, PING = int(Seen.USAGE), int(Seen.FINISH), int(Seen.END), int(Seen.PING)
SEEN = tuple(Seen(bits) for bits in range(128))
"""Each combination made once: combining IntFlags costs more than reading an event."""

SPEAKS_WITHOUT_TEXT = frozenset({"length", "content_filter", "tool_calls", "function_call"})
"""Finish reasons that make an answer without text a whole one (FAULTS rows 35, 36)."""


class Delta(Struct, gc=False):
    """What a piece of an answer, or a whole message, may hold for a person."""

    content: object = None
    tool_calls: object = None
    reasoning_content: object = None
    reasoning: object = None
    refusal: object = None
    reasoning_details: object = None
    thinking_blocks: object = None
    function_call: object = None
    audio: object = None
    images: object = None


class Choice(Struct, gc=False):
    """
    One choice of a chunk (`delta`) or of a whole answer (`message`.

    `text` in old servers).
    """

    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: object = None
    text: object = None


class GroqPart(Struct, gc=False):
    """Groq's own part of a chunk: usage stands here in older streams."""

    usage: UsageSeen | None = None


class Chunk(Struct, gc=False):
    """A chunk of a stream or a whole answer."""

    id: object = None
    choices: list[Choice] | None = None
    usage: UsageSeen | None = None
    model: object = None
    error: object = None
    x_groq: GroqPart | None = None


decode_chunk = msgspec.json.Decoder(Chunk).decode


def look_at(delta: Delta) -> int:
    """Return what a delta or a message holds, as bits of `Seen`."""
    bits = CONTENT if delta.content else 0
    if delta.tool_calls or delta.function_call:
        return bits | CONTENT | TOOL
    if (
        bits
        or delta.reasoning_content
        or delta.reasoning
        or delta.refusal
        or delta.thinking_blocks
        or delta.audio
        or delta.images
    ):
        return CONTENT
    return 0


def read_loosely(found: object) -> Chunk | None:
    """Return a chunk despite usage of unknown form (row 55), None for odd choices."""
    if not isinstance(found, dict):
        return None
    try:
        choices = msgspec.convert(found.get("choices"), list[Choice] | None)
    except msgspec.ValidationError:
        return None
    try:
        usage = msgspec.convert(found.get("usage"), UsageSeen | None)
    except msgspec.ValidationError:
        usage = UsageSeen()
    return Chunk(id=found.get("id"), choices=choices, usage=usage, model=found.get("model"), error=found.get("error"))
