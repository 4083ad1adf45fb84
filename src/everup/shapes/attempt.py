"""
Attempts and trails: what was tried for one request.

What must not live here: encoding for a wire or a header (see `policy.trail`). Written by the engine.
"""

from __future__ import annotations

from msgspec import Struct

from everup.shapes.events import Usage
from everup.shapes.fault import Fault


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """
    One try of one candidate: None fault means it answered.

    Times are milliseconds from its own beginning.
    """

    n: int
    candidate: str
    profile: str
    total_ms: int
    first_content_ms: int | None = None
    fault: Fault | None = None
    usage: Usage | None = None
    is_committed: bool = False
