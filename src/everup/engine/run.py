"""
The run of one request.

Walks its plan, keeps its records, ends in an answer or one honest error.
What must not live here: how a stream or a whole answer is relayed (see `stream`, `whole`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.engine.attempt import Attempt
from everup.errors import EverupError
from everup.policy.clocks import Clocks, make_clocks
from everup.policy.cooldown import Readiness, State
from everup.policy.exhausted import make_failure
from everup.policy.step import Stop, Tried, Try, Wait, Why, has_other_ready, next_step
from everup.policy.trail import make_trail
from everup.shapes.attempt import AttemptRecord
from everup.shapes.fault import Fault, FaultKind

if TYPE_CHECKING:
    from everup.engine.parts import Parts
    from everup.shapes.arrival import Arrival
    from everup.shapes.asked import Asked
    from everup.shapes.events import Usage
    from everup.shapes.failure import Failure
    from everup.shapes.route import Candidate, Plan

ATTEMPTS_CEILING = 128
"""No request makes more attempts than this, whatever its rows say about SAME."""


class Exhausted(EverupError):
    """
    No candidate answered.

    `failure` is what the client is told. Raised only before anything was sent.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Run:
    """One request on its way through its plan."""

    def __init__(self, parts: Parts, asked: Asked, plan: Plan, arrival: Arrival) -> None:
        self.parts = parts
        self.asked = asked
        self.plan = plan
        self.arrival = arrival
        self.limits = arrival.snapshot.limits
        self.loop = asyncio.get_running_loop()
        self.tried: list[Tried] = []
        self.records: list[AttemptRecord] = []
        self.waited_s = 0.0
        self.count = 0

    def readiness(self, candidate: Candidate) -> Readiness:
        """Return what a candidate is good for now."""
        return self.parts.health.readiness(candidate, self.loop.time())

    async def next(self) -> Try | Stop:
        """
        Return the next attempt, its pause already waited for, or the end.

        Waits for recoveries meanwhile.
        """
        while True:
            if self.count >= ATTEMPTS_CEILING:
                return Stop(Why.ATTEMPTS)
            now = self.loop.time()
            step = next_step(self.plan, self.tried, self.readiness, self.limits, now_mono_s=now, waited_s=self.waited_s)
            if isinstance(step, Wait):
                await self.wait_until(step.until_mono_s)
                self.waited_s += self.loop.time() - now
                continue
            if isinstance(step, Try) and step.pause_s:
                factor = self.parts.jitter() if step.is_jittered else 1.0
                await asyncio.sleep(min(step.pause_s * factor, self.plan.deadline_mono_s - now))
            return step

    async def wait_until(self, until_mono_s: float) -> None:
        """Wait until an instant or until the health of something changed."""
        changed = self.parts.health.changed
        try:
            async with asyncio.timeout_at(until_mono_s):
                await changed.wait()
        except TimeoutError:
            return

    def make_attempt(self, step: Try) -> Attempt:
        """Return a new attempt of the candidate a step names."""
        self.count += 1
        return Attempt(self.parts, self.asked, self.plan.candidates[step.index], step, self.limits)

    def queue_s(self, index: int) -> float:
        """
        Return how long an attempt may wait for a slot.

        Briefly while another candidate is ready.
        """
        left_s = self.plan.deadline_mono_s - self.loop.time()
        is_soft = self.is_other_ready(index)
        return max(0.0, min(left_s, self.plan.patience_s if is_soft else self.limits.queue_s))

    def is_other_ready(self, index: int) -> bool:
        """Return whether another candidate could begin at once."""
        return has_other_ready(self.plan, self.tried, index, self.readiness)

    def clocks_of(self, candidate: Candidate) -> Clocks:
        """Return the clocks of one attempt."""
        return make_clocks(
            self.limits,
            self.plan.route.clocks,
            candidate,
            self.asked.needs,
            self.parts.health.observed_p95_s(candidate),
        )

    def note_fault(self, attempt: Attempt, fault: Fault) -> None:
        """Remember a failed attempt: for the walk, the trail, health and metrics."""
        candidate = attempt.candidate
        self.tried.append(Tried(candidate.index, fault))
        self.records.append(self.record_of(attempt, fault=fault))
        attempt.is_recorded = True
        parts = self.parts
        parts.health.record_fault(candidate, fault, self.loop.time())
        if fault.kind in {FaultKind.FIRST_EVENT, FaultKind.ANSWER}:
            parts.health.observe(candidate, 2 * attempt.elapsed_s())
        if fault.kind is FaultKind.CONCURRENCY:
            parts.admission.learn(candidate)
        parts.metrics.count("everup_attempts_total", (candidate.name, str(fault.kind)))
        parts.log.event(
            "engine.attempt_failed",
            "warning",
            request_id=self.arrival.request_id,
            candidate=candidate.name,
            profile=candidate.profile.id,
            kind=str(fault.kind),
            rule=fault.rule,
            status=fault.status,
            message=fault.message,
        )

    def note_success(self, attempt: Attempt, usage: Usage | None, model: str) -> None:
        """Remember an attempt that answered."""
        candidate = attempt.candidate
        record = self.record_of(attempt, usage=usage)
        self.records.append(record)
        attempt.is_recorded = True
        parts = self.parts
        parts.health.record_success(candidate, record)
        parts.metrics.count("everup_attempts_total", (candidate.name, "ok"))
        parts.metrics.observe("everup_attempt_seconds", (candidate.name,), record.total_ms / 1000)
        if usage is not None:
            parts.metrics.count("everup_tokens_total", (candidate.name, "input"), usage.input_tokens)
            parts.metrics.count("everup_tokens_total", (candidate.name, "output"), usage.output_tokens)
        asked_for = candidate.model.ref.model
        if model and not model.startswith(asked_for) and not asked_for.endswith(model):
            parts.metrics.count("everup_models_swapped_total", (candidate.name,))

    def record_of(self, attempt: Attempt, *, fault: Fault | None = None, usage: Usage | None = None) -> AttemptRecord:
        """Return the record of an attempt as it stands now."""
        marks = attempt.marks
        first = marks.content_mono_s
        return AttemptRecord(
            n=len(self.records) + 1,
            candidate=attempt.candidate.name,
            profile=attempt.candidate.profile.id,
            total_ms=round(1000 * attempt.elapsed_s()),
            first_content_ms=None if first is None else round(1000 * (first - marks.start_mono_s)),
            fault=fault,
            usage=usage,
            is_committed=first is not None,
        )

    def trail(self, *, current: Attempt | None = None) -> str:
        """Return the trail so far, with the attempt that answers as its last."""
        records = [*self.records, self.record_of(current)] if current is not None else self.records
        notes = [f"{skip.name} skipped ({skip.reason})" for skip in self.plan.skipped]
        notes += [f"{who} skipped ({why})" for who, why in self.kept_out(current)]
        return make_trail(records, notes, self.limits.trail_bytes_max)

    def kept_out(self, current: Attempt | None = None) -> list[tuple[str, str]]:
        """
        Return the candidates that were not tried because they are cooling.

        Each with why and for how long.
        """
        if not self.parts.health.healths:
            return []
        now = self.loop.time()
        tried = {each.index for each in self.tried}
        last = current.candidate.index if current is not None else len(self.plan.candidates)
        told = []
        for candidate in self.plan.candidates[:last]:
            state = self.readiness(candidate)
            if candidate.index in tried or state.state is State.READY:
                continue
            left_s = max(state.until_mono_s - now, 0)
            told.append((candidate.name, f"{state.kind}, cooling {left_s:.0f} s"))
        return told

    def failure(self, stop: Stop) -> Failure:
        """Return what the client is told when the walk ended without an answer."""
        return make_failure(
            self.plan,
            self.records,
            stop,
            now_mono_s=self.loop.time(),
            trail=self.trail(),
            kept_out=[f"{who}: not tried, {why}" for who, why in self.kept_out()],
        )
