"""
The messages of a request: checked, and looked through for images.

Lives here: one narrow decode of what nearly all messages are made of. It knows every field it accepts, so that
success also proves that nothing is nested deep (S15) and that there is no reasoning part. Must not: other fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.wires.fields import check_messages
from everup.wires.scan import too_deep

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

IMAGE_TYPES = frozenset({"image_url", "input_image"})
NO_IMAGE = Raw(b"")
IMAGE_MARKS = (b'"image_url"', b'"input_image"')


class Seen(Struct, frozen=True):
    """The images found, the bytes they take, and whether all is ordinary."""

    images: int = 0
    image_bytes: int = 0
    raw_bytes: int = 0
    is_plain: bool = False


class ImageUrl(Struct, forbid_unknown_fields=True):
    """An image's address or data."""

    url: str = ""
    detail: str | None = None


class CacheControl(Struct, forbid_unknown_fields=True):
    """A prompt-cache mark."""

    type: str | None = None
    ttl: str | None = None


class PlainPart(Struct, forbid_unknown_fields=True):
    """A text or an image."""

    type: str = ""
    text: str | None = None
    image_url: ImageUrl | str | None = None
    cache_control: CacheControl | None = None


class PlainFunction(Struct, forbid_unknown_fields=True):
    """A called function; its arguments are a text."""

    name: str = ""
    arguments: str = ""


class PlainCall(Struct, forbid_unknown_fields=True):
    """A tool call of the history."""

    id: str | None = None
    type: str | None = None
    function: PlainFunction | None = None


class PlainMessage(Struct, forbid_unknown_fields=True):
    """A message as nearly all are."""

    role: str
    content: str | list[PlainPart] | None = None
    name: str | None = None
    tool_calls: list[PlainCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class Part(Struct):
    """A part of any message's content; an image's bytes stay raw."""

    type: object = None
    image_url: Raw = NO_IMAGE


decode_plain = msgspec.json.Decoder(list[PlainMessage]).decode
decode_tables = msgspec.json.Decoder(list[dict[str, Raw]]).decode
decode_parts = msgspec.json.Decoder(list[Part]).decode


def read_messages(raw: Raw | None, limits: Limits) -> Seen:
    """
    Return what the messages hold.

    `RequestError` unless they are a non-empty list of objects.
    """
    try:
        messages = decode_plain(raw) if raw is not None else []
    except (msgspec.ValidationError, UnicodeDecodeError):
        return read_strange(raw)
    except RecursionError:
        raise too_deep(limits.json_depth_max) from None
    if raw is None or not messages:
        return read_strange(raw)
    images, size = 0, 0
    for message in messages:
        if type(message.content) is list:
            for part in message.content:
                if part.type in IMAGE_TYPES:
                    images += 1
                    address = part.image_url.url if isinstance(part.image_url, ImageUrl) else part.image_url
                    size += len(address or "")
    return Seen(images, size, memoryview(raw).nbytes, is_plain=True)


def read_strange(raw: Raw | None) -> Seen:
    """Return the same of messages with fields not known here; none are refused."""
    raw = check_messages(raw, roles='a text such as "user"')
    text = bytes(raw)
    if not any(mark in text for mark in IMAGE_MARKS):
        return Seen()
    images, size = 0, 0
    for message in decode_tables(raw):
        for part in parts_of(message.get("content")):
            if part.type in IMAGE_TYPES:
                images += 1
                size += len(bytes(part.image_url))
    return Seen(images, size)


def parts_of(content: Raw | None) -> list[Part]:
    """Return the parts of a content, none if it is a text or something unknown."""
    if content is None:
        return []
    try:
        return decode_parts(content)
    except msgspec.ValidationError:
        return []
