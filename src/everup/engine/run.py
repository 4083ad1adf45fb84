"""
The run of one request.

Walks its plan, keeps its records, ends in an answer or one honest error.
What must not live here: how a stream or a whole answer is relayed (see `stream`, `whole`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.engine.attempt import Attempt, foreign_to
from everup.engine.watch import Watch
from everup.errors import EverupError, Sent
from everup.policy.clocks import make_clocks
from everup.policy.cooldown import Readiness, State
from everup.policy.exhausted import make_failure
from everup.policy.faults import make_fault
from everup.policy.step import FIRST, Stop, Tried, Try, Wait, Why, has_other_ready, next_step
from everup.policy.trail import ascii_line, make_trail, tell_attempt, tell_who
from everup.shapes.attempt import AttemptRecord
from everup.shapes.fault import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.engine.lane import Lane, Outlook
    from everup.engine.parts import Parts
    from everup.shapes.arrival import Arrival
    from everup.shapes.events import Usage
    from everup.shapes.failure import Failure
    from everup.shapes.route import Candidate, Plan
    from everup.wires.road import Talk

ATTEMPTS_CEILING = 128
"""No request makes more attempts than this, whatever its rows say about SAME."""

NO_SLOT = Readiness(state=State.COOLING)
"""What a candidate is good for whose slots are all taken: nothing at once."""

OWN_WORDS = frozenset(
    {
        FaultKind.CONNECT,
        FaultKind.DNS,
        FaultKind.TLS,
        FaultKind.PROXY,
        FaultKind.STALE,
        FaultKind.RESET,
        FaultKind.CUT,
        FaultKind.BAD_HTTP,
        FaultKind.OVERSIZE,
        FaultKind.FIRST_EVENT,
        FaultKind.OPENING,
        FaultKind.STALL,
        FaultKind.ANSWER,
        FaultKind.DEADLINE,
        FaultKind.NO_CREDENTIAL,
        FaultKind.QUEUE_FULL,
        FaultKind.LOCAL_RESOURCE,
        FaultKind.EMBEDDED_DOWN,
    }
)
"""Kinds whose message is ours. A provider's words may quote the prompt, and message text is never logged."""

UNREACHED = {
    Why.DEADLINE: "the deadline came first",
    Why.ATTEMPTS: "the request's attempts were used up",
    Why.NONE_LEFT: "what failed before it would have failed here too",
}
"""Why a candidate that was ready was not tried."""


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

    def __init__(self, parts: Parts, outlook: Outlook, talk: Talk, plan: Plan, arrival: Arrival) -> None:
        self.parts = parts
        self.outlook = outlook
        self.talk = talk
        self.asked = talk.asked
        self.plan = plan
        self.arrival = arrival
        self.limits = arrival.snapshot.limits
        self.loop = parts.loop
        self.tried: list[Tried] = []
        self.records: list[AttemptRecord] = []
        """As long as the walk goes on, one for each of `tried`."""
        self.passed_over: dict[int, str] = {}
        """Why a candidate was not ready when its turn came, by its place in the plan."""
        self.waited_s = 0.0
        self.count = 0

    def readiness(self, candidate: Candidate) -> Readiness:
        """Return what a candidate is good for now."""
        return self.parts.health.readiness(candidate, self.loop.time())

    def first(self) -> Try | None:
        """
        Return the first attempt if nothing is held against anybody, the usual case.

        Else None, and for every later one: ask `next`.
        """
        plan = self.plan
        if self.count or self.parts.health.healths or not plan.candidates:
            return None
        return FIRST if self.loop.time() < plan.deadline_mono_s else None

    async def next(self) -> Try | Stop:
        """
        Return the next attempt, its pause already waited for, or the end.

        Waits for recoveries meanwhile.
        """
        while True:
            if self.count >= ATTEMPTS_CEILING:
                return Stop(Why.ATTEMPTS)
            now = self.loop.time()
            step = next_step(
                self.plan,
                self.tried,
                self.readiness,
                self.limits,
                now_mono_s=now,
                waited_s=self.waited_s,
                is_repairable=self.is_repairable(),
            )
            if isinstance(step, Wait):
                await self.wait_until(step.until_mono_s)
                self.waited_s += self.loop.time() - now
                continue
            if isinstance(step, Try):
                if step.pause_s:
                    await asyncio.sleep(step.pause_s * (self.parts.jitter() if step.is_jittered else 1.0))
                self.note_passed_over(step.index)
            return step

    def is_repairable(self) -> bool:
        """Return whether the repair of 1a would change what the last one was sent."""
        if not self.tried or self.tried[-1].fault.kind is not FaultKind.FOREIGN_REASONING:
            return True
        candidate = self.plan.candidates[self.tried[-1].index]
        wire = self.parts.wires[candidate.provider.wire]
        sent = self.talk.encode(wire, candidate, foreign=foreign_to(self.parts, self.talk, candidate))
        return sent != self.talk.encode(wire, candidate, foreign=frozenset({"*"}))

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
        candidate = self.plan.candidates[step.index]
        lane = self.outlook.lane(self.plan.route, candidate)
        return Attempt(self.parts, self.talk, lane, candidate, step, self.limits)

    async def open(self, attempt: Attempt, on_over: Callable[[FaultKind], None]) -> Fault | None:
        """
        Return None once an attempt can be sent and its clocks run.

        `on_over` hears when one of them ends.
        """
        index = attempt.candidate.index
        fault = await attempt.open(self.plan.deadline_mono_s, lambda: self.queue_s(index))
        if fault is None:
            seen_s = self.parts.health.observed_p95_s(attempt.candidate, is_stream=self.asked.is_stream)
            attempt.watch = Watch(
                self.loop,
                make_clocks(attempt.lane.basis, self.asked.needs, seen_s),
                attempt.marks,
                self.plan.deadline_mono_s,
                is_stream=self.asked.is_stream,
                is_soft_over=lambda: self.is_other_ready(index),
                on_over=on_over,
            )
        return fault

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
        return has_other_ready(self.plan, self.tried, index, self.at_once)

    def at_once(self, candidate: Candidate) -> Readiness:
        """
        Return what a candidate is good for at once.

        One that would have to queue is good for nothing.
        """
        return self.readiness(candidate) if self.parts.admission.is_free(candidate) else NO_SLOT

    def note_fault(self, attempt: Attempt, fault: Fault, usage: Usage | None = None) -> None:
        """
        Remember a failed attempt: for the walk, the trail, health and metrics.

        One that was left at its answer clock still runs: `note_end` says what became of it.
        """
        candidate, now = attempt.candidate, self.loop.time()
        fault = attempt.masked(fault)
        attempt.place = len(self.records)
        self.tried.append(Tried(candidate.index, fault, now, is_running=fault.kind is FaultKind.ANSWER))
        self.records.append(self.record_of(attempt, fault=fault, usage=usage))
        parts = self.parts
        parts.health.record_fault(candidate, fault, now)
        attempt.is_probing = False
        if fault.kind in {FaultKind.FIRST_EVENT, FaultKind.ANSWER}:
            parts.health.observe(candidate, 2 * attempt.elapsed_s(), is_stream=self.asked.is_stream)
        if fault.kind is FaultKind.CONCURRENCY:
            parts.admission.learn(candidate, now)
        parts.metrics.count("everup_attempts_total", (candidate.name, str(fault.kind)))
        self.count_tokens(attempt.lane, usage)
        parts.log.event(
            "engine.attempt_failed",
            "warning",
            request_id=self.arrival.request_id,
            candidate=candidate.name,
            profile=candidate.profile.id,
            kind=str(fault.kind),
            rule=fault.rule,
            status=fault.status,
            code=fault.code,
            cause=fault.message if fault.kind in OWN_WORDS else "told to the client only",
        )

    def note_end(self, attempt: Attempt, fault: Fault) -> None:
        """
        Remember how an attempt ended that was left at its answer clock.

        Unless we ended it, by its own fault.
        """
        place = attempt.place
        assert place is not None, "note_fault() comes first"
        before = self.tried[place]
        if fault.kind in {FaultKind.SUPERSEDED, FaultKind.DEADLINE}:
            fault = before.fault
        self.tried[place] = Tried(before.index, fault, self.loop.time())
        self.records[place] = self.record_of(attempt, fault=fault)

    def note_superseded(self, attempt: Attempt) -> None:
        """Remember an attempt that was ended because another one answered first."""
        exchange = attempt.exchange
        if attempt.place is not None or exchange is None:
            return
        fault = make_fault(FaultKind.SUPERSEDED, possibly_billed=exchange.sent is not Sent.NOTHING)
        attempt.place = len(self.records)
        self.records.append(self.record_of(attempt, fault=fault))
        self.parts.metrics.count("everup_attempts_total", (attempt.candidate.name, str(fault.kind)))

    def note_success(self, attempt: Attempt, usage: Usage | None, model: str) -> None:
        """Remember an attempt that answered, be it after its clock."""
        candidate = attempt.candidate
        record = self.record_of(attempt, usage=usage)
        if attempt.place is None:
            attempt.place = len(self.records)
            self.records.append(record)
        else:
            self.records[attempt.place] = record
        parts = self.parts
        parts.health.record_success(candidate, record, attempt.marks.start_mono_s)
        lane, metrics = attempt.lane, parts.metrics
        first = lane.gates[0]
        if first.capacity < first.configured:
            parts.admission.relearn(candidate, self.loop.time())
        metrics.count("everup_attempts_total", lane.ok_labels)
        metrics.observe("everup_attempt_seconds", lane.labels, record.total_ms / 1000)
        self.count_tokens(lane, usage)
        asked_for = candidate.model.ref.model
        if model and not model.startswith(asked_for) and not asked_for.endswith(model):
            metrics.count("everup_models_swapped_total", lane.labels)

    def count_tokens(self, lane: Lane, usage: Usage | None) -> None:
        """Count what an answer used, a broken one too."""
        if usage is not None:
            self.parts.metrics.count("everup_tokens_total", lane.input_labels, usage.input_tokens)
            self.parts.metrics.count("everup_tokens_total", lane.output_labels, usage.output_tokens)

    def record_of(self, attempt: Attempt, *, fault: Fault | None = None, usage: Usage | None = None) -> AttemptRecord:
        """Return the record of an attempt as it stands now."""
        marks = attempt.marks
        first = marks.content_mono_s
        return AttemptRecord(
            n=(len(self.records) if attempt.place is None else attempt.place) + 1,
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
        if len(records) == 1 and not self.plan.skipped and not self.passed_over:
            return ascii_line(tell_attempt(records[0]))[: self.limits.trail_bytes_max]
        notes = [f"{skip.name} skipped ({skip.reason})" for skip in self.plan.skipped]
        if self.passed_over:
            notes += [f"{who} skipped ({why})" for who, why in self.kept_out()]
        return make_trail(records, notes, self.limits.trail_bytes_max)

    def note_passed_over(self, chosen: int) -> None:
        """Remember who was not ready when the candidate `chosen` was, and why."""
        if not self.parts.health.healths:
            return
        now = self.loop.time()
        tried = {each.index for each in self.tried}
        for candidate in self.plan.candidates[:chosen]:
            state = self.readiness(candidate)
            if state.state is not State.READY and candidate.index not in tried:
                self.passed_over.setdefault(candidate.index, tell_state(state, now))

    def kept_out(self) -> list[tuple[str, str]]:
        """Return the candidates whose turn came while they were not ready: who, and why."""
        tried = {each.index for each in self.tried}
        places = sorted(index for index in self.passed_over if index not in tried)
        return [(self.who(index), self.passed_over[index]) for index in places]

    def who(self, index: int) -> str:
        """Return a candidate as the trail names it."""
        candidate = self.plan.candidates[index]
        return tell_who(candidate.name, candidate.profile.id)

    def failure(self, stop: Stop) -> Failure:
        """Return what the client is told when the walk ended without an answer."""
        self.note_passed_over(len(self.plan.candidates))
        lines = [f"{who}: not tried, {why}" for who, why in self.kept_out()]
        if stop.why in UNREACHED:
            known = {each.index for each in self.tried} | self.passed_over.keys()
            unknown = [each.index for each in self.plan.candidates if each.index not in known]
            lines += [f"{self.who(index)}: not tried, {UNREACHED[stop.why]}" for index in unknown]
        return make_failure(
            self.plan, self.records, stop, now_mono_s=self.loop.time(), trail=self.trail(), kept_out=lines
        )


def tell_state(state: Readiness, now_mono_s: float) -> str:
    """Return why a candidate is not ready, and for how long."""
    if state.state in {State.COOLING, State.BLOCKED}:
        return f"{state.kind}, cooling {max(state.until_mono_s - now_mono_s, 0.0):.0f} s"
    return f"{state.kind}, another request tries it"
