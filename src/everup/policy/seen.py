"""
An upstream's refusal before it is judged, in no wire's words.

Lives here: the two nouns that `classify` and `retry_after` read. Must not: parsing (see `wires/<name>/faults`).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class ErrorSeen(Struct, frozen=True):
    """
    The error object found in a body.

    `retry_delay` is a duration that stood in it (Gemini's RetryInfo).
    """

    type: str = ""
    code: str = ""
    message: str = ""
    param: str = ""
    status: int | None = None
    retry_delay: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """An answer with another status than 200; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seen: ErrorSeen | None
    provider: str
    model: str
    is_local: bool = False
