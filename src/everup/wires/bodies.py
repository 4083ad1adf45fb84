"""
The first look at a whole answer's bytes.

Lives here: what is no JSON at all, whatever the wire (FAULTS rows 30-33). Must not: any wire's fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.policy.faults import make_fault
from everup.shapes.fault import FaultKind

if TYPE_CHECKING:
    from everup.shapes.fault import Fault


def fault_of_bytes(content_type: str, body: bytes) -> Fault | None:
    """Return the fault of a body that by first bytes or type cannot be JSON."""
    if not body or body.isspace():
        return make_fault(FaultKind.EMPTY_BODY, "status 200 with an empty body")
    if body[:64].lstrip()[:1] == b"<" or "text/html" in content_type.lower():
        return make_fault(FaultKind.HTML_PAGE, "status 200 with an HTML page, not an answer")
    return None


def where(broken: Exception) -> str:
    """Return a parser's complaint: it holds positions, never content."""
    if isinstance(broken, RecursionError):
        return "nested too deep"
    return "not UTF-8" if isinstance(broken, UnicodeError) else str(broken)
