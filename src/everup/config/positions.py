"""
Where each setting stands in a TOML text: path of keys to line and column.

What must not live here: judging TOML. The text has passed `tomllib`, so this only walks it, and only when
there is a problem to point at. Called by `problem`.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]

TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]+|\#[^\n]*)
  | (?P<line>\n)
  | (?P<quoted>\"\"\"(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5} | '''(?:[^']|'(?!''))*'{3,5} | "(?:[^"\\\n]|\\.)*" | '[^'\n]*')
  | (?P<mark>[\[\]{}=,.])
  | (?P<bare>[^\s"'\#=\[\]{},.]+)
    """,
    re.VERBOSE,
)
END = ("end", "", 0)


def find_positions(text: str) -> dict[Path, tuple[int, int]]:
    """Return line and column (from 1) of every key, header and list item."""
    walk = Walk(text)
    walk.document()
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return {path: line_column(starts, offset) for path, offset in walk.found.items()}


def line_column(starts: list[int], offset: int) -> tuple[int, int]:
    """Return line and column (from 1) of an offset, given the lines' starts."""
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1


class Walk:
    """One pass over the tokens of a text; `found` is where each path begins."""

    def __init__(self, text: str) -> None:
        self.tokens = [
            (match.lastgroup or "", match.group(), match.start())
            for match in TOKEN.finditer(text)
            if match.lastgroup != "space"
        ]
        self.at = 0
        self.found: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}
        """How many tables each `[[array]]` has so far."""

    def peek(self) -> tuple[str, str, int]:
        """Return the next token, or END."""
        return self.tokens[self.at] if self.at < len(self.tokens) else END

    def is_next(self, *marks: str) -> bool:
        """Return whether the next token is one of these marks or line ends."""
        kind, token, _ = self.peek()
        return kind in {"mark", "line"} and token in marks

    def skip_lines(self) -> None:
        """The next token is no line's end."""
        while self.is_next("\n"):
            self.at += 1

    def document(self) -> None:
        """The whole text has been walked."""
        table: Path = ()
        while self.peek() is not END:
            before = self.at
            self.skip_lines()
            if self.is_next("["):
                table = self.header()
            elif self.peek() is not END:
                self.pair(table)
            self.at = max(self.at, before + 1)  # never stand still, whatever the text

    def header(self) -> Path:
        """Return the path of a `[table]` or `[[array]]` header."""
        offset = self.peek()[2]
        self.at += 1
        is_array = self.is_next("[")
        self.at += is_array
        *above, last = [key for key, _ in self.keys()]
        path = (*self.inside(tuple(above)), last)
        self.found.setdefault(path, offset)
        if is_array:
            self.lengths[path] = self.lengths.get(path, 0) + 1
        path = self.inside((last,), path[:-1])
        self.found.setdefault(path, offset)
        while self.is_next("]"):
            self.at += 1
        return path

    def inside(self, keys: tuple[str, ...], path: Path = ()) -> Path:
        """Return a header's path with the number of the last table after each array."""
        for key in keys:
            path = (*path, key)
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
        return path

    def keys(self) -> list[tuple[str, int]]:
        """Return the parts of a dotted key, each with its offset."""
        parts = []
        while (token := self.peek())[0] in {"bare", "quoted"}:
            kind, text, offset = token
            # Quoted keys have TOML's escapes: let the standard library read them.
            parts.append((tomllib.loads(f"{text} = 0").popitem()[0] if kind == "quoted" else text, offset))
            self.at += 1
            if not self.is_next("."):
                break
            self.at += 1
        return parts or [("", self.peek()[2])]

    def pair(self, table: Path) -> None:
        """One `key = value` has been walked."""
        path = table
        for key, offset in self.keys():
            path = (*path, key)
            self.found.setdefault(path, offset)
        if self.is_next("="):
            self.at += 1
        self.value(path)

    def value(self, path: Path) -> None:
        """One value has been walked, with what is inside it."""
        if self.is_next("["):
            self.inner("]", path, is_list=True)
        elif self.is_next("{"):
            self.inner("}", path, is_list=False)
        else:  # a scalar may be several tokens: 1.5, or a date and a time
            while self.peek() is not END and not self.is_next("\n", ",", "]", "}"):
                self.at += 1

    def inner(self, closing: str, path: Path, *, is_list: bool) -> None:
        """A list or an inline table has been walked up to its closing mark."""
        self.at += 1
        count = 0
        while self.peek() is not END and not self.is_next(closing):
            before = self.at
            if self.is_next(",", "\n"):
                self.at += 1
            elif is_list:
                self.found.setdefault((*path, count), self.peek()[2])
                self.value((*path, count))
                count += 1
            else:
                self.pair(path)
            self.at = max(self.at, before + 1)
        self.at += 1
