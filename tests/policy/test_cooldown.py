"""Cooldowns: when they begin, how they grow, what ends them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from everup.policy.cooldown import Health, State, after_fault, key_of, keys_of, pause, readiness_of, worst
from everup.policy.faults import RULES, make_fault
from everup.shapes.fault import FaultKind, Scope
from everup.shapes.limits import Limits
from tests.policy.make import plan_of

LIMITS = Limits()
FRESH = Health()


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if RULES[kind].backoff is None])
def test_a_kind_without_a_backoff_changes_nothing(kind: FaultKind) -> None:
    """Faults of the request or of our own side never start a cooldown."""
    assert FRESH == after_fault(FRESH, make_fault(kind), LIMITS, 10.0, 1.0)


@pytest.mark.parametrize("kind", [FaultKind.SERVER_ERROR, FaultKind.RESET, FaultKind.MALFORMED])
def test_flaky_kinds_cool_down_with_the_third_in_thirty_seconds(kind: FaultKind) -> None:
    """Two failures are forgiven, a third within 30 s is not, and an old one does not count."""
    health = FRESH
    for now in (0.0, 1.0):
        health = after_fault(health, make_fault(kind), LIMITS, now, 1.0)
        assert State.READY is readiness_of(health, now).state
    assert State.READY is readiness_of(after_fault(health, make_fault(kind), LIMITS, 40.0, 1.0), 40.0).state
    cooled = after_fault(health, make_fault(kind), LIMITS, 2.0, 1.0)
    assert State.COOLING is readiness_of(cooled, 2.0).state
    assert cooled.until_mono_s == 7.0


def test_a_second_failure_extends_a_cooldown() -> None:
    """Each cooldown in a row is twice the one before."""
    first = after_fault(FRESH, make_fault(FaultKind.RATE_LIMIT), LIMITS, 0.0, 1.0)
    second = after_fault(first, make_fault(FaultKind.RATE_LIMIT), LIMITS, first.until_mono_s, 1.0)
    assert (15.0, 30.0) == (first.until_mono_s, second.until_mono_s - first.until_mono_s)


@given(st.sampled_from([kind for kind in FaultKind if RULES[kind].backoff]), st.integers(0, 200), st.floats(0, 1))
def test_no_cooldown_is_longer_than_its_class_allows(kind: FaultKind, level: int, jitter: float) -> None:
    """However often something failed, its pause stays within its row's maximum; cheap ones within 25 s."""
    backoff = RULES[kind].backoff
    assert backoff is not None
    seconds = pause(backoff, make_fault(kind), LIMITS, level, jitter)
    assert 0 < seconds <= (25.0 if backoff.is_cheap else backoff.max_s)


@pytest.mark.parametrize(("hint_s", "kept_s"), [(0.0, 1.0), (7.5, 7.5), (1e9, 86_400.0)])
def test_an_explicit_retry_after_is_kept_exactly_within_its_limits(hint_s: float, kept_s: float) -> None:
    """A provider's own time is obeyed to the letter, from 1 s to a day."""
    fault = make_fault(FaultKind.RATE_LIMIT, retry_after_s=hint_s)
    health = after_fault(FRESH, fault, LIMITS, 100.0, 0.0)
    assert 100.0 + kept_s == health.until_mono_s
    assert health.is_explicit


def test_billing_grows_from_ten_minutes_to_an_hour_and_is_blocked() -> None:
    """A bill that is not paid is asked about again after 10 min, then at most every hour."""
    fault = make_fault(FaultKind.BILLING)
    first = after_fault(FRESH, fault, LIMITS, 0.0, 1.0)
    assert (600.0, State.BLOCKED) == (first.until_mono_s, readiness_of(first, 0.0).state)
    late = after_fault(replace(first, level=9), fault, LIMITS, 0.0, 1.0)
    assert late.until_mono_s == 3600.0


def test_after_its_end_one_request_probes_and_others_see_that() -> None:
    """A passed cooldown is half-open: due to be probed, and probing while one request tries."""
    cooled = after_fault(FRESH, make_fault(FaultKind.CONNECT), LIMITS, 0.0, 1.0)
    assert State.PROBE is readiness_of(cooled, 60.0).state
    assert State.PROBING is readiness_of(replace(cooled, is_probing=True), 60.0).state


def test_a_profile_s_fault_leaves_sibling_models_of_other_scopes_alone() -> None:
    """One model's limit is remembered for that profile and model only; a bill for the whole profile."""
    one, two = plan_of("p/a", "p/b").candidates
    assert key_of(Scope.PROFILE_MODEL, one) not in keys_of(two)
    assert key_of(Scope.PROFILE, one) in keys_of(two)
    assert key_of(Scope.ENDPOINT, one) in keys_of(two)


def test_the_worst_health_decides() -> None:
    """A candidate is as good as the worst thing held against it."""
    cooled = readiness_of(after_fault(FRESH, make_fault(FaultKind.CONNECT), LIMITS, 0.0, 1.0), 0.0)
    assert cooled == worst([readiness_of(FRESH, 0.0), cooled])
    assert State.READY is worst([]).state


def test_slow_and_flaky_failures_are_counted_apart() -> None:
    """One slow attempt after one error is no reason to cool down: each rule counts its own kind."""
    health = after_fault(FRESH, make_fault(FaultKind.SERVER_ERROR), LIMITS, 0.0, 1.0)
    health = after_fault(health, make_fault(FaultKind.FIRST_EVENT), LIMITS, 1.0, 1.0)
    assert State.READY is readiness_of(health, 1.0).state
    health = after_fault(health, make_fault(FaultKind.SERVER_ERROR), LIMITS, 40.0, 1.0)
    health = after_fault(health, make_fault(FaultKind.FIRST_EVENT), LIMITS, 300.0, 1.0)
    assert 330.0 == health.until_mono_s


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.CONNECT, FaultKind.BILLING])
def test_attempts_that_fail_together_are_one_cooldown(kind: FaultKind) -> None:
    """What was under way when a cooldown began and fails too does not double it; a failed probe does."""
    one = after_fault(FRESH, make_fault(kind), LIMITS, 0.0, 1.0)
    many = one
    for _ in range(30):
        many = after_fault(many, make_fault(kind), LIMITS, 0.5, 1.0)
    assert one.until_mono_s <= many.until_mono_s <= one.until_mono_s + 0.5
    assert 1 == many.level
    probed = after_fault(replace(many, is_probing=True), make_fault(kind), LIMITS, many.until_mono_s, 1.0)
    assert (2, False) == (probed.level, probed.is_probing)
    assert probed.until_mono_s - many.until_mono_s > one.until_mono_s


def test_a_provider_s_own_time_outlives_a_fault_without_one() -> None:
    """An explicit time that is still running stays, and stays explicit."""
    told = after_fault(FRESH, make_fault(FaultKind.RATE_LIMIT, retry_after_s=900), LIMITS, 0.0, 1.0)
    for health in (told, replace(told, is_probing=True)):
        after = after_fault(health, make_fault(FaultKind.RATE_LIMIT), LIMITS, 5.0, 1.0)
        assert (900.0, True, False) == (after.until_mono_s, after.is_explicit, after.is_probing)


def test_a_lone_error_does_not_lengthen_another_kind_s_cooldown() -> None:
    """A fault that is forgiven by itself leaves a running cooldown as it is."""
    cooled = after_fault(FRESH, make_fault(FaultKind.OVERLOADED), LIMITS, 0.0, 1.0)
    assert cooled.until_mono_s == after_fault(cooled, make_fault(FaultKind.CUT), LIMITS, 4.0, 1.0).until_mono_s


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if RULES[kind].backoff is not None])
def test_every_cooldown_has_something_it_is_keyed_by(kind: FaultKind) -> None:
    """A kind with a backoff names its scope."""
    assert Scope.NONE is not RULES[kind].scope


def test_the_least_bad_that_is_being_tried_is_seen_as_that() -> None:
    """While one request tries a candidate before its time, the others know and wait for the outcome."""
    blocked = after_fault(FRESH, make_fault(FaultKind.BILLING), LIMITS, 0.0, 1.0)
    tried = readiness_of(replace(blocked, is_probing=True), 5.0)
    assert (State.PROBING, True) == (tried.state, tried.is_blocked)
