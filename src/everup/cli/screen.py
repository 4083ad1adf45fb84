"""
What a person sees: lines on stdout and stderr, tables, dim text.

Lives here: the one decision whether stdout is for eyes or for a pipe. Must not: words of a command.
Rich is imported for tables on a terminal only.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

DIM, PLAIN = "\x1b[2m", "\x1b[0m"
# A model's text may hold escape sequences that move the cursor, retitle the window or fake a prompt.
CONTROLS = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\t\n"}


def say(text: str) -> None:
    """The line stands on stdout, where results go."""
    print(harmless(text, sys.stdout))


def tell(text: str) -> None:
    """The line stands on stderr, where everything but the result goes."""
    print(harmless(text, sys.stderr), file=sys.stderr, flush=True)


def tell_dim(text: str) -> None:
    """The line stands on stderr, dim where the terminal has colour."""
    line = harmless(text, sys.stderr)
    print(f"{DIM}{line}{PLAIN}" if is_coloured(sys.stderr) else line, file=sys.stderr, flush=True)


def show_part(text: str) -> None:
    """A piece of an answer stands on stdout at once, without a line end."""
    print(harmless(text, sys.stdout), end="", flush=True)


def show_json(value: object) -> None:
    """The value stands on stdout as JSON that scripts can read."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False))


def harmless(text: str, stream: TextIO) -> str:
    """Return text that cannot drive a terminal; for a pipe it is the text itself."""
    return text.translate(CONTROLS) if stream.isatty() else text


def is_coloured(stream: TextIO) -> bool:
    """Return whether colour is welcome: a terminal that can, and no NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The table stands on stdout, drawn where colour is welcome, else plain."""
    if not is_coloured(sys.stdout):
        say(columns(head, rows))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in head:
        table.add_column(name, overflow="fold")  # a name cut short cannot be copied
    for row in rows:
        table.add_row(*(Text(harmless(cell, sys.stdout)) for cell in row))
    Console().print(table)


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Return rows under a heading, each column as wide as its widest cell."""
    lines = [tuple(head), *(tuple(row) for row in rows)] if head else [tuple(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    cells = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(indent + line for line in cells)
