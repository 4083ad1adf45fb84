"""
A client's `/api/chat` request, checked and read as far as routing needs it.

Lives here: what no upstream could understand (400), and what the request needs. Must not: its meaning turn by turn
(see `chat_in`) and rewriting (see `relay_request`). Values stay raw JSON.
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
IMAGE_MARK = b'"images"'
THINKING_MARK = b'"thinking"'
NOT_THINKING = frozenset({b"null", b"false", b'""', b'"none"'})
A_ROLE = 'a text such as "user"'
EMPTY_HINT = "Models are loaded by their own server when they are first asked."


class Pictured(Struct):
    """A message's images, base64 each."""

    images: list[str] | None = None


class Options(Struct):
    """The one option that routing needs."""

    num_predict: int | None = None


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
    messages = check_messages(fields.get("messages"), roles=A_ROLE, hint=EMPTY_HINT)
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


def read_stream(fields: dict[str, Raw]) -> bool:
    """
    Return whether the answer is streamed.

    In this wire it is unless the client says no.
    """
    return bytes(fields.get("stream", b"null")) == b"null" or read_bool(fields, "stream")


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
