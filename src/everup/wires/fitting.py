"""
A failure's words, as long as a client's error may be.

Lives here: what is shortened first. Must not: any wire's envelope (see `wires/<name>/faults`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.failure import Failure

LINE_WIDTHS = (1000, 300, 160, 100, 60, 36)
"""Characters that a candidate's line may have, tried in turn until the whole fits."""


def fit(failure: Failure, bytes_max: int, envelope: Callable[[Failure, str], bytes]) -> bytes:
    """
    Return the error body, as long as it may be.

    Each candidate's line is shortened before any is lost, so that all are named; the last resort is a cut on a
    character border.
    """
    message = " ".join(part for part in (failure.message, failure.hint) if part)
    for width in LINE_WIDTHS:
        lines = (line if len(line) <= width else f"{line[:width]}..." for line in failure.lines)
        text = "\n".join((message, *lines)).encode("utf-8", "replace").decode()
        body = envelope(failure, text)
        if len(body) <= bytes_max:
            return body
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if len(envelope(failure, text[:middle] + "...")) <= bytes_max:
            low = middle
        else:
            high = middle - 1
    return envelope(failure, text[:low] + "...")
