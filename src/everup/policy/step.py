"""
The walk through a plan: after what happened so far, what comes next.

What must not live here: doing it (see `engine.run`). Pure: the plan, what was tried, what the candidates are
good for and the time go in; one step comes out. Source: FAULTS rulings 3, 4, 6 and 7, section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from everup.policy.cooldown import Readiness, State
from everup.policy.faults import RULES
from everup.shapes.fault import Fault, FaultKind, Next, Scope
from everup.shapes.route import Candidate, Plan

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

Readinesses = Callable[[Candidate], Readiness]


class Tried(Struct, frozen=True):
    """
    One attempt so far: the candidate's place in the plan, how it failed and when.

    `is_running`: it was left at its answer clock and still races with the next one (ruling 2).
    """

    index: int
    fault: Fault
    at_mono_s: float = 0.0
    is_running: bool = False


class Try(Struct, frozen=True, kw_only=True):
    """
    Attempt this candidate, after a pause.

    `is_fresh` asks for a new connection, `is_clean` for the repair of 1a.
    """

    index: int
    pause_s: float = 0.0
    is_jittered: bool = False
    is_fresh: bool = False
    is_clean: bool = False
    is_probe: bool = False


class Wait(Struct, frozen=True):
    """Wait until this instant or until something recovers, then ask again."""

    until_mono_s: float


class Why(StrEnum):
    """Why a walk ends without an answer."""

    NONE_LEFT = "none_left"
    REFUSED = "refused"
    DEADLINE = "deadline"
    ATTEMPTS = "attempts"
    RETRY_LATER = "retry_later"
    """Nothing was sent: every candidate is kept out until after the deadline, or was probed just now."""


class Stop(Struct, frozen=True):
    """
    End the walk; `until_mono_s` is when trying again makes sense.

    0 where nothing is known.
    `is_limited`: nothing was sent because every provider itself named a time beyond the deadline.
    """

    why: Why
    until_mono_s: float = 0.0
    is_limited: bool = False


Step = Try | Wait | Stop

FIRST = Try(index=0)
"""The usual step: the first candidate is ready."""


def next_step(
    plan: Plan,
    tried: Sequence[Tried],
    readiness: Readinesses,
    limits: Limits,
    *,
    now_mono_s: float,
    waited_s: float,
    is_repairable: bool = True,
) -> Step:
    """
    Return the next step of a request.

    `waited_s` is what this request has spent in `Wait`s; it bounds them (ruling 6). `is_repairable` says whether
    the repair of 1a would change the body: the same bytes are never sent again (FAULTS 2.6 d).
    """
    is_first = not tried and plan.candidates and now_mono_s < plan.deadline_mono_s
    if is_first and readiness(plan.candidates[0]).state is State.READY:
        return FIRST
    if now_mono_s >= plan.deadline_mono_s or (tried and tried[-1].fault.kind is FaultKind.DEADLINE):
        return Stop(Why.DEADLINE)
    if tried and RULES[tried[-1].fault.kind].path[0] is Next.CLIENT:
        return Stop(Why.REFUSED)
    counted = counted_of(tried)
    if tried and counted >= plan.attempts_max:
        return Stop(Why.ATTEMPTS)
    states = [(each, readiness(each)) for each in plan.candidates if is_open(each, plan, tried)]
    ready = first_ready(states)
    others = sum(1 for _, state in states if state.state in {State.READY, State.PROBE})
    is_spare = counted + 1 + others <= plan.attempts_max
    again = None
    if tried and (is_spare or not RULES[tried[-1].fault.kind].is_counted):
        again = same_again(plan, tried, now_mono_s=now_mono_s, is_repairable=is_repairable)
    if again is None and is_spare:
        again = patience(plan, tried, ready, now_mono_s=now_mono_s)
    return (
        again
        or ready
        or kept_out(states, plan, limits, now_mono_s=now_mono_s, waited_s=waited_s)
        or once_more(plan, tried, limits, now_mono_s=now_mono_s)
        or outcome(states, plan)
        or give_up(plan, tried, states, limits, now_mono_s=now_mono_s)
    )


def counted_of(tried: Sequence[Tried]) -> int:
    """Return how many attempts have used up one of the request's own."""
    return sum(1 for each in tried if RULES[each.fault.kind].is_counted)


def has_other_ready(plan: Plan, tried: Sequence[Tried], index: int, readiness: Readinesses) -> bool:
    """
    Return whether a soft clock may end the attempt `index`.

    Another candidate could begin at once.
    """
    if 1 + counted_of(tried) >= plan.attempts_max:
        return False
    mine = plan.candidates[index]
    return any(
        each.index != index
        and (each.provider.name, each.model.ref) != (mine.provider.name, mine.model.ref)
        and is_open(each, plan, tried)
        and readiness(each).state in {State.READY, State.PROBE}
        for each in plan.candidates
    )


def same_again(plan: Plan, tried: Sequence[Tried], *, now_mono_s: float, is_repairable: bool) -> Try | None:
    """
    Return another attempt of the candidate that just failed.

    Where its row asks for one first, and the provider does not ask for more time than patience allows.
    """
    last = tried[-1]
    kind, rule = last.fault.kind, RULES[last.fault.kind]
    if rule.path[0] is not Next.SAME or last.is_running:
        return None
    if kind is FaultKind.LOADING and not plan.candidates[last.index].provider.is_local:
        return None
    if kind is FaultKind.FOREIGN_REASONING and not is_repairable:
        return None
    times = sum(1 for each in tried if each.index == last.index and each.fault.kind is kind)
    hint_s = hint_left_s(last, now_mono_s) or 0.0
    pause_s = max(rule.wait_s, hint_s)
    if times > rule.same_max or hint_s > plan.patience_s or now_mono_s + pause_s >= plan.deadline_mono_s:
        return None
    return Try(
        index=last.index,
        pause_s=pause_s,
        is_jittered=rule.is_jittered and pause_s > hint_s,
        is_fresh=kind is FaultKind.MISDIRECTED or has_failed(tried, last.index, FaultKind.STALE),
        is_clean=has_failed(tried, last.index, FaultKind.FOREIGN_REASONING),
    )


def hint_left_s(each: Tried, now_mono_s: float) -> float | None:
    """
    Return what is left of the time a provider asked for.

    None where it asked for none or waiting cannot help.
    """
    hint_s = each.fault.retry_after_s
    if hint_s is None or each.fault.kind is FaultKind.BILLING:
        return None
    return max(each.at_mono_s + hint_s - now_mono_s, 0.0)


def has_failed(tried: Sequence[Tried], index: int, kind: FaultKind) -> bool:
    """
    Return whether a candidate has ever failed so in this request.

    Once it refused foreign reasoning it is sent clean, once its connection was stale it gets a new one.
    """
    return any(each.index == index and each.fault.kind is kind for each in tried)


def is_open(candidate: Candidate, plan: Plan, tried: Sequence[Tried]) -> bool:
    """
    Return whether a candidate has not been tried.

    And nothing tried makes it pointless: of each one its last fault counts, not a stale connection before it.
    """
    last = {each.index: each.fault for each in tried}
    if candidate.index in last:
        return False
    return not any(is_pointless(candidate, plan.candidates[index], fault) for index, fault in last.items())


def is_pointless(candidate: Candidate, failed: Candidate, fault: Fault) -> bool:
    """Return whether another one's fault says that this one would fail too."""
    if fault.kind is FaultKind.CONTEXT_OVERFLOW:
        window, small = candidate.model.context_tokens_max, failed.model.context_tokens_max
        if window is not None and small is not None and window <= small:
            return True
    if candidate.provider.name != failed.provider.name:
        return False
    path = RULES[fault.kind].path
    if fault.scope is Scope.ENDPOINT:
        return True
    if fault.scope is Scope.PROFILE and candidate.profile.id == failed.profile.id:
        return True
    return candidate.model.ref == failed.model.ref and Next.PROFILE not in path


def first_ready(states: Sequence[tuple[Candidate, Readiness]]) -> Try | None:
    """Return an attempt of the first candidate that is ready or due to be probed."""
    for candidate, readiness in states:
        if readiness.state is State.READY:
            return Try(index=candidate.index)
        if readiness.state is State.PROBE:
            return Try(index=candidate.index, is_probe=True)
    return None


def patience(plan: Plan, tried: Sequence[Tried], ready: Try | None, *, now_mono_s: float) -> Try | None:
    """
    Return a short wait for the route's first model before it is left.

    Once for each of its profiles.
    Ruling 3.
    """
    if not tried:
        return None
    first = plan.candidates[0].model.ref
    if plan.candidates[tried[-1].index].model.ref != first:
        return None
    if ready is not None and plan.candidates[ready.index].model.ref == first:
        return None
    mine = [each for each in tried if plan.candidates[each.index].model.ref == first]
    return soonest_again(plan, mine, plan.patience_s, now_mono_s=now_mono_s)


def soonest_again(plan: Plan, tried: Sequence[Tried], wait_max_s: float, *, now_mono_s: float) -> Try | None:
    """
    Return another attempt of what was tried once and is asked to wait the least.

    None if that is too long.
    """
    waits = [
        (hint_s, each)
        for each in tried
        if tries_of(tried, each.index) == 1 and (hint_s := hint_left_s(each, now_mono_s)) is not None
    ]
    if not waits:
        return None
    hint_s, each = min(waits, key=lambda pair: pair[0])
    if hint_s > wait_max_s or now_mono_s + hint_s >= plan.deadline_mono_s:
        return None
    return Try(index=each.index, pause_s=hint_s, is_fresh=each.fault.possibly_billed)


def tries_of(tried: Sequence[Tried], index: int) -> int:
    """Return how often a candidate was tried."""
    return sum(1 for each in tried if each.index == index)


def kept_out(
    states: Sequence[tuple[Candidate, Readiness]],
    plan: Plan,
    limits: Limits,
    *,
    now_mono_s: float,
    waited_s: float,
) -> Step | None:
    """
    Return a wait for the soonest untried candidate, or one try of the least bad.

    Ruling 6.
    """
    left_s = plan.deadline_mono_s - now_mono_s
    cooling = [(each, state) for each, state in states if state.state is State.COOLING]
    soonest = min((state.until_mono_s for _, state in cooling), default=None)
    if soonest is not None and soonest - now_mono_s <= min(limits.cooldown_wait_s - waited_s, left_s):
        return Wait(soonest)
    probing = [(each, state) for each, state in states if state.state is State.PROBING]
    if probing and (wait_s := min(limits.probe_wait_s - waited_s, left_s)) > 0:
        return Wait(now_mono_s + wait_s)
    within = [
        (each, state)
        for each, state in (*cooling, *(pair for pair in probing if not pair[1].is_blocked))
        if not state.is_explicit or state.until_mono_s < plan.deadline_mono_s
    ]
    if within:
        least_bad = min(within, key=lambda pair: pair[1].until_mono_s)[0]
        return Try(index=least_bad.index, is_probe=True)
    for candidate, state in states:
        is_due = now_mono_s - state.probed_mono_s >= limits.blocked_probe_every_s
        if state.state is State.BLOCKED and is_due:
            return Try(index=candidate.index, is_probe=True)
    return None


def once_more(plan: Plan, tried: Sequence[Tried], limits: Limits, *, now_mono_s: float) -> Try | None:
    """
    Return a second attempt of a candidate whose rate limit is about to end.

    Or that may have been billed.
    The first costs nothing: a Retry-After within the cooldown wait is waited for (row 16). Ambiguous ones get
    one on a new connection when nobody else is left (ruling 4), unless they still run.
    """
    limited = soonest_again(plan, tried, limits.cooldown_wait_s, now_mono_s=now_mono_s)
    if limited is not None:
        return limited
    for each in tried:
        is_ambiguous = each.fault.possibly_billed and each.fault.kind is not FaultKind.SUPERSEDED
        if is_ambiguous and not each.is_running and tries_of(tried, each.index) == 1:
            return Try(index=each.index, is_fresh=True)
    return None


def outcome(states: Sequence[tuple[Candidate, Readiness]], plan: Plan) -> Wait | None:
    """
    Return a wait for a running probe of a blocked account.

    If it succeeds, this request has its candidate.
    """
    is_awaited = any(state.state is State.PROBING for _, state in states)
    return Wait(plan.deadline_mono_s) if is_awaited else None


def give_up(
    plan: Plan,
    tried: Sequence[Tried],
    states: Sequence[tuple[Candidate, Readiness]],
    limits: Limits,
    *,
    now_mono_s: float,
) -> Stop:
    """Return the end of the walk, with the soonest recovery where nothing was sent."""
    if tried or not plan.candidates:
        return Stop(Why.NONE_LEFT)
    soonest = [
        max(state.probed_mono_s + limits.blocked_probe_every_s, now_mono_s)
        if state.state is State.BLOCKED
        else state.until_mono_s
        for _, state in states
    ]
    is_limited = all(state.state is State.COOLING and state.is_explicit for _, state in states)
    return Stop(Why.RETRY_LATER, min(soonest, default=0.0), is_limited)
