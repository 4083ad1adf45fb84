"""
The commit machine: when an answer is shown.

And what a fault means before and after.
What must not live here: bytes. One table, one function; the engine obeys the action.
Source: DESIGN section 4, steps 5 and 6; FAULTS 2.6 (a).
"""

from __future__ import annotations

from enum import StrEnum

from everup.shapes.events import Seen


class Stage(StrEnum):
    """How far the client's answer is."""

    HELD = "held"
    """Nothing has been sent: the status is still open."""
    OPENED = "opened"
    """The head went out after the hold time, with keep-alives; no content yet."""
    SHOWN = "shown"
    """Content was sent: no other attempt may follow."""
    ENDED = "ended"


class Signal(StrEnum):
    """What happened to the running attempt, or to the request."""

    QUIET = "quiet"
    CONTENT = "content"
    COMPLETE = "complete"
    FAULT = "fault"
    HOLD_OVER = "hold_over"
    EXHAUSTED = "exhausted"


class Action(StrEnum):
    """What the engine does about it."""

    HOLD = "hold"
    """Keep the bytes back."""
    RELEASE = "release"
    """Send the head, the held bytes and these."""
    FORWARD = "forward"
    """Send the held bytes, if any, and these."""
    DISCARD = "discard"
    """Forget the held bytes; the walk goes on."""
    OPEN = "open"
    """Send the head and a keep-alive."""
    KEEP_ALIVE = "keep_alive"
    RELEASE_END = "release_end"
    """Send the head, everything held, and the complete end."""
    END = "end"
    """Send everything held and the complete end."""
    TELL = "tell"
    """End the begun answer with an error event, never as if complete."""
    REFUSE = "refuse"
    """Answer with an honest error status."""
    NOTHING = "nothing"


TABLE: dict[tuple[Stage, Signal], tuple[Stage, Action]] = {
    (Stage.HELD, Signal.QUIET): (Stage.HELD, Action.HOLD),
    (Stage.HELD, Signal.CONTENT): (Stage.SHOWN, Action.RELEASE),
    (Stage.HELD, Signal.COMPLETE): (Stage.ENDED, Action.RELEASE_END),
    (Stage.HELD, Signal.FAULT): (Stage.HELD, Action.DISCARD),
    (Stage.HELD, Signal.HOLD_OVER): (Stage.OPENED, Action.OPEN),
    (Stage.HELD, Signal.EXHAUSTED): (Stage.ENDED, Action.REFUSE),
    (Stage.OPENED, Signal.QUIET): (Stage.OPENED, Action.HOLD),
    (Stage.OPENED, Signal.CONTENT): (Stage.SHOWN, Action.FORWARD),
    (Stage.OPENED, Signal.COMPLETE): (Stage.ENDED, Action.END),
    (Stage.OPENED, Signal.FAULT): (Stage.OPENED, Action.DISCARD),
    (Stage.OPENED, Signal.HOLD_OVER): (Stage.OPENED, Action.KEEP_ALIVE),
    (Stage.OPENED, Signal.EXHAUSTED): (Stage.ENDED, Action.TELL),
    (Stage.SHOWN, Signal.QUIET): (Stage.SHOWN, Action.FORWARD),
    (Stage.SHOWN, Signal.CONTENT): (Stage.SHOWN, Action.FORWARD),
    (Stage.SHOWN, Signal.COMPLETE): (Stage.ENDED, Action.END),
    (Stage.SHOWN, Signal.FAULT): (Stage.ENDED, Action.TELL),
    (Stage.SHOWN, Signal.HOLD_OVER): (Stage.SHOWN, Action.NOTHING),
    (Stage.SHOWN, Signal.EXHAUSTED): (Stage.ENDED, Action.TELL),
}


def commit(stage: Stage, signal: Signal) -> tuple[Stage, Action]:
    """Return the next stage and what to do; after the end nothing is done any more."""
    return TABLE.get((stage, signal), (Stage.ENDED, Action.NOTHING))


SHOWN_BITS = int(Seen.CONTENT | Seen.TOOL)
"""A plain number: flags compare slowly, and this is asked for every chunk."""


def signal_of(seen: Seen) -> Signal:
    """Return whether these bytes hold content; everything else is quiet."""
    return Signal.CONTENT if int(seen) & SHOWN_BITS else Signal.QUIET
