"""
What a client is told when its request cannot be answered.

What must not live here: a wire's encoding (see `wires/<name>/faults`). Made by `policy.exhausted` and by
surfaces from a `RequestError`; encoded by the client's wire.
"""

from __future__ import annotations

from msgspec import Struct


class Failure(Struct, frozen=True, kw_only=True):
    """
    One final error, ready to be encoded.

    `kind` is the wire-neutral type: invalid_request, authentication, permission, not_found, rate_limit,
    unavailable, timeout or internal. `lines` name each candidate with its cause; the encoder keeps the whole
    within `Limits.error_bytes_max`.
    """

    status: int
    kind: str
    code: str
    message: str
    param: str = ""
    hint: str = ""
    lines: tuple[str, ...] = ()
    retry_after_s: float | None = None
    should_retry: bool = False
    trail: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Further headers of the error answer (`allow`, `www-authenticate`)."""
