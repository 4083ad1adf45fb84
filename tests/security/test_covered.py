"""Every row of FAULTS sections 6 and 7 that step 1 owes has a test or a bench that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

OWED = (
    "S1",
    "S2",
    "S3",
    "S6",
    "S7",
    "S10",
    "S12",
    "S13",
    "S15",
    "S16",
    "S18",
    "S19",
    "S25",
    "S27",
    "L2",
    "L3",
    "L8",
    "L11",
)
FOLDERS = ("tests", "bench")


def naming(root: Path, row: str) -> list[str]:
    """Return the files that name a row."""
    word = re.compile(rf"\b{row}\b")
    files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    return [path.name for path in files if path != Path(__file__) and word.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("row", OWED)
def test_a_row_is_shown_somewhere(root: Path, row: str) -> None:
    """The row's id stands in a test or a bench that shows it."""
    assert naming(root, row)
