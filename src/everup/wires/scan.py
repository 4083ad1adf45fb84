"""
The cheap look at a body's JSON that tells bombs from requests (FAULTS S15).

Lives here: nesting, number of keys, length of numbers, found by byte operations. Must not: meaning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from everup.errors import RequestError

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

NESTING = bytes.maketrans(b"[{]}", b"(())")
ALL_BUT_NESTING = bytes(byte for byte in range(256) if byte not in b'[{]}"')
KEY_BYTES_MIN = 5
"""A key with its value and comma: `"":1,`."""
SAMPLES = 8
"""So many samples fall into a number of the longest allowed length."""
DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
RUN = b"0" * (SAMPLES - 1)


def check_keys(body: bytes, limits: Limits) -> None:
    """`RequestError` for valid JSON with too many keys."""
    if len(body) > limits.json_keys_max * KEY_BYTES_MIN and outside(body).count(b":") > limits.json_keys_max:
        raise RequestError(400, "json_too_many_keys", f"The request body has more than {limits.json_keys_max:,} keys.")


def check_field(text: bytes, limits: Limits) -> None:
    """`RequestError` for JSON too deep or with a too long number."""
    depth_max = limits.json_depth_max - 1
    if len(text) > 2 * depth_max and is_too_deep(text, depth_max):
        raise too_deep(limits.json_depth_max)
    digits_max = limits.json_number_digits_max
    if len(text) > digits_max and has_long_number(text, digits_max):
        raise RequestError(
            400, "json_number_too_long", f"The request body holds a number of more than {digits_max} digits."
        )


def too_deep(depth_limit: int) -> RequestError:
    """Return the error for JSON nested deeper than allowed."""
    return RequestError(400, "json_too_deep", f"The request body is nested more than {depth_limit} levels deep.")


def is_too_deep(body: bytes, depth_max: int) -> bool:
    """
    Return whether valid JSON is nested deeper.

    Only bodies with that many brackets are looked at closely.
    """
    nesting = body.translate(NESTING, ALL_BUT_NESTING)
    if nesting.count(b"(") <= depth_max:
        return False
    if b'\\"' in body:
        nesting = without_escapes(body).translate(NESTING, ALL_BUT_NESTING)
    # Two quotes side by side hold no bracket; what is left of quotes encloses brackets inside a string.
    nesting = nesting.replace(b'""', b"")
    if b'"' in nesting:
        nesting = b"".join(nesting.split(b'"')[::2])
    for _ in range(depth_max):
        if not nesting:
            return False
        nesting = nesting.replace(b"()", b"")
    return bool(nesting)


def without_escapes(body: bytes) -> bytes:
    """
    Return JSON whose strings hold no escaped quote.

    Escaped backslashes go first, they come in pairs.
    """
    return body.replace(b"\\\\", b"").replace(b'\\"', b"")


def outside(body: bytes) -> bytes:
    """Return JSON without the text of its strings."""
    return b"".join(without_escapes(body).split(b'"')[::2])


def has_long_number(body: bytes, digits_max: int) -> bool:
    """
    Return whether a number has more digits.

    Samples find a run, a close look tells numbers from text.
    """
    if RUN not in body[:: max(1, digits_max // SAMPLES)].translate(DIGITS):
        return False
    return re.search(rb"[0-9]{%d}" % (digits_max + 1), outside(body)) is not None
