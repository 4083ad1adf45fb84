"""The tables in docs/ that come from the code say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from everup.observe.metrics import METRICS
from everup.shapes.limits import Limits
from everup.surfaces.table import ROWS

PATHS = [
    "| method | path | scope |",
    "| --- | --- | --- |",
    *(f"| {row.method} | `{row.path}` | {row.scope or 'no key needed'} |" for row in ROWS),
]
NUMBERS = [
    "| metric | kind | labels | meaning |",
    "| --- | --- | --- | --- |",
    *(f"| `{row.name}` | {row.kind} | {', '.join(row.labels) or '-'} | {row.help} |" for row in METRICS),
]


@pytest.mark.parametrize(
    ("page", "name", "expected"), [("surfaces.md", "paths", PATHS), ("operate.md", "metrics", NUMBERS)]
)
def test_a_table_is_what_the_code_says(root: Path, page: str, name: str, expected: list[str]) -> None:
    """The page's table equals the one made from the code; copy it from this test's output when it does not."""
    text = (root / "docs" / page).read_text(encoding="utf-8")
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    shown = text.partition(begin)[2].partition(end)[0].strip().splitlines()
    assert expected == shown, "\n".join(expected)


@pytest.mark.parametrize("page", ["surfaces.md", "operate.md"])
def test_every_limit_named_is_a_limit(root: Path, page: str) -> None:
    """A setting of `[limits]` that a page names exists."""
    text = (root / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`limits\.([a-z_]+)`", text))
    named |= set(re.findall(r"`([a-z_]+_(?:max|s|bytes))`", text)) - {"everup_"}
    assert set() == {name for name in named if name not in Limits.__struct_fields__}
