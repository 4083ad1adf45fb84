"""Trails: one line of ASCII, bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from everup.policy.faults import make_fault
from everup.policy.trail import make_trail
from everup.shapes.attempt import AttemptRecord
from everup.shapes.fault import FaultKind


def record(candidate: str, kind: FaultKind | None = None, *, profile: str = "default") -> AttemptRecord:
    """Return an attempt of 12 ms."""
    fault = make_fault(kind, status=429 if kind is FaultKind.RATE_LIMIT else 0) if kind else None
    return AttemptRecord(n=1, candidate=candidate, profile=profile, total_ms=12, fault=fault)


def test_each_attempt_says_who_why_and_how_long() -> None:
    """A trail lists skips, failures with their cause and the one that answered."""
    records = [record("a/m", FaultKind.RATE_LIMIT, profile="k2"), record("b/m", FaultKind.RESET), record("c/m")]
    assert (
        "d/m skipped (no tools); a/m#k2=rate_limit 429 (12ms); b/m=reset (12ms, possibly billed); c/m=ok (12ms)"
        == make_trail(records, ["d/m skipped (no tools)"], 1024)
    )


@given(st.lists(st.text(min_size=1, max_size=80), max_size=40), st.integers(16, 1024))
def test_a_trail_is_bounded_printable_ascii(names: list[str], bytes_max: int) -> None:
    """Whatever names come in, the header is ASCII without control characters and within its bound."""
    line = make_trail([record(name) for name in names], [], bytes_max)
    assert len(line) <= bytes_max
    assert all(" " <= char <= "~" for char in line)


def test_the_newest_attempts_are_kept() -> None:
    """A trail that is too long loses its oldest part and says so."""
    line = make_trail([record(f"provider{n}/model") for n in range(100)], [], 256)
    assert line.startswith("...; ")
    assert line.endswith("provider99/model=ok (12ms)")
