"""
The error in an upstream's body, whatever envelope it came in.

Lives here: every envelope that providers use. Must not: what an error means (see `policy.classify`), and errors for
clients (see `wires/<name>/faults`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from everup.policy.classify import ErrorSeen

TEXT_CHARS_MAX = 8192
DETAILS_MAX = 8


def read_error(body: bytes) -> ErrorSeen | None:
    """Return the error object of a body, None when it holds none that is known."""
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    return error_in(found)


def error_in(found: object) -> ErrorSeen | None:
    """
    Return the error in a decoded body.

    An envelope, a bare error, or either inside a list (Gemini).
    """
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return None
    error = found.get("error")
    if isinstance(error, dict):
        return error_object(error)
    if isinstance(error, str) and error:
        return ErrorSeen(message=error[:TEXT_CHARS_MAX], code=text_of(found.get("code")))
    return None if "choices" in found else bare_error(found)


def bare_error(found: dict[str, Any]) -> ErrorSeen | None:
    """
    Return the error of a body without an envelope.

    FastAPI's detail, or the error's own fields.
    """
    if "detail" in found:
        return ErrorSeen(type=text_of(found.get("type")), message=detail_text(found["detail"]))
    if "message" in found or found.get("object") == "error":
        return error_object(found)
    if isinstance(found.get("errors"), list | dict):
        return ErrorSeen(message=text_of(found["errors"]))
    return None


def error_object(error: dict[str, Any]) -> ErrorSeen:
    """
    Return what one error object says.

    A wrapped provider's own words (OpenRouter) are added.
    """
    status = error.get("status", error.get("status_code"))
    message = text_of(error.get("message") or error.get("msg") or error.get("error"))
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
        message = f"{message}: {metadata['raw']}"[:TEXT_CHARS_MAX]
    kind = text_of(error.get("type")) or (status if isinstance(status, str) else "")
    code = inner_code(error) or text_of(error.get("code"))
    return ErrorSeen(
        type=kind[:128],
        code=code[:128],
        message=message,
        param=text_of(error.get("param"))[:256],
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        retry_delay=retry_delay(error.get("details")),
    )


def inner_code(error: dict[str, Any]) -> str:
    """Return the finer code inside, Azure's `innererror` or Google's `reason`."""
    inner = error.get("innererror")
    if isinstance(inner, dict):
        return text_of(inner.get("code"))
    for detail in details_of(error.get("details")):
        reason = detail.get("reason")
        if isinstance(reason, str):
            return reason
    return ""


def details_of(details: object) -> list[dict[str, Any]]:
    """Return the objects in an error's list of details, bounded."""
    return [each for each in details[:DETAILS_MAX] if isinstance(each, dict)] if isinstance(details, list) else []


def retry_delay(details: object) -> str:
    """Return Gemini's RetryInfo delay (`"34s"`), "" when there is none."""
    return next((text_of(each["retryDelay"])[:64] for each in details_of(details) if "retryDelay" in each), "")


def detail_text(detail: object) -> str:
    """
    Return FastAPI's detail as a sentence.

    Of validation errors the messages, never the quoted input.
    """
    rows = details_of(detail)
    if not rows:
        return text_of(detail)
    return "; ".join(f"{text_of(row.get('loc'))}: {text_of(row.get('msg'))}" for row in rows)[:TEXT_CHARS_MAX]


def text_of(value: object) -> str:
    """Return any JSON value as bounded text; null is nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    return msgspec.json.encode(value).decode()[:TEXT_CHARS_MAX]
