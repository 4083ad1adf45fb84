"""
Problems of a configuration and the report that collects them.

What must not live here: what counts as a problem. A reason never holds a configured value, for it may be a
secret: only names of tables, settings, providers, models and routes.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from everup.config.positions import find_positions

if TYPE_CHECKING:
    from collections.abc import Iterable

Where = tuple[str | int, ...]

BARE = re.compile(r"[A-Za-z0-9_-]+")
PROBLEMS_MAX = 200
"""Beyond it only a count is kept: a file of garbage must not become a longer report."""
NAME_SHOWN_MAX = 100


class Severity(StrEnum):
    """An error switches something off; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Struct, frozen=True, kw_only=True):
    """
    One thing wrong: where, why, how bad.

    Line 0 where there is no text to point at.
    """

    path: str
    line: int
    column: int
    reason: str
    severity: Severity

    def __str__(self) -> str:
        """Return `file:line:column: error|warning: reason`, as compilers write it."""
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{place}: {self.severity}: {self.reason}"


class Report:
    """Problems of one text, in the order found; `where` is a path of keys."""

    def __init__(self, source: str, text: str = "") -> None:
        self.source = source
        self.text = text
        self.entries: list[tuple[Where, Severity, str]] = []
        self.left_out = 0

    def error(self, where: Where, reason: str) -> None:
        """The entry at `where` is (partly) switched off for this reason."""
        self.add(where, Severity.ERROR, reason)

    def warn(self, where: Where, reason: str) -> None:
        """Noted, and nothing is switched off."""
        self.add(where, Severity.WARNING, reason)

    def add(self, where: Where, severity: Severity, reason: str) -> None:
        """The problem is kept, up to a bound."""
        if len(self.entries) >= PROBLEMS_MAX:
            self.left_out += 1
            return
        name = dotted(where)
        self.entries.append((where, severity, f"{name}: {reason}" if name else reason))

    def problems(self) -> tuple[Problem, ...]:
        """
        Return what was found in the order of the text.

        The text is searched for positions only now.
        """
        if not self.entries:
            return ()
        positions = find_positions(self.text) if self.text else {}
        placed = [(*nearest_position(positions, where), severity, reason) for where, severity, reason in self.entries]
        placed.sort(key=lambda entry: entry[:2])
        if self.left_out:
            placed.append((0, 0, Severity.ERROR, f"{self.left_out} more problems are not shown"))
        return tuple(
            Problem(path=self.source, line=line, column=column, reason=reason, severity=severity)
            for line, column, severity, reason in placed
        )


def nearest_position(positions: dict[Where, tuple[int, int]], where: Where) -> tuple[int, int]:
    """Return the position of a path, or of the closest thing around it."""
    for length in range(len(where), 0, -1):
        if found := positions.get(where[:length]):
            return found
    return (1, 1) if positions else (0, 0)


def dotted(where: Where) -> str:
    """Return a path as it is written in TOML: `providers.openai.profiles[0].key`."""
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if BARE.fullmatch(part) else f'"{printable(part)}"'
            text += f".{name}" if text else name
    return text


def printable(name: str) -> str:
    """Return a name that is safe to print: escaped, and cut when very long."""
    escaped = name.encode("unicode_escape").decode("ascii") if not name.isprintable() else name
    return escaped if len(escaped) <= NAME_SHOWN_MAX else f"{escaped[:NAME_SHOWN_MAX]}..."


def nearest(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the nearest valid name, or nothing."""
    close = get_close_matches(name[:NAME_SHOWN_MAX], list(names), 1, 0.7)
    return f"; did you mean `{close[0]}`?" if close and close[0] != name else ""
