"""
The one attribute that holds the current snapshot.

What must not live here: reading a file. A request takes `current` once and keeps it to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from everup.shapes.snapshot import Snapshot


class Holder:
    """
    The current snapshot.

    Swapping is one assignment, so a reader never sees half of one.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.current = snapshot

    def swap(self, snapshot: Snapshot) -> Snapshot:
        """Return what is current from now on: the snapshot with the next revision."""
        self.current = msgspec.structs.replace(snapshot, rev=self.current.rev + 1)
        return self.current
