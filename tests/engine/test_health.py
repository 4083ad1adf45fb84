"""The table of healths: bounded, healed by what it should be, and as a person sees it."""

from __future__ import annotations

import pytest

from everup.engine.health import HealthTable
from everup.policy.cooldown import State
from everup.policy.faults import make_fault
from everup.shapes.attempt import AttemptRecord
from everup.shapes.fault import FaultKind
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider

pytestmark = pytest.mark.anyio

RECORD = AttemptRecord(n=1, candidate="p/m", profile="k", total_ms=7)


def candidate(model: str = "m", profile: str = "k") -> Candidate:
    """Return a candidate of one provider."""
    provider = Provider(name="p", wire="openai_chat", base_url="http://p.test/v1")
    return Candidate(
        index=0, provider=provider, model=Model(ref=ModelRef("p", model)), profile=Profile(id=profile, provider="p")
    )


def table(**limits: int) -> HealthTable:
    """Return an empty table."""
    return HealthTable(Limits(**limits), lambda: 1.0)  # type: ignore[arg-type]


async def test_the_table_is_bounded() -> None:
    """However many models fail, answer or are counted, no more is remembered than the limit says."""
    health = table(health_entries_max=5)
    for n in range(50):
        each = candidate(f"m{n}")
        health.record_fault(each, make_fault(FaultKind.OVERLOADED), 0.0)
        health.observe(each, 1.0, is_stream=True)
    assert (5, 5, 5) == (len(health.healths), len(health.tallies), len(health.observed))


async def test_faults_without_a_cooldown_leave_no_entry() -> None:
    """What starts no cooldown is not remembered as a health, not even as an empty one."""
    health = table()
    for kind in (FaultKind.BAD_REQUEST, FaultKind.NO_CREDENTIAL, FaultKind.QUEUE_FULL):
        health.record_fault(candidate(), make_fault(kind), 0.0)
    assert {} == health.healths


async def test_streams_and_whole_answers_widen_their_own_clocks() -> None:
    """Slow whole answers say nothing about a stream's first event."""
    health = table()
    for _ in range(20):
        health.observe(candidate(), 90.0, is_stream=False)
        health.observe(candidate(), 0.5, is_stream=True)
    assert 0.5 == health.observed_p95_s(candidate(), is_stream=True)
    assert 90.0 == health.observed_p95_s(candidate(), is_stream=False)
    assert None is health.observed_p95_s(candidate("other"), is_stream=True)


async def test_a_success_heals_what_failed_before_it_began() -> None:
    """An answer ends a cooldown from before its request, and none that began later."""
    health = table()
    health.record_fault(candidate(), make_fault(FaultKind.OVERLOADED), 10.0)
    health.record_success(candidate(), RECORD, 9.0)
    assert State.COOLING is health.readiness(candidate(), 11.0).state
    health.record_success(candidate(), RECORD, 10.5)
    assert State.READY is health.readiness(candidate(), 11.0).state


async def test_first_content_ends_a_cooldown_but_keeps_count_of_cuts() -> None:
    """A provider that shows content and then breaks off every time still cools down with the third."""
    health = table()
    for now in (1.0, 2.0, 3.0):
        health.heal(candidate(), now, is_complete=False)
        health.record_fault(candidate(), make_fault(FaultKind.CUT), now)
    assert State.COOLING is health.readiness(candidate(), 3.0).state
    health.heal(candidate(), 3.5, is_complete=False)
    assert State.READY is health.readiness(candidate(), 3.6).state


async def test_who_waits_is_woken_by_a_recovery_and_by_the_end_of_a_probe() -> None:
    """Both a success and a failed probe wake those who wait for the outcome."""
    health = table()
    health.record_fault(candidate(), make_fault(FaultKind.OVERLOADED), 0.0)
    health.begin_probe(candidate(), 30.0)
    assert State.PROBING is health.readiness(candidate(), 30.0).state
    for act in (
        lambda: health.record_fault(candidate(), make_fault(FaultKind.OVERLOADED), 31.0),
        lambda: health.record_success(candidate(), RECORD, 60.0),
    ):
        changed = health.changed
        act()
        assert changed.is_set()


@pytest.mark.parametrize(
    ("now", "state", "why"),
    [(1.0, "cooling", "overloaded: busy"), (30.0, "failing", "overloaded: the next request tries it again")],
)
async def test_a_person_sees_why_a_candidate_is_out(now: float, state: str, why: str) -> None:
    """`/status` tells state and reason, and how often it was asked."""
    health = table()
    assert "unused" == health.view(candidate(), 0.0).state
    health.record_fault(candidate(), make_fault(FaultKind.OVERLOADED, "busy"), 0.0)
    view = health.view(candidate(), now)
    assert (state, why, 1, 1) == (view.state, view.why, view.requests, view.failures)
    health.record_success(candidate(), RECORD, now)
    view = health.view(candidate(), now)
    assert ("ready", 7, 2) == (view.state, view.last_ms, view.requests)


async def test_a_cooldown_without_words_is_told_by_its_kind() -> None:
    """A fault without a message is still named."""
    health = table()
    health.record_fault(candidate(), make_fault(FaultKind.CONNECT), 0.0)
    assert "connect" == health.view(candidate(), 0.0).why
