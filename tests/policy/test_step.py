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


def test_repeats_leave_an_attempt_for_every_candidate_that_is_ready() -> None:
    """Candidates that answer 500 are repeated only as far as everybody who is ready still gets a turn."""
    plan = plan_of("a/m", "b/m", "c/m")
    history = [tried(0, FaultKind.SERVER_ERROR)] * 2 + [tried(1, FaultKind.SERVER_ERROR)]
    assert Try(index=2) == step(plan, history)
    assert 1 == index_of(step(plan, history, {2: cooling(900)}))
    assert 1 == index_of(step(replace(plan, attempts_max=2), [tried(0, FaultKind.CONFLICT)]))
    assert Try(index=0, is_fresh=True) == step(replace(plan, attempts_max=1), [tried(0, FaultKind.STALE)])


def test_patience_does_not_cost_another_candidate_its_turn() -> None:
    """The first model is not waited for when that would use up the attempt of one that is ready."""
    plan = replace(plan_of("a/m", "b/m"), attempts_max=2)
    assert Try(index=1) == step(plan, [tried(0, FaultKind.RATE_LIMIT, retry_after_s=1.0)])


@given(st.integers(1, 4), st.integers(1, 3), st.data())
def test_everyone_who_is_ready_is_asked_before_the_walk_ends(models: int, profiles: int, data: st.DataObject) -> None:
    """Unless one fault speaks for another or ends the walk, no ready candidate is left out."""
    plan = plan_of(*(f"p{n}/m" for n in range(models)), profiles=profiles)
    kinds = st.sampled_from([FaultKind.RATE_LIMIT, FaultKind.CONCURRENCY, FaultKind.REQUEST_TIMEOUT, FaultKind.STALE])
    history: list[Tried] = []
    for _ in range(100):
        got = step(plan, history)
        if isinstance(got, Stop):
            break
        kind, hint_s = data.draw(kinds), data.draw(st.sampled_from([None, 1.0, 8.0, 80.0]))
        if kind is FaultKind.STALE and isinstance(got, Try) and got.is_fresh:
            kind = FaultKind.RATE_LIMIT  # a new connection is never stale
        history.append(tried(index_of(got), kind, retry_after_s=None if kind is FaultKind.STALE else hint_s))
    assert {each.index for each in plan.candidates} == {each.index for each in history}


def test_a_provider_s_own_time_goes_before_a_row_s_pause() -> None:
    """A 500 that asks for 2 s is repeated after 2 s, and one that asks for 30 s is left."""
    plan = plan_of("a/m", "b/m")
    assert Try(index=0, pause_s=2.0) == step(plan, [tried(0, FaultKind.SERVER_ERROR, retry_after_s=2.0)])
    assert Try(index=1) == step(plan, [tried(0, FaultKind.SERVER_ERROR, retry_after_s=30.0)])


def test_patience_counts_every_profile_of_the_first_model_and_the_time_that_passed() -> None:
    """The first profile's limit is waited for after the second was refused, for what is left of it."""
    plan = plan_of("a/m", "b/m", profiles=2)
    history = [tried(0, FaultKind.RATE_LIMIT, retry_after_s=2.5), tried(1, FaultKind.AUTH)]
    assert Try(index=0, pause_s=0.5) == step(plan, history, now=NOW + 2)


def test_no_pause_reaches_the_deadline() -> None:
    """Nothing is waited for that could only be sent when the time is up."""
    plan = replace(plan_of("a/m", "b/m"), deadline_mono_s=NOW + 2)
    assert Try(index=1) == step(plan, [tried(0, FaultKind.RATE_LIMIT, retry_after_s=2.0)])
    alone = replace(plan_of("a/m"), deadline_mono_s=NOW + 2)
    assert isinstance(step(alone, [tried(0, FaultKind.RATE_LIMIT, retry_after_s=2.5)]), Stop)


def test_the_limit_that_ends_soonest_is_waited_for_by_what_is_left_of_it() -> None:
    """With everybody limited the soonest is tried again, and time that has passed counts."""
    plan = plan_of("a/m", "b/m")
    limits = [tried(0, FaultKind.RATE_LIMIT, retry_after_s=38.0), tried(1, FaultKind.RATE_LIMIT, retry_after_s=32.0)]
    assert Try(index=1, pause_s=2.0) == step(plan, limits, now=NOW + 30)


def test_a_free_repeat_goes_before_one_that_may_be_billed_twice() -> None:
    """With nobody else left, a short rate limit is waited for before an ambiguous attempt is repeated."""
    plan = plan_of("a/m", "b/m")
    history = [tried(0, FaultKind.RESET), tried(1, FaultKind.RATE_LIMIT, retry_after_s=4.0)]
    assert Try(index=1, pause_s=4.0) == step(plan, history)


def test_what_still_runs_is_not_sent_again() -> None:
    """A candidate left at its answer clock is not repeated while its first attempt still runs."""
    plan = plan_of("a/m", "b/m")
    history = [replace(tried(0, FaultKind.ANSWER), is_running=True), tried(1, FaultKind.AUTH)]
    assert Stop(Why.NONE_LEFT) == step(plan, history)
    ended = [tried(0, FaultKind.RESET), history[1]]
    assert Try(index=0, is_fresh=True) == step(plan, ended)


def test_the_same_bytes_are_not_sent_again_as_a_repair() -> None:
    """Where leaving reasoning out would change nothing, the next model follows at once."""
    plan = plan_of("a/m", "b/m")
    history = [tried(0, FaultKind.FOREIGN_REASONING)]
    got = next_step(plan, history, lambda _: READY, LIMITS, now_mono_s=NOW, waited_s=0.0, is_repairable=False)
    assert Try(index=1) == got


def probing(*, is_blocked: bool = False) -> Readiness:
    """Return a candidate that another request is trying."""
    kind = FaultKind.BILLING if is_blocked else FaultKind.OVERLOADED
    return Readiness(state=State.PROBING, until_mono_s=NOW - 1, is_blocked=is_blocked, kind=kind)


def test_a_probe_that_takes_long_does_not_fail_those_who_wait() -> None:
    """After the probe's time whoever has nobody else tries too; a blocked account's outcome is waited for."""
    plan = plan_of("a/m")
    assert Try(index=0, is_probe=True) == step(plan, [], {0: probing()}, waited=10.0)
    assert Wait(plan.deadline_mono_s) == step(plan, [], {0: probing(is_blocked=True)}, waited=10.0)


def test_a_missing_key_is_missing_for_every_model() -> None:
    """A profile without a key is not asked for its other models; the other profile is."""
    plan = plan_of("a/m", "a/n", profiles=2)
    assert 1 == index_of(step(plan, [tried(0, FaultKind.NO_CREDENTIAL)]))
    assert Stop(Why.NONE_LEFT) == step(plan, [tried(0, FaultKind.NO_CREDENTIAL), tried(1, FaultKind.NO_CREDENTIAL)])


def test_a_blocked_account_is_no_rate_limit() -> None:
    """Nothing sent is a 429 only where every provider itself named a time beyond the deadline."""
    plan = replace(plan_of("a/m", "b/m"), deadline_mono_s=NOW + 5)
    late = cooling(NOW + 900, is_explicit=True)
    assert Stop(Why.RETRY_LATER, NOW + 20, is_limited=False) == step(plan, [], {0: late, 1: blocked(NOW - 10)})
    assert Stop(Why.RETRY_LATER, NOW + 900, is_limited=True) == step(plan, [], {0: late, 1: late})
