"""
Errors of this wire, written for clients.

Lives here: its envelope, which is one text. Must not: errors read from upstreams (see `errors_in`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.wires.fitting import fit

if TYPE_CHECKING:
    from everup.shapes.failure import Failure


def encode_failure(failure: Failure, bytes_max: int) -> bytes:
    """Return the error body, as long as it may be."""
    return fit(failure, bytes_max, envelope)


def envelope(_failure: Failure, text: str) -> bytes:
    """Return the JSON of one error: this wire has a word for nothing but its text."""
    return msgspec.json.encode({"error": text})


def encode_stream_failure(failure: Failure, bytes_max: int) -> bytes:
    """Return the error line that ends a begun stream."""
    return encode_failure(failure, bytes_max - 1) + b"\n"
