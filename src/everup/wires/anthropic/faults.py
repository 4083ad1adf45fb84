"""
Errors of this wire, written for clients.

Lives here: its envelope. Must not: errors read from upstreams (see `wires.errors_in`) and what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.wires.fitting import fit

if TYPE_CHECKING:
    from everup.shapes.failure import Failure

TYPES = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "rate_limit": "rate_limit_error",
    "timeout": "timeout_error",
}
"""The wire-neutral kinds of `Failure` in this wire's words; any other is an `api_error`."""
TYPE_OF_STATUS = {402: "billing_error", 413: "request_too_large", 503: "overloaded_error", 529: "overloaded_error"}
"""Statuses for which this wire has a word of its own, whatever the kind."""
FRAME = b"event: error\ndata: %b\n\n"


def encode_failure(failure: Failure, bytes_max: int) -> bytes:
    """Return the error body, as long as it may be."""
    return fit(failure, bytes_max, envelope)


def envelope(failure: Failure, text: str) -> bytes:
    """
    Return the JSON of one error object.

    This wire has no `param`; the failure's code goes where its SDKs look for one, `details.error_code`.
    """
    kind = TYPE_OF_STATUS.get(failure.status) or TYPES.get(failure.kind, "api_error")
    error: dict[str, object] = {"type": kind, "message": text}
    if failure.code:
        error["details"] = {"error_code": failure.code}
    return msgspec.json.encode({"type": "error", "error": error})


def encode_stream_failure(failure: Failure, bytes_max: int) -> bytes:
    """
    Return the error event that ends a begun stream.

    One line, since JSON escapes line ends.
    """
    return FRAME % encode_failure(failure, bytes_max - len(FRAME))
