"""
Single content blocks in this wire's words.

Lives here: one JSON object per part, its cache mark last. Must not: turns (see `turns_out`). What the wire cannot hold
is `Unwritable`, which names its place as the client would.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from everup.shapes.chat import Document, Image, Text
from everup.wires.mint import digest
from everup.wires.unsayable import Unwritable

if TYPE_CHECKING:
    from everup.shapes.chat import CacheMark, Part, Thinking, ToolCall, ToolResult

Row = dict[str, object]

ALL = "*"
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
PDF = "application/pdf"
PDF_BASE64 = "JVBERi"
"""How base64 of a PDF begins (`%PDF-`), for files that come without a type."""
LAWFUL_ID = re.compile(r"[a-zA-Z0-9_-]+", re.ASCII)
NO_ARGUMENTS = frozenset({"", "null"})
EMPTY = Raw(b"{}")
ANY_DETAIL = frozenset({"", "auto"})
decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


class BlocksOut:
    """
    The writer of one request's blocks.

    `has_marks` tells whether the client marked anything to be cached; `dropped` names what has no place.
    """

    def __init__(self, foreign: frozenset[str] | None) -> None:
        self.foreign = foreign or frozenset()
        self.has_marks = False
        self.dropped: list[str] = []

    def thinking(self, part: Thinking) -> list[Row]:
        """Return thinking that its minter can take back, as it came, else nothing."""
        is_foreign = ALL in self.foreign or part.signature in self.foreign or part.hidden in self.foreign
        if is_foreign:
            return []
        if part.hidden:
            return [{"type": "redacted_thinking", "data": part.hidden}]
        if not part.signature:
            return []
        return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]

    def content(self, part: Part, place: str) -> list[Row]:
        """Return what a turn says; a text of blanks is none, for the provider refuses it."""
        match part:
            case Text(text=text):
                return [self.marked({"type": "text", "text": text}, part.cache)] if text.strip() else []
            case Image():
                if part.detail not in ANY_DETAIL:
                    self.dropped.append(f"{place}.image_url.detail")
                return [self.marked({"type": "image", "source": image_source(part, place)}, part.cache)]
            case Document():
                title = {"title": part.name} if part.name else {}
                return [self.marked({"type": "document", "source": source_of(part, place), **title}, part.cache)]
            case _:
                raise Unwritable(place, "is a recording, which Anthropic's models cannot hear")

    def call(self, part: ToolCall, place: str) -> Row:
        """Return one tool call; its arguments' bytes stay as they came."""
        input_ = input_of(part.arguments, f"{place}.function.arguments")
        row: Row = {"type": "tool_use", "id": lawful_id(part.id), "name": part.name, "input": input_}
        return self.marked(row, part.cache)

    def result(self, part: ToolResult, place: str) -> Row:
        """Return what a tool gave; a mere text as a text."""
        row: Row = {"type": "tool_result", "tool_use_id": lawful_id(part.id)}
        said = [block for index, each in enumerate(part.parts) for block in self.content(each, f"{place}[{index}]")]
        if said:
            only = said[0]
            is_mere = len(said) == 1 and only["type"] == "text" and len(only) == 2
            row["content"] = only["text"] if is_mere else said
        if part.is_error:
            row["is_error"] = True
        return self.marked(row, part.cache)

    def marked(self, row: Row, mark: CacheMark | None) -> Row:
        """Return a row with the client's cache mark."""
        if mark is not None:
            self.has_marks = True
            row["cache_control"] = {"type": "ephemeral", **({"ttl": mark.ttl} if mark.ttl else {})}
        return row


def lawful_id(call_id: str) -> str:
    """Return a call's id, or one made of it where the provider would refuse it."""
    return call_id if LAWFUL_ID.fullmatch(call_id) else "toolu_" + digest(call_id.encode("utf-8", "replace"))


def input_of(arguments: str, place: str) -> Raw:
    """Return a call's arguments as the object they must be; none are an empty one."""
    if arguments.strip() in NO_ARGUMENTS:
        return EMPTY
    try:
        text = arguments.encode()
        decode_object(text)
    except (ValueError, RecursionError):
        raise Unwritable(place, "is not a JSON object, which Anthropic requires") from None
    return Raw(text)


def image_source(image: Image, place: str) -> Row:
    """Return where an image's bytes are."""
    if image.data:
        if image.media_type not in IMAGES:
            raise Unwritable(
                place, "is an image of a type that Anthropic does not read (it reads JPEG, PNG, GIF, WebP)"
            )
        return {"type": "base64", "media_type": image.media_type, "data": image.data}
    if image.url:
        return {"type": "url", "url": image.url}
    raise Unwritable(place, "is an image that only another provider holds")


def source_of(file: Document, place: str) -> Row:
    """Return where a document's bytes are: a PDF as it is, a text as a text."""
    if file.text:
        return {"type": "text", "media_type": "text/plain", "data": file.text}
    if file.url:
        return {"type": "url", "url": file.url}
    if not file.data:
        raise Unwritable(place, "is a file that only another provider holds")
    if file.media_type == PDF or (not file.media_type and file.data.startswith(PDF_BASE64)):
        return {"type": "base64", "media_type": PDF, "data": file.data}
    if file.media_type.startswith("text/"):
        return {"type": "text", "media_type": "text/plain", "data": text_in(file.data, place)}
    raise Unwritable(place, "is a file of a type that Anthropic does not read (it reads PDF and text)")


def text_in(data: str, place: str) -> str:
    """Return the text in base64."""
    try:
        return b64decode(data, validate=True).decode()
    except ValueError:
        raise Unwritable(place, "is not base64 of a UTF-8 text") from None
