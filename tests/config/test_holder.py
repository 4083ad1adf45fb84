"""The current snapshot and its revision."""

from __future__ import annotations

from everup.config.holder import Holder
from everup.shapes.snapshot import Snapshot


def test_a_swap_gives_the_next_revision() -> None:
    """Readers see the new snapshot, and whoever kept the old one still has it unchanged."""
    holder = Holder(Snapshot(source="a"))
    before = holder.current
    after = holder.swap(Snapshot(source="b"))
    assert after is holder.current
    assert (before.source, before.rev) == ("a", 0)
    assert (after.source, after.rev) == ("b", 1)
