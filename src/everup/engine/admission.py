"""
Slots: how many requests each provider and profile serves at once.

What must not live here: health. Queues are bounded in length and in time; a full one is a fault of our own
side that moves on to the next candidate.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from everup.policy.faults import make_fault
from everup.shapes.fault import Fault, FaultKind

if TYPE_CHECKING:
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate


class Gate:
    """
    The slots of one provider or one profile.

    `capacity` may be learnt down from a provider's refusals (row 22).
    """

    __slots__ = ("capacity", "taken", "waiting")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.taken = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def leave(self) -> None:
        """Give a slot back, to the longest waiting request if there is one."""
        self.taken -= 1
        while self.waiting and self.taken < self.capacity:
            waiter = self.waiting.popleft()
            if not waiter.done():
                self.taken += 1
                waiter.set_result(None)
                return


class Admission:
    """
    All gates, by provider and by profile.

    Made at first use, as many as config names.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.gates: dict[str, Gate] = {}

    def gate_of(self, name: str, capacity: int) -> Gate:
        """Return the gate of a provider or profile."""
        gate = self.gates.get(name)
        if gate is None:
            gate = self.gates[name] = Gate(capacity)
        return gate

    def gates_of(self, candidate: Candidate) -> list[Gate]:
        """
        Return the gates a candidate passes.

        Its provider's, and its profile's where config limits that.
        """
        provider, profile = candidate.provider, candidate.profile
        gates = [self.gate_of(provider.name, provider.concurrency or self.limits.concurrency)]
        if profile.concurrency is not None:
            gates.append(self.gate_of(f"{provider.name}\n{profile.id}", profile.concurrency))
        return gates

    def is_free(self, candidate: Candidate) -> bool:
        """Return whether a candidate could begin at once."""
        return all(gate.taken < gate.capacity for gate in self.gates_of(candidate))

    async def enter(self, candidate: Candidate, wait_s: float) -> list[Gate] | Fault:
        """
        Return the slots taken for one attempt.

        Give each back with `leave`, or why there is none in time.
        """
        entered: list[Gate] = []
        try:
            for gate in self.gates_of(candidate):
                if gate.taken < gate.capacity:
                    gate.taken += 1
                    entered.append(gate)
                    continue
                fault = await self.queue(gate, candidate, wait_s)
                if fault is not None:
                    self.leave(entered)
                    return fault
                entered.append(gate)
        except BaseException:
            self.leave(entered)
            raise
        return entered

    async def queue(self, gate: Gate, candidate: Candidate, wait_s: float) -> Fault | None:
        """
        Return None once a slot was given to this request.

        Or the fault when none was in time.
        """
        name, places = candidate.provider.name, candidate.provider.queue_max or self.limits.queue_max
        if len(gate.waiting) >= places:
            words = f"{gate.capacity} requests of {name} are running and {places} wait"
            return make_fault(FaultKind.QUEUE_FULL, words)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gate.waiting.append(waiter)
        try:
            async with asyncio.timeout(min(wait_s, self.limits.queue_s)):
                await waiter
        except TimeoutError:
            if waiter.done() and not waiter.cancelled():
                return None
            return make_fault(
                FaultKind.QUEUE_FULL, f"no free slot of {name} within {min(wait_s, self.limits.queue_s):g} s"
            )
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                gate.leave()
            raise
        finally:
            if waiter in gate.waiting:
                gate.waiting.remove(waiter)
        return None

    def leave(self, gates: list[Gate]) -> None:
        """Give every slot of one attempt back."""
        for gate in gates:
            gate.leave()

    def learn(self, candidate: Candidate) -> None:
        """
        Lower a candidate's slots after its provider refused one more at once.

        Never below one (row 22).
        """
        gate = self.gates_of(candidate)[-1]
        gate.capacity = max(1, min(gate.capacity, gate.taken) - 1)
