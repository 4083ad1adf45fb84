"""
A client's Messages request, checked and read as far as routing needs it.

Lives here: what no upstream could understand (400), and what the request needs. Must not: its meaning block by
block (see `chat_in`) and rewriting (see `relay_request`). Values stay raw JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.shapes.asked import Asked
from everup.shapes.route import Needs
from everup.wires.fields import check_messages, check_sizes, is_given, read_bool, read_fields, read_model

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

BYTES_PER_TOKEN = 4
IMAGE_TOKENS = 1000
"""An image counts as so many tokens, whatever its bytes (typical of a large one)."""
DOCUMENT_BYTES_PER_TOKEN = 40
"""Base64 bytes of a PDF for each token: about 100 KB and 2,500 tokens a page."""
NOTHING = Raw(b"")
MEDIA_MARKS = (b'"image"', b'"document"')
THINKING_MARK = b'thinking"'
"""Ends both `"thinking"` and `"redacted_thinking"`."""
THINKS = frozenset({"enabled", "adaptive"})


class Turn(Struct):
    """A message's content, raw."""

    content: Raw = NOTHING


class Block(Struct):
    """A content block of any type; bytes of images and documents stay raw."""

    type: object = None
    source: Raw = NOTHING
    content: Raw = NOTHING


class Kind(Struct):
    """What any object says it is."""

    type: object = None


class OutputConfig(Struct):
    """How the answer should be."""

    effort: object = None
    format: object = None


class Media(Struct, frozen=True):
    """
    The images of a request.

    And how many bytes and tokens images and base64 documents take.
    """

    images: int = 0
    size_bytes: int = 0
    tokens: int = 0

    def __add__(self, other: Media) -> Media:
        """Return both together."""
        return Media(self.images + other.images, self.size_bytes + other.size_bytes, self.tokens + other.tokens)


decode_turns = msgspec.json.Decoder(list[Turn]).decode
decode_blocks = msgspec.json.Decoder(list[Block]).decode
decode_kind = msgspec.json.Decoder(Kind).decode
decode_output = msgspec.json.Decoder(OutputConfig).decode
decode_count = msgspec.json.Decoder(int).decode


def read_request(body: bytes, limits: Limits) -> Asked:
    """
    Return what a client asks.

    `RequestError` (400) for anything no upstream could understand.
    """
    fields = read_fields(body, limits)
    check_sizes(fields, body, limits)
    model = read_model(fields.get("model"))
    messages = check_messages(fields.get("messages"), roles='"user" or "assistant"')
    text = bytes(messages)
    return Asked(
        wire="anthropic",
        model=model,
        is_stream=read_bool(fields, "stream"),
        wants_usage=True,  # this wire always tells it
        needs=read_needs(fields, media_in(messages, text), len(body)),
        fields=fields,
        body_bytes=len(body),
        is_plain=THINKING_MARK not in text,
    )


def media_in(messages: Raw, text: bytes) -> Media:
    """
    Return the images and documents of a conversation.

    Without one it costs a byte search.
    """
    if not any(mark in text for mark in MEDIA_MARKS):
        return Media()
    return sum((media_of(turn.content) for turn in decode_turns(messages)), Media())


def media_of(content: Raw) -> Media:
    """Return the images and documents of one content, and of the tool results in it."""
    if bytes(content)[:1] != b"[":
        return Media()
    try:
        blocks = decode_blocks(content)
    except msgspec.ValidationError:
        return Media()
    found = Media()
    for block in blocks:
        if block.type == "image":
            found += Media(1, len(bytes(block.source)), IMAGE_TOKENS)
        elif block.type == "document" and kind_of(block.source) == "base64":
            size = len(bytes(block.source))
            found += Media(0, size, size // DOCUMENT_BYTES_PER_TOKEN)
        elif block.type == "tool_result":
            found += media_of(block.content)
    return found


def kind_of(raw: Raw) -> str:
    """Return the type of an object, "" for anything without one."""
    try:
        kind = decode_kind(raw).type
    except msgspec.DecodeError:
        return ""
    return kind if isinstance(kind, str) else ""


def read_needs(fields: dict[str, Raw], media: Media, body_bytes: int) -> Needs:
    """Return what the request needs of a model; sizes are estimated from bytes."""
    output = read_output(fields.get("output_config"))
    return Needs(
        tools=is_given(fields, "tools"),
        images=media.images > 0,
        structured=bool(output.format) or is_given(fields, "output_format"),
        reasoning=wants_reasoning(fields.get("thinking"), output),
        prompt_tokens=(body_bytes - media.size_bytes) // BYTES_PER_TOKEN + media.tokens,
        output_tokens=read_output_tokens(fields.get("max_tokens")),
    )


def read_output(raw: Raw | None) -> OutputConfig:
    """Return how the answer should be, nothing where that cannot be read."""
    if raw is None:
        return OutputConfig()
    try:
        return decode_output(raw)
    except msgspec.ValidationError:
        return OutputConfig()


def wants_reasoning(thinking: Raw | None, output: OutputConfig) -> bool:
    """
    Return whether the model should think.

    It is told to, or how hard, and not told not to.
    """
    kind = "" if thinking is None else kind_of(thinking)
    return kind in THINKS or (kind != "disabled" and output.effort is not None)


def read_output_tokens(raw: Raw | None) -> int | None:
    """Return the client's own limit on the answer, None without a usable one."""
    if raw is None:
        return None
    try:
        most = decode_count(raw)
    except msgspec.ValidationError:
        return None
    return most if most > 0 else None
