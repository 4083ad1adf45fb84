"""
The top-level fields of any client's JSON request, and its model.

Lives here: what no upstream could understand, whatever the wire (400). Must not: any wire's own fields (see
`wires/<name>/request_in`). Values stay raw JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from everup.errors import RequestError
from everup.wires.scan import check_field, check_keys, too_deep

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

MODEL_CHARS_MAX = 256
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
OFFSET = re.compile(r"\(byte (\d+)\)")
FORBIDDEN = frozenset(
    {
        "api_base",
        "base_url",
        "api_key",
        "api_version",
        "extra_headers",
        "extra_body",
        "extra_query",
        "custom_llm_provider",
    }
)
"""Fields by which some gateways let a caller choose where a provider's key is sent (S10)."""
EMPTY_VALUES = frozenset({b"null", b"[]", b"{}", b'""', b"false"})


class Item(Struct):
    """Any message; its role is looked at, everything else may be a wire's own."""

    role: object = None


decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
decode_any = msgspec.json.Decoder().decode
decode_items = msgspec.json.Decoder(list[Item]).decode


def read_fields(body: bytes, limits: Limits) -> dict[str, Raw]:
    """Return the top-level fields as raw JSON, inside the limits on JSON."""
    try:
        fields = decode_fields(body)
        if not body.isascii():
            body.decode()
    except msgspec.ValidationError:
        raise RequestError(
            400,
            "invalid_body",
            "The request body must be a JSON object.",
            hint='Send {"model": ..., "messages": [...]}.',
        ) from None
    except RecursionError:
        raise too_deep(limits.json_depth_max) from None
    except UnicodeDecodeError as broken:
        raise RequestError(400, "invalid_json", f"The request body is not valid UTF-8 (byte {broken.start}).") from None
    except ValueError as broken:
        raise malformed(body, str(broken)) from None
    return fields


def malformed(body: bytes, complaint: str) -> RequestError:
    """Return the error for JSON that does not parse, with the byte where it breaks."""
    if not body or body.isspace():
        return RequestError(400, "invalid_json", "The request body is empty; a JSON object is expected.")
    found = OFFSET.search(complaint)
    place = int(found[1]) if found else len(body)
    return RequestError(400, "invalid_json", f"The request body is not valid JSON: it breaks at byte {place}.")


def forbidden(name: str) -> RequestError:
    """Return the error for a field that would choose the upstream (S10)."""
    return RequestError(
        400,
        "forbidden_field",
        f"The field '{name}' is not accepted: where a request goes is decided by the configuration, not by the caller.",
        param=name,
        hint="Leave it out and choose a route or a model by 'model'.",
    )


def wrong(name: str, expected: str) -> RequestError:
    """Return the error for a field of the wrong type or value."""
    return RequestError(400, "invalid_value", f"'{name}' must be {expected}.", param=name)


def value_of(raw: Raw, name: str) -> Any:
    """
    Return a field's value.

    `RequestError` for a number that no program can hold (`1e999`).
    """
    try:
        return decode_any(raw)
    except ValueError:
        raise wrong(name, "a value that can be read") from None


def read_model(raw: Raw | None) -> str:
    """Return the model's name, printable and bounded (S13)."""
    model = None if raw is None else value_of(raw, "model")
    if model is None or model == "":
        raise RequestError(
            400,
            "missing_model",
            "You must provide a 'model'.",
            param="model",
            hint='GET /v1/models lists the names; "default" is the route of a first run.',
        )
    if not isinstance(model, str):
        raise wrong("model", "a string")
    if len(model) > MODEL_CHARS_MAX:
        raise wrong("model", f"at most {MODEL_CHARS_MAX} characters long")
    if CONTROL.search(model):
        raise wrong("model", "free of control characters")
    return model


def read_bool(fields: dict[str, Raw], name: str) -> bool:
    """Return a flag's value; absent and null are false."""
    raw = fields.get(name)
    if raw is None:
        return False
    value = value_of(raw, name)
    if value is not None and not isinstance(value, bool):
        raise wrong(name, "true or false")
    return value is True


def is_given(fields: dict[str, Raw], name: str) -> bool:
    """Return whether a field is there and not empty."""
    return name in fields and bytes(fields[name]) not in EMPTY_VALUES


def check_sizes(fields: dict[str, Raw], body: bytes, limits: Limits) -> None:
    """`RequestError` for a refused field, or JSON beyond the limits (S15)."""
    check_allowed(fields)
    check_keys(body, limits)
    for raw in fields.values():
        check_field(bytes(raw), limits)


def check_allowed(fields: dict[str, Raw]) -> None:
    """`RequestError` for a field that would choose the upstream (S10)."""
    if not FORBIDDEN.isdisjoint(fields):
        raise forbidden(next(name for name in fields if name in FORBIDDEN))


def check_messages(raw: Raw | None, *, roles: str, hint: str = "") -> Raw:
    """
    Return the messages, which are a list of objects with a role.

    Else `RequestError`. `roles` says what a role is ("a text such as ..."), `hint` what no message may mean.
    """
    if raw is None:
        raise RequestError(400, "missing_messages", "You must provide 'messages'.", param="messages")
    try:
        items = decode_items(raw)
    except msgspec.ValidationError:
        raise RequestError(400, "invalid_value", "'messages' must be a list of objects.", param="messages") from None
    if not items:
        words = "'messages' must be a list with at least one message."
        raise RequestError(400, "invalid_value", words, param="messages", hint=hint)
    for place, item in enumerate(items):
        if not isinstance(item.role, str) or not item.role:
            param = f"messages[{place}].role"
            raise RequestError(400, "invalid_value", f"'{param}' must be {roles}.", param=param)
    return raw
