"""docs/faults.md is made from the table of verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from everup.policy.faults import RULES
from everup.policy.page import GROUPS, MEANINGS, RULINGS, cooldown, ordinal, render_page, then, told_s
from everup.shapes.fault import FaultKind


def test_the_page_has_not_drifted(root: Path) -> None:
    """The page in the clone is what `everup.policy.page.render_page()` returns."""
    assert render_page() == (root / "docs" / "faults.md").read_text(encoding="utf-8")


def test_every_kind_has_its_line() -> None:
    """Each kind is described once, under the first heading that begins before it."""
    assert set(FaultKind) == set(MEANINGS)
    page = render_page()
    assert [1] * len(FaultKind) == [page.count(f"\n| `{kind}` |") for kind in FaultKind]
    assert next(iter(FaultKind)) is GROUPS[0][1]
    assert [f"## {title}" for title, _ in GROUPS] == [line for line in page.splitlines() if line.startswith("## ")]


def test_every_ruling_is_told() -> None:
    """The nine rulings stand below the tables, numbered as they are in the contract."""
    page = render_page()
    assert 9 == len(RULINGS)
    assert all(f"\n{n}. **{title}.**" in page for n, (title, _) in enumerate(RULINGS, start=1))


@pytest.mark.parametrize(
    ("kind", "path", "pause"),
    [
        (
            FaultKind.SERVER_ERROR,
            "the same again after up to 0.5 s, then the next model",
            "the model: 5 s to 25 s with the third in 30 s",
        ),
        (FaultKind.LOADING, "the same again up to 60 times after 1 s, then the next model", "none"),
        (FaultKind.BILLING, "its next key, then the next model", "the key: 10 min to 1 h"),
        (FaultKind.FIRST_EVENT, "the next model", "the model: 30 s to 5 min with the second in 10 min"),
        (FaultKind.TLS, "the next model", "the provider: 10 min"),
    ],
)
def test_a_verdict_reads_as_it_is(kind: FaultKind, path: str, pause: str) -> None:
    """A row's path and cooldown are told in plain words."""
    assert (path, pause) == (then(RULES[kind]), cooldown(kind, RULES[kind]))


def test_numbers_read_as_a_person_would_say_them() -> None:
    """Seconds become minutes and hours where they are whole, and places are words."""
    assert ["90 s", "2 min", "1 h", "0.5 s"] == [told_s(seconds) for seconds in (90, 120, 3600, 0.5)]
    assert ["second", "third", "4th"] == [ordinal(n) for n in (2, 3, 4)]
