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
    "unavailable": "server_error",
    "internal": "server_error",
    "timeout": "timeout_error",
}
"""The wire-neutral kinds of `Failure` in this wire's words."""


def encode_failure(failure: Failure, bytes_max: int) -> bytes:
    """Return the error body, as long as it may be."""
    return fit(failure, bytes_max, envelope)


def envelope(failure: Failure, text: str) -> bytes:
    """Return the JSON of one error object."""
    return msgspec.json.encode(
        {
            "error": {
                "message": text,
                "type": TYPES.get(failure.kind, "server_error"),
                "param": failure.param[:128].encode("utf-8", "replace").decode() or None,
                "code": failure.code or None,
            }
        }
    )


def encode_stream_failure(failure: Failure, bytes_max: int) -> bytes:
    """
    Return the error event that ends a begun stream.

    One line, since JSON escapes line ends.
    """
    return b"data: " + encode_failure(failure, bytes_max - 8) + b"\n\n"
