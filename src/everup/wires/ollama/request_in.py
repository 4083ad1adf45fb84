"""
A client's `/api/chat` request, checked and read as far as routing needs it.

Lives here: what no upstream could understand (400), and what the request needs. Must not: its meaning turn by turn
(see `chat_in`) and rewriting (see `relay_request`). Values stay raw JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.errors import RequestError
from everup.shapes.asked import Asked
from everup.shapes.route import Needs
from everup.wires.fields import FORBIDDEN, forbidden, is_given, read_bool, read_fields, read_model
from everup.wires.scan import check_field, check_keys

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

BYTES_PER_TOKEN = 4
IMAGE_TOKENS = 1000
"""An image counts as so many tokens, whatever its bytes (typical of a large one)."""
IMAGE_MARK = b'"images"'
THINKING_MARK = b'"thinking"'
NOT_THINKING = frozenset({b"null", b"false", b'""', b'"none"'})
NOTHING = Raw(b"")


class Item(Struct):
    """Any message; its role is looked at."""

    role: object = None


class Pictured(Struct):
    """A message's images, base64 each."""

    images: list[str] | None = None


class Options(Struct):
    """The one option that routing needs."""

    num_predict: int | None = None


decode_items = msgspec.json.Decoder(list[Item]).decode
decode_pictured = msgspec.json.Decoder(list[Pictured]).decode
decode_options = msgspec.json.Decoder(Options).decode


def read_request(body: bytes, limits: Limits) -> Asked:
    """
    Return what a client asks.

    `RequestError` (400) for anything no upstream could understand.
    """
    fields = read_fields(body, limits)
    check_sizes(fields, body, limits)
    model = read_model(fields.get("model"))
    messages = read_messages(fields.get("messages"))
    return Asked(
        wire="ollama",
        model=model,
        is_stream=read_stream(fields),
        wants_usage=True,  # this wire always tells it
        needs=read_needs(fields, images_in(messages), len(body)),
        fields=fields,
        body_bytes=len(body),
        is_plain=THINKING_MARK not in bytes(messages),
    )


def check_sizes(fields: dict[str, Raw], body: bytes, limits: Limits) -> None:
    """`RequestError` for a refused field, or JSON beyond the limits (S15)."""
    if not FORBIDDEN.isdisjoint(fields):
        raise forbidden(next(name for name in fields if name in FORBIDDEN))
    check_keys(body, limits)
    for raw in fields.values():
        check_field(bytes(raw), limits)


def read_stream(fields: dict[str, Raw]) -> bool:
    """
    Return whether the answer is streamed.

    In this wire it is unless the client says no.
    """
    return bytes(fields.get("stream", b"null")) == b"null" or read_bool(fields, "stream")


def read_messages(raw: Raw | None) -> Raw:
    """
    Return the messages.

    `RequestError` unless they are a non-empty list of objects with a role.
    """
    if raw is None:
        raise RequestError(400, "missing_messages", "You must provide 'messages'.", param="messages")
    try:
        items = decode_items(raw)
    except msgspec.ValidationError:
        raise RequestError(400, "invalid_value", "'messages' must be a list of objects.", param="messages") from None
    if not items:
        words = "'messages' must be a list with at least one message."
        hint = "Models are loaded by their own server when they are first asked."
        raise RequestError(400, "invalid_value", words, param="messages", hint=hint)
    for place, item in enumerate(items):
        if not isinstance(item.role, str) or not item.role:
            param = f"messages[{place}].role"
            raise RequestError(400, "invalid_value", f"'{param}' must be a text such as \"user\".", param=param)
    return raw


def images_in(messages: Raw) -> list[int]:
    """
    Return how many bytes each image of a conversation takes.

    Without one it costs a byte search.
    """
    if IMAGE_MARK not in bytes(messages):
        return []
    try:
        return [len(image) for message in decode_pictured(messages) for image in message.images or ()]
    except msgspec.ValidationError:
        return []


def read_needs(fields: dict[str, Raw], images: list[int], body_bytes: int) -> Needs:
    """Return what the request needs of a model; sizes are estimated from bytes."""
    return Needs(
        tools=is_given(fields, "tools"),
        images=bool(images),
        structured=is_given(fields, "format"),
        reasoning=bytes(fields.get("think", b"null")) not in NOT_THINKING,
        prompt_tokens=(body_bytes - sum(images)) // BYTES_PER_TOKEN + len(images) * IMAGE_TOKENS,
        output_tokens=read_output_tokens(fields.get("options")),
    )


def read_output_tokens(raw: Raw | None) -> int | None:
    """
    Return the client's own limit on the answer.

    What is below 1 means none to Ollama.
    """
    if raw is None:
        return None
    try:
        most = decode_options(raw).num_predict
    except msgspec.ValidationError:
        return None
    return most if most is not None and most > 0 else None
