"""
What one wire can say and another cannot.

Lives here: the exception for it, and the fault it ends as. Must not: any field's name. Raised while a request is
read or written, always turned into a fault by the function that began that.
"""

from __future__ import annotations

from everup.errors import EverupError
from everup.policy.faults import make_fault
from everup.shapes.fault import Fault, FaultKind


class Unsayable(EverupError):
    """
    Something that cannot be left out without changing what is asked.

    `place` is written as the client would (`messages[3].content[1]`); `why` never holds a text of the client.
    """

    words = "'{place}' {why}."

    def __init__(self, place: str, why: str) -> None:
        super().__init__(self.words.format(place=place, why=why))
        self.place = place

    def fault(self) -> Fault:
        """Return it as the fault of a request that this attempt cannot be sent."""
        return make_fault(FaultKind.UNSUPPORTED, str(self), param=self.place)


class Unwritable(Unsayable):
    """A part that an upstream's wire cannot hold; its place begins the sentence."""

    words = "{place} {why}."
