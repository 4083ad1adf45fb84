"""
The engine: one request in, one answer or one honest error out.

What must not live here: reading or encoding a wire. Called by surfaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.engine.run import Run
from everup.engine.stream import StreamRun
from everup.engine.whole import WholeRun
from everup.policy.plan import make_plan

if TYPE_CHECKING:
    from everup.engine.out import Out
    from everup.engine.parts import Parts
    from everup.shapes.arrival import Arrival
    from everup.shapes.asked import Asked
    from everup.shapes.route import Route


class Engine:
    """
    Answers requests; holds what must outlive them.

    Health, slots, who minted which signature.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.turn = 0

    async def answer(self, asked: Asked, route: Route, arrival: Arrival, out: Out) -> None:
        """
        Give the client its answer.

        Errors: `Exhausted` while nothing has been sent; after that the answer itself ends in an error event.
        Cancelling it ends every upstream attempt at once.
        """
        self.turn += 1
        plan = make_plan(
            route,
            arrival.snapshot,
            asked.needs,
            turn=self.turn,
            received_mono_s=arrival.received_mono_s,
            deadline_s=arrival.deadline_s,
        )
        run = Run(self.parts, asked, plan, arrival)
        if asked.is_stream:
            await StreamRun(run, out, self.parts.wires[arrival.surface]).answer()
        else:
            await WholeRun(run, out).answer()
