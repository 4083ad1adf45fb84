"""
The trail of a request as one line of ASCII.

What must not live here: the error a client reads (see `exhausted`). Sent as `x-everup-trail` with every answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everup.shapes.attempt import AttemptRecord
    from everup.shapes.fault import Fault


def tell_fault(fault: Fault) -> str:
    """
    Return a fault in one or two words.

    Its kind and the provider's status where there was one.
    """
    return f"{fault.kind} {fault.status}" if fault.status else str(fault.kind)


def tell_who(candidate: str, profile: str) -> str:
    """Return a candidate by name, with its profile where that is not the only one."""
    return candidate if profile in {"", "default"} else f"{candidate}#{profile}"


def tell_attempt(record: AttemptRecord) -> str:
    """Return one attempt: who, why it failed or that it answered, how long it took."""
    who = tell_who(record.candidate, record.profile)
    if record.fault is None:
        return f"{who}=ok ({record.first_content_ms if record.first_content_ms is not None else record.total_ms}ms)"
    billed = ", possibly billed" if record.fault.possibly_billed else ""
    return f"{who}={tell_fault(record.fault)} ({record.total_ms}ms{billed})"


def make_trail(records: Sequence[AttemptRecord], notes: Sequence[str], bytes_max: int) -> str:
    """
    Return what was left out and each attempt in order, ASCII.

    At most `bytes_max`; the newest is always kept.
    """
    parts = [*notes, *(tell_attempt(record) for record in records)]
    text = ascii_line("; ".join(parts))
    if len(text) <= bytes_max:
        return text
    kept: list[str] = []
    size = len("...")
    for part in reversed(parts):
        size += len(part) + 2
        if size > bytes_max:
            break
        kept.append(part)
    return ascii_line("; ".join(["...", *reversed(kept)]))[:bytes_max]


def ascii_line(text: str) -> str:
    """
    Return text that is safe as a header value.

    Printable ASCII, everything else as `?`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if " " <= char <= "~" else "?" for char in text)
