"""The walk: what comes next after each history, by example and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from everup.policy.cooldown import READY, Readiness, State
from everup.policy.faults import RULES
from everup.policy.step import Step, Stop, Tried, Try, Wait, Why, has_other_ready, next_step
from everup.shapes.fault import FaultKind
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Plan
from tests.policy.make import NOW, plan_of, tried

LIMITS = Limits()



def step(
    plan: Plan,
    history: list[Tried],
    states: dict[int, Readiness] | None = None,
    *,
    now: float = NOW,
    waited: float = 0.0,
) -> Step:
    """Return the next step with these candidates not ready."""
    held = states or {}

    def readiness(candidate: Candidate) -> Readiness:
        return held.get(candidate.index, READY)

    return next_step(plan, history, readiness, LIMITS, now_mono_s=now, waited_s=waited)


def cooling(until: float, *, is_explicit: bool = False) -> Readiness:
    """Return a candidate that cools down until then."""
    return Readiness(state=State.COOLING, until_mono_s=until, is_explicit=is_explicit, kind=FaultKind.RATE_LIMIT)


def blocked(probed: float) -> Readiness:
    """Return a candidate with an unpaid bill that was last probed then."""
    return Readiness(state=State.BLOCKED, until_mono_s=9e9, probed_mono_s=probed, kind=FaultKind.BILLING)


def index_of(each: Step) -> int:
    """Return which candidate a step tries."""
    assert isinstance(each, Try)
    return each.index


def test_the_first_ready_candidate_begins() -> None:
    """The chain's first candidate is tried first, and a cooling one is passed over."""
    plan = plan_of("a/m", "b/m")
    assert Try(index=0) == step(plan, [])
    assert Try(index=1) == step(plan, [], {0: cooling(900)})


def test_a_refused_key_goes_to_the_next_profile_and_an_overload_does_not() -> None:
    """A profile's fault tries the model's other profile; an overload is everybody's, so the next model."""
    plan = plan_of("a/m", "b/m", profiles=2)
    assert 1 == index_of(step(plan, [tried(0, FaultKind.RATE_LIMIT)]))
    assert 1 == index_of(step(plan, [tried(0, FaultKind.AUTH)]))
    assert 2 == index_of(step(plan, [tried(0, FaultKind.OVERLOADED)]))


def test_a_dead_endpoint_takes_all_its_models_out_of_this_request() -> None:
    """After a refused connection no other model of the same endpoint is tried."""
    plan = plan_of("a/m", "a/n", "b/m")
    assert 2 == index_of(step(plan, [tried(0, FaultKind.CONNECT)]))


def test_a_500_is_tried_once_more_then_left() -> None:
    """A server error is repeated once after a jittered pause, then the next model begins."""
    plan = plan_of("a/m", "b/m")
    again = step(plan, [tried(0, FaultKind.SERVER_ERROR)])
    assert Try(index=0, pause_s=0.5, is_jittered=True) == again
    assert 1 == index_of(step(plan, [tried(0, FaultKind.SERVER_ERROR)] * 2))


def test_foreign_reasoning_is_removed_once_then_left() -> None:
    """A refusal of foreign reasoning is repeated clean, once."""
    plan = plan_of("a/m", "b/m")
    assert Try(index=0, is_clean=True) == step(plan, [tried(0, FaultKind.FOREIGN_REASONING)])
    assert 1 == index_of(step(plan, [tried(0, FaultKind.FOREIGN_REASONING)] * 2))


def test_a_stale_connection_is_replaced_once_and_not_counted() -> None:
    """A stale connection is retried on a fresh one without using up an attempt."""
    plan = replace(plan_of("a/m"), attempts_max=1)
    assert Try(index=0, is_fresh=True) == step(plan, [tried(0, FaultKind.STALE)])


def test_a_loading_local_model_is_waited_for_and_a_remote_one_is_left() -> None:
    """Loading is waited for at a local server, while a remote one moves on."""
    plan = plan_of("a/m", "b/m")
    local = replace(plan.candidates[0], provider=replace(plan.candidates[0].provider, is_local=True))
    at_home = replace(plan, candidates=(local, plan.candidates[1]))
    assert Try(index=0, pause_s=1.0) == step(at_home, [tried(0, FaultKind.LOADING)] * 30)
    assert 1 == index_of(step(plan, [tried(0, FaultKind.LOADING)]))


def test_a_refused_request_ends_the_walk() -> None:
    """A deterministic refusal is told to the client at once."""
    assert Stop(Why.REFUSED) == step(plan_of("a/m", "b/m"), [tried(0, FaultKind.BAD_REQUEST)])


def test_an_overflow_skips_windows_known_to_be_no_larger() -> None:
    """After an overflow only a larger or unknown window is worth a try."""
    plan = plan_of("a/m", "b/m", "c/m")

    def sized(n: int, window: int | None) -> Candidate:
        each = plan.candidates[n]
        return replace(each, model=replace(each.model, context_tokens_max=window))

    plan = replace(plan, candidates=(sized(0, 8000), sized(1, 4000), sized(2, 16000)))
    assert 2 == index_of(step(plan, [tried(0, FaultKind.CONTEXT_OVERFLOW)]))


@pytest.mark.parametrize(("hint_s", "waits"), [(2.0, True), (4.0, False)])
def test_the_first_model_is_waited_for_within_patience(hint_s: float, *, waits: bool) -> None:
    """A Retry-After within patience is waited for before the first model is left, a longer one is not."""
    got = step(plan_of("a/m", "b/m"), [tried(0, FaultKind.RATE_LIMIT, retry_after_s=hint_s)])
    assert (Try(index=0, pause_s=hint_s) if waits else Try(index=1)) == got


def test_another_profile_goes_before_patience() -> None:
    """Another profile of the first model is tried at once instead of waiting."""
    got = step(plan_of("a/m", "b/m", profiles=2), [tried(0, FaultKind.RATE_LIMIT, retry_after_s=1.0)])
    assert Try(index=1) == got


def test_ambiguous_attempts_come_last_and_once() -> None:
    """What may have been billed is tried again only after everybody else, on a new connection, once."""
    plan = plan_of("a/m", "b/m")
    history = [tried(0, FaultKind.RESET)]
    assert 1 == index_of(step(plan, history))
    history.append(tried(1, FaultKind.MODEL_NOT_FOUND))
    assert Try(index=0, is_fresh=True) == step(plan, history)
    history.append(tried(0, FaultKind.RESET))
    assert isinstance(step(plan, history), Stop)


def test_a_short_rate_limit_is_waited_for_when_nobody_is_left() -> None:
    """With nobody left a Retry-After of up to 10 s is waited for, once; a longer one ends the walk."""
    plan = plan_of("a/m")
    assert Try(index=0, pause_s=8.0) == step(plan, [tried(0, FaultKind.RATE_LIMIT, retry_after_s=8.0)])
    assert Stop(Why.NONE_LEFT) == step(plan, [tried(0, FaultKind.RATE_LIMIT, retry_after_s=80.0)])
    assert isinstance(step(plan, [tried(0, FaultKind.RATE_LIMIT, retry_after_s=8.0)] * 2), Stop)


def test_all_cooling_waits_for_the_soonest_within_ten_seconds() -> None:
    """With everybody cooling the soonest is waited for when it is near."""
    plan = plan_of("a/m", "b/m")
    assert Wait(NOW + 4) == step(plan, [], {0: cooling(NOW + 9), 1: cooling(NOW + 4)})


def test_all_cooling_for_long_tries_the_least_bad_once() -> None:
    """With everybody cooling for long the least bad is tried once, and then it is over."""
    plan = plan_of("a/m", "b/m")
    states = {0: cooling(NOW + 40), 1: cooling(NOW + 20)}
    assert Try(index=1, is_probe=True) == step(plan, [], states)
    assert Try(index=1, is_probe=True) == step(plan, [], {0: states[0], 1: cooling(NOW + 5)}, waited=10.0)


def test_a_retry_after_beyond_the_deadline_is_answered_unsent() -> None:
    """Only a provider's own time beyond the deadline keeps a request from being sent."""
    plan = plan_of("a/m")
    states = {0: cooling(plan.deadline_mono_s + 1, is_explicit=True)}
    assert Stop(Why.RETRY_LATER, plan.deadline_mono_s + 1, is_limited=True) == step(plan, [], states)
    assert isinstance(step(plan, [], {0: cooling(plan.deadline_mono_s + 1)}), Try)


def test_a_blocked_candidate_is_probed_at_most_every_thirty_seconds() -> None:
    """An unpaid or refused account is tried when nothing else is left, not more often than every 30 s."""
    plan = plan_of("a/m")
    assert Try(index=0, is_probe=True) == step(plan, [], {0: blocked(NOW - 31)})
    assert Stop(Why.RETRY_LATER, NOW + 20) == step(plan, [], {0: blocked(NOW - 10)})


def test_a_running_probe_is_waited_for_by_those_who_have_nobody_else() -> None:
    """Requests with another candidate use it during a probe; those without wait for its outcome."""
    probing = Readiness(state=State.PROBING, until_mono_s=NOW - 1)
    assert Try(index=1) == step(plan_of("a/m", "b/m"), [], {0: probing})
    assert Wait(NOW + 10) == step(plan_of("a/m"), [], {0: probing})


def test_a_soft_clock_needs_another_model_that_is_ready() -> None:
    """Another profile of the same slow model is no reason to leave it; a ready other model is."""
    plan = plan_of("a/m", "b/m", profiles=2)
    alone = plan_of("a/m", profiles=2)
    assert has_other_ready(plan, [], 0, lambda _: READY)
    assert not has_other_ready(alone, [], 0, lambda _: READY)
    assert not has_other_ready(plan, [], 0, lambda _: cooling(900))


KINDS = st.sampled_from(list(FaultKind))
STATES = st.sampled_from([READY, cooling(NOW + 5), cooling(NOW + 500), blocked(0.0), blocked(NOW)])


@given(st.integers(1, 4), st.integers(1, 2), st.data())
def test_every_walk_ends_within_its_attempts(models: int, profiles: int, data: st.DataObject) -> None:
    """Whatever fails and however, a walk ends, counts at most its attempts and never tries a refusal again."""
    plan = plan_of(*(f"p{n}/m" for n in range(models)), profiles=profiles)
    states = {each.index: data.draw(STATES) for each in plan.candidates}
    history: list[Tried] = []
    waited = 0.0
    for _ in range(400):
        got = step(plan, history, states, waited=waited)
        if isinstance(got, Stop):
            break
        if isinstance(got, Wait):
            assert got.until_mono_s > NOW
            waited += got.until_mono_s - NOW
            continue
        assert not history or RULES[history[-1].fault.kind].path[0] != "client"
        history.append(tried(got.index, data.draw(KINDS)))
    else:
        pytest.fail("the walk does not end")
    counted = sum(1 for each in history if RULES[each.fault.kind].is_counted)
    assert counted <= plan.attempts_max
    assert waited <= LIMITS.cooldown_wait_s + LIMITS.probe_wait_s
