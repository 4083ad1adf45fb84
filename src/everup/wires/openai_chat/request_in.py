"""
A client's chat request, checked and read as far as routing needs it.

Lives here: what no upstream could understand (400), and what the request needs. Must not: rewriting (see
`relay_request`, `chat_in`). Values stay raw JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.errors import RequestError
from everup.shapes.asked import Asked
from everup.shapes.route import Needs
from everup.wires.fields import check_allowed, is_given, read_bool, read_fields, read_model, value_of, wrong
from everup.wires.openai_chat.messages import Seen, read_messages
from everup.wires.scan import check_field, check_keys, is_too_deep, too_deep

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

IMAGE_TOKENS = 1000
"""An image counts as so many tokens, whatever its bytes (typical of a large one)."""
BYTES_PER_TOKEN = 4
NO_REASONING = frozenset({b"null", b'"none"', b"{}", b"false"})


class Format(Struct):
    """A response format's kind."""

    type: object = None


class Options(Struct):
    """The one stream option everup looks at."""

    include_usage: object = None


decode_format = msgspec.json.Decoder(Format).decode
decode_options = msgspec.json.Decoder(Options).decode


def read_request(body: bytes, limits: Limits) -> Asked:
    """
    Return what a client asks.

    `RequestError` (400) for anything no upstream could understand.
    """
    fields = read_fields(body, limits)
    try:
        model = read_model(fields.get("model"))
        messages = read_messages(fields.get("messages"), limits)
    except RequestError:
        # How deep the decoder itself goes differs between Pythons; what is too deep is told as that on all.
        if is_too_deep(body, limits.json_depth_max):
            raise too_deep(limits.json_depth_max) from None
        raise
    check_sizes(fields, messages, body, limits)
    return Asked(
        model=model,
        is_stream=read_bool(fields, "stream"),
        wants_usage=read_wants_usage(fields),
        needs=read_needs(fields, messages, len(body)),
        fields=fields,
        body_bytes=len(body),
        is_plain=messages.is_plain,
    )


def check_sizes(fields: dict[str, Raw], messages: Seen, body: bytes, limits: Limits) -> None:
    """`RequestError` for a refused field, or JSON beyond the limits (S15)."""
    check_allowed(fields)
    check_keys(body, limits)
    if messages.is_plain and len(body) - messages.raw_bytes < min(
        2 * limits.json_depth_max, limits.json_number_digits_max
    ):
        return
    for name, raw in fields.items():
        if not (messages.is_plain and name == "messages"):
            check_field(bytes(raw), limits)


def read_wants_usage(fields: dict[str, Raw]) -> bool:
    """Return whether the client asked for the usage chunk."""
    raw = fields.get("stream_options")
    if raw is None or bytes(raw) == b"null":
        return False
    try:
        options = decode_options(raw)
    except msgspec.ValidationError:
        raise wrong("stream_options", "an object") from None
    if options.include_usage is not None and not isinstance(options.include_usage, bool):
        raise RequestError(
            400, "invalid_value", "'stream_options.include_usage' must be true or false.", param="stream_options"
        )
    return options.include_usage is True


def read_needs(fields: dict[str, Raw], messages: Seen, body_bytes: int) -> Needs:
    """Return what the request needs of a model; sizes are estimated from bytes."""
    text_bytes = max(body_bytes - messages.image_bytes, 0)
    return Needs(
        tools=is_given(fields, "tools") or is_given(fields, "functions"),
        images=messages.images > 0,
        structured=wants_structure(fields.get("response_format")),
        reasoning=wants_reasoning(fields),
        prompt_tokens=text_bytes // BYTES_PER_TOKEN + messages.images * IMAGE_TOKENS,
        output_tokens=read_output_tokens(fields),
    )


def wants_structure(raw: Raw | None) -> bool:
    """Return whether the answer must be JSON."""
    if raw is None:
        return False
    try:
        return decode_format(raw).type in {"json_schema", "json_object"}
    except msgspec.ValidationError:
        return False


def wants_reasoning(fields: dict[str, Raw]) -> bool:
    """Return whether reasoning is turned on, in any way that servers know."""
    if "reasoning_effort" in fields:
        return bytes(fields["reasoning_effort"]) not in NO_REASONING
    if "reasoning" in fields:
        value = value_of(fields["reasoning"], "reasoning")
        if isinstance(value, dict):
            return bool(value) and value.get("enabled") is not False and value.get("effort") != "none"
        return bool(value)
    if "thinking" in fields:
        value = value_of(fields["thinking"], "thinking")
        return isinstance(value, dict) and value.get("type") in {"enabled", "adaptive"}
    return False


def read_output_tokens(fields: dict[str, Raw]) -> int | None:
    """Return the client's own limit on the answer, None without a usable one."""
    for name in ("max_completion_tokens", "max_tokens"):
        raw = fields.get(name)
        if raw is not None:
            value = value_of(raw, name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None
