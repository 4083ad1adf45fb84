"""
The clocks of one running attempt.

One timer that gives the attempt up when its phase is over.
What must not live here: how long a phase is (see `policy.clocks`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.policy.clocks import Clocks, Marks, next_due
from everup.shapes.fault import FaultKind

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

SOFT_AGAIN_S = 1.0
"""How often a clock that may not end an attempt yet looks again whether another candidate became ready."""


class Watch:
    """
    One timer over one attempt.

    `is_soft_over` says whether a soft clock may end the attempt now (another candidate is ready);
    `on_over` is called once with the kind of the phase that ended. After content a stall is hard (row 45).
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clocks: Clocks,
        marks: Marks,
        deadline_mono_s: float,
        *,
        is_stream: bool,
        is_soft_over: Callable[[], bool],
        on_over: Callable[[FaultKind], None],
    ) -> None:
        self.loop = loop
        self.clocks = clocks
        self.marks = marks
        self.deadline_mono_s = deadline_mono_s
        self.is_stream = is_stream
        self.is_soft_over = is_soft_over
        self.on_over = on_over
        self.over: FaultKind | None = None
        self.is_answer_told = False
        self.timer: asyncio.TimerHandle | None = None
        self.arm(0.0)

    def due(self) -> tuple[float, FaultKind]:
        """Return when the current phase ends and as what; the deadline is never passed."""
        if self.is_stream:
            at, kind = next_due(self.clocks, self.marks)
        elif self.is_answer_told:
            at, kind = self.deadline_mono_s, FaultKind.DEADLINE
        else:
            at, kind = self.marks.start_mono_s + self.clocks.answer_s, FaultKind.ANSWER
        return (at, kind) if at < self.deadline_mono_s else (self.deadline_mono_s, FaultKind.DEADLINE)

    def arm(self, earliest_mono_s: float) -> None:
        """Set the timer for the end of the current phase, not before `earliest_mono_s`."""
        at = min(max(self.due()[0], earliest_mono_s), self.deadline_mono_s)
        self.timer = self.loop.call_at(at, self.fire)

    def next_phase(self) -> None:
        """
        Set the timer anew if the phase that began ends sooner than the one before.

        A timer that is early only looks again: that costs less than a new one for each phase of each stream.
        """
        if self.timer is not None and self.due()[0] < self.timer.when():
            self.timer.cancel()
            self.arm(0.0)

    def fire(self) -> None:
        """End the attempt if its phase is really over, else set the timer again."""
        now = self.loop.time()
        at, kind = self.due()
        if now >= self.deadline_mono_s:
            at, kind = self.deadline_mono_s, FaultKind.DEADLINE
        if now < at:
            self.arm(0.0)
            return
        is_hard = kind in {FaultKind.DEADLINE, FaultKind.STALL}
        is_waiting = kind is not FaultKind.DEADLINE and self.marks.is_client_slow
        if is_waiting or (not is_hard and not self.is_soft_over()):
            self.arm(now + SOFT_AGAIN_S)
            return
        if kind is FaultKind.ANSWER:
            self.is_answer_told = True
            self.arm(0.0)
        else:
            self.over = kind
        self.on_over(kind)

    def stop(self) -> None:
        """Cancel the timer; the attempt is over."""
        if self.timer is not None:
            self.timer.cancel()
