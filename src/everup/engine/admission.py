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

RELEARN_S = 60.0
"""How long a provider must not have refused one more at once before one more is tried."""


class Gate:
    """
    The slots of one provider or one profile.

    `capacity` may be learnt down from a provider's refusals (row 22), and grows back to what is `configured`.
    """

    __slots__ = ("capacity", "configured", "learnt_mono_s", "taken", "waiting")

    def __init__(self, capacity: int) -> None:
        self.capacity = self.configured = capacity
        self.learnt_mono_s = 0.0
        self.taken = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def leave(self) -> None:
        """Give a slot back, to the longest waiting request if there is one."""
        self.taken -= 1
        self.hand_on()

    def resize(self, capacity: int) -> None:
        """Serve so many at once from now on."""
        self.capacity = capacity
        self.hand_on()

    def hand_on(self) -> None:
        """Give every free slot to who waits longest."""
        while self.waiting and self.taken < self.capacity:
            waiter = self.waiting.popleft()
            if not waiter.done():
                self.taken += 1
                waiter.set_result(None)


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
        elif gate.configured != capacity:  # another snapshot says so
            gate.configured = capacity
            gate.resize(capacity)
        return gate

    def gates_of(self, candidate: Candidate) -> list[Gate]:
        """
        Return the gates a candidate passes.

        Its profile's where config limits that, then its provider's: who waits for a key holds no slot that another
        key could use.
        """
        provider, profile = candidate.provider, candidate.profile
        whole = self.gate_of(provider.name, provider.concurrency or self.limits.concurrency)
        if profile.concurrency is None:
            return [whole]
        return [self.gate_of(f"{provider.name}\n{profile.id}", profile.concurrency), whole]

    def is_free(self, candidate: Candidate) -> bool:
        """Return whether a candidate could begin at once."""
        return all(gate.taken < gate.capacity for gate in self.gates_of(candidate))

    async def enter(self, candidate: Candidate, wait_s: float) -> list[Gate] | Fault:
        """
        Return the slots taken for one attempt.

        Give each back with `leave`, or why there is none in time.
        """
        entered: list[Gate] = []
        until_mono_s = asyncio.get_running_loop().time() + min(wait_s, self.limits.queue_s)
        try:
            for gate in self.gates_of(candidate):
                if gate.taken < gate.capacity:
                    gate.taken += 1
                    entered.append(gate)
                    continue
                fault = await self.queue(gate, candidate, until_mono_s)
                if fault is not None:
                    self.leave(entered)
                    return fault
                entered.append(gate)
        except BaseException:
            self.leave(entered)
            raise
        return entered

    async def queue(self, gate: Gate, candidate: Candidate, until_mono_s: float) -> Fault | None:
        """
        Return None once a slot was given to this request.

        Or the fault when none was in time.
        """
        name, places = candidate.provider.name, candidate.provider.queue_max or self.limits.queue_max
        if len(gate.waiting) >= places:
            words = f"{gate.capacity} requests of {name} are running and {places} wait"
            return make_fault(FaultKind.QUEUE_FULL, words)
        loop = asyncio.get_running_loop()
        began_mono_s = loop.time()
        waiter: asyncio.Future[None] = loop.create_future()
        gate.waiting.append(waiter)
        try:
            async with asyncio.timeout_at(until_mono_s):
                await waiter
        except TimeoutError:
            if waiter.done() and not waiter.cancelled():
                return None
            return make_fault(
                FaultKind.QUEUE_FULL, f"no free slot of {name} within {until_mono_s - began_mono_s:.3g} s"
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

    def learn(self, candidate: Candidate, now_mono_s: float) -> None:
        """
        Lower a candidate's slots after its provider refused one more at once.

        Never below one (row 22).
        """
        gate = self.gates_of(candidate)[0]
        gate.capacity = max(1, min(gate.capacity, gate.taken) - 1)
        gate.learnt_mono_s = now_mono_s

    def relearn(self, candidate: Candidate, now_mono_s: float) -> None:
        """Give a slot back that was learnt down, one for each answer after a quiet while."""
        gate = self.gates_of(candidate)[0]
        if gate.capacity < gate.configured and now_mono_s - gate.learnt_mono_s >= RELEARN_S:
            gate.learnt_mono_s = now_mono_s
            gate.resize(gate.capacity + 1)
