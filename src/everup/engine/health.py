"""
The health of every endpoint, model and profile, in memory.

What must not live here: the rules (see `policy.cooldown`). All methods are synchronous and cannot fail a request;
the table is bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from everup.policy.cooldown import (
    RATE_LIMITED_MODELS_FOR_PROFILE,
    READY,
    Health,
    Key,
    Readiness,
    State,
    after_fault,
    key_of,
    keys_of,
    readiness_of,
    worst,
)
from everup.policy.faults import RULES
from everup.shapes.fault import Fault, FaultKind, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.attempt import AttemptRecord
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate

OBSERVED_MAX = 64
"""Times remembered per endpoint, model and kind of answer, for the p95 that widens a clock (ruling 2)."""
OBSERVED_MIN = 8

HEALTHY = Health()


class Tally:
    """What `/status` shows of one candidate."""

    __slots__ = ("failures", "last_fault", "last_ms", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.failures = 0
        self.last_ms: int | None = None
        self.last_fault = ""


class Observed:
    """
    The newest observations of one kind, and their p95.

    Worked out anew at every few of them.
    """

    __slots__ = ("count", "p95_s", "seconds")

    def __init__(self) -> None:
        self.seconds: deque[float] = deque(maxlen=OBSERVED_MAX)
        self.count = 0
        self.p95_s: float | None = None
        """None while there are too few."""

    def add(self, seconds: float) -> None:
        """Remember one more."""
        self.seconds.append(seconds)
        self.count += 1
        if self.count % OBSERVED_MIN == 0:
            self.p95_s = sorted(self.seconds)[int(len(self.seconds) * 0.95)]


class CandidateView(Struct, frozen=True, kw_only=True):
    """One candidate as a person sees it; `until_s` is seconds from now."""

    candidate: str
    profile: str
    state: str
    why: str = ""
    until_s: float | None = None
    last_ms: int | None = None
    requests: int = 0
    failures: int = 0


class HealthTable:
    """What is remembered, and who waits for it to change."""

    def __init__(self, limits: Limits, jitter: Callable[[], float]) -> None:
        self.limits = limits
        self.jitter = jitter
        self.healths: dict[Key, Health] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.observed: dict[tuple[str, bool], Observed] = {}
        self.changed = asyncio.Event()

    def readiness(self, candidate: Candidate, now_mono_s: float) -> Readiness:
        """Return what a candidate is good for now."""
        if not self.healths:
            return READY
        held = [self.healths[key] for key in keys_of(candidate) if key in self.healths]
        return worst([readiness_of(health, now_mono_s) for health in held]) if held else READY

    def record_fault(self, candidate: Candidate, fault: Fault, now_mono_s: float) -> None:
        """Remember a failure under the key its scope names; ends this candidate's probes."""
        tally = self.tally_of(candidate)
        tally.requests += 1
        tally.failures += 1
        tally.last_fault = str(fault.kind)
        if RULES[fault.kind].backoff is not None:
            key = key_of(fault.scope, candidate)
            before = self.healths.get(key, HEALTHY)
            self.keep(key, after_fault(before, fault, self.limits, now_mono_s, self.jitter()))
            if fault.kind is FaultKind.RATE_LIMIT:
                self.widen_rate_limit(candidate, fault, now_mono_s)
        self.end_probe(candidate)

    def widen_rate_limit(self, candidate: Candidate, fault: Fault, now_mono_s: float) -> None:
        """
        Cool the whole profile down once several of its models are at their limit.

        Row 19. That is our own conclusion, never the provider's word: it does not keep a request unsent.
        """
        prefix = f"{candidate.profile.id}\n"
        cooling = [
            key
            for key, health in self.healths.items()
            if key[0] == Scope.PROFILE_MODEL
            and key[1] == candidate.provider.name
            and key[2].startswith(prefix)
            and health.kind is FaultKind.RATE_LIMIT
            and health.until_mono_s > now_mono_s
        ]
        if len(cooling) < RATE_LIMITED_MODELS_FOR_PROFILE:
            return
        key, own = key_of(Scope.PROFILE, candidate), replace(fault, retry_after_s=None)
        self.keep(key, after_fault(self.healths.get(key, HEALTHY), own, self.limits, now_mono_s, self.jitter()))

    def record_success(self, candidate: Candidate, record: AttemptRecord, began_mono_s: float) -> None:
        """
        Forget what was held against a candidate that answered a request begun then.

        And wake whoever waits for it.
        """
        tally = self.tally_of(candidate)
        tally.requests += 1
        tally.last_ms = record.first_content_ms if record.first_content_ms is not None else record.total_ms
        self.heal(candidate, began_mono_s, is_complete=True)

    def heal(self, candidate: Candidate, began_mono_s: float, *, is_complete: bool) -> None:
        """
        End what keeps a candidate out, because a request begun then shows content.

        What failed since then stays. Until the answer is complete its failures stay counted: it may be cut.
        """
        if not self.healths:
            return
        held = [(key, self.healths[key]) for key in keys_of(candidate) if key in self.healths]
        ended = [(key, health) for key, health in held if health.failed_mono_s <= began_mono_s]
        for key, health in ended:
            if is_complete:
                del self.healths[key]
            else:
                self.healths[key] = Health(recent=health.recent, failed_mono_s=health.failed_mono_s)
        if any(health.level for _, health in ended):
            self.wake()

    def begin_probe(self, candidate: Candidate, now_mono_s: float) -> None:
        """Mark that one request is trying a candidate that others leave alone meanwhile."""
        for key in keys_of(candidate):
            health = self.healths.get(key)
            if health is not None and health.level:
                self.healths[key] = replace(health, is_probing=True, probed_mono_s=now_mono_s)

    def end_probe(self, candidate: Candidate) -> None:
        """Mark that no request is probing this candidate any more, however that ended."""
        for key in keys_of(candidate):
            health = self.healths.get(key)
            if health is not None and health.is_probing:
                self.healths[key] = replace(health, is_probing=False)
        self.wake()

    def observe(self, candidate: Candidate, seconds: float, *, is_stream: bool) -> None:
        """Remember how long a stream's first event, or a whole answer, took."""
        key = (candidate.name, is_stream)
        seen = self.observed.get(key)
        if seen is None:
            if len(self.observed) >= self.limits.health_entries_max:
                self.observed.pop(next(iter(self.observed)))
            seen = self.observed[key] = Observed()
        seen.add(seconds)

    def observed_p95_s(self, candidate: Candidate, *, is_stream: bool) -> float | None:
        """
        Return the p95 of what was seen of this kind of answer.

        None while that is too little.
        """
        seen = self.observed.get((candidate.name, is_stream))
        return None if seen is None else seen.p95_s

    def view(self, candidate: Candidate, now_mono_s: float) -> CandidateView:
        """Return a candidate as `/status` shows it."""
        readiness = self.readiness(candidate, now_mono_s)
        tally = self.tallies.get((candidate.name, candidate.profile.id))
        state, why, until_s = "ready", "", None
        if readiness.state in {State.COOLING, State.BLOCKED}:
            state, until_s = "cooling", round(readiness.until_mono_s - now_mono_s, 1)
            why = f"{readiness.kind}: {readiness.reason}" if readiness.reason else str(readiness.kind)
        elif readiness.state in {State.PROBE, State.PROBING}:
            state, why = "failing", f"{readiness.kind}: the next request tries it again"
        elif tally is None:
            state = "unused"
        return CandidateView(
            candidate=candidate.name,
            profile=candidate.profile.id,
            state=state,
            why=why,
            until_s=until_s,
            last_ms=tally.last_ms if tally else None,
            requests=tally.requests if tally else 0,
            failures=tally.failures if tally else 0,
        )

    def tally_of(self, candidate: Candidate) -> Tally:
        """
        Return the counters of a candidate, made at its first attempt.

        The oldest leaves a full table.
        """
        key = (candidate.name, candidate.profile.id)
        tally = self.tallies.get(key)
        if tally is None:
            if len(self.tallies) >= self.limits.health_entries_max:
                self.tallies.pop(next(iter(self.tallies)))
            tally = self.tallies[key] = Tally()
        return tally

    def keep(self, key: Key, health: Health) -> None:
        """Store one health; the oldest entry leaves a full table."""
        if key not in self.healths and len(self.healths) >= self.limits.health_entries_max:
            self.healths.pop(next(iter(self.healths)))
        self.healths[key] = health

    def wake(self) -> None:
        """Wake every request that waits for a probe's outcome or a recovery."""
        self.changed.set()
        self.changed = asyncio.Event()
