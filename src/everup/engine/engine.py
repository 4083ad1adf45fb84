"""
The engine: one request in, one answer or one honest error out.

What must not live here: reading or encoding a wire. Called by surfaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.engine.lane import Outlook
from everup.engine.run import Run
from everup.engine.stream import StreamRun
from everup.engine.whole import WholeRun
from everup.wires.road import Talk

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
        self.outlook: Outlook | None = None

    async def answer(self, asked: Asked, route: Route, arrival: Arrival, out: Out) -> None:
        """
        Give the client its answer.

        Errors: `Exhausted` while nothing has been sent; after that the answer itself ends in an error event.
        Cancelling it ends every upstream attempt at once.
        """
        self.turn += 1
        outlook = self.outlook
        if outlook is None or outlook.snapshot is not arrival.snapshot:
            outlook = self.outlook = Outlook(self.parts, arrival.snapshot)
        plan = outlook.plan(
            route,
            asked.needs,
            turn=self.turn,
            received_mono_s=arrival.received_mono_s,
            deadline_s=arrival.deadline_s,
        )
        talk = Talk(asked, self.parts.wires[arrival.surface], self.parts.wall_unix_s)
        run = Run(self.parts, outlook, talk, plan, arrival)
        if asked.is_stream:
            await StreamRun(run, out).answer()
        else:
            await WholeRun(run, out).answer()
