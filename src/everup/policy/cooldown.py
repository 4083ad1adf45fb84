"""
Cooldowns: what a fault or a success does to the health of what it is keyed by.

What must not live here: the table of healths (see `engine.health`), clocks, randomness (both are arguments).
Cooldowns order candidates; they never fail a request by themselves (rulings 6 and 7).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from everup.policy.faults import RULES, Backoff
from everup.shapes.fault import Fault, FaultKind, Scope

if TYPE_CHECKING:
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate

Key = tuple[str, str, str]
"""Scope, provider, and the profile and model as far as the scope names them."""

RECENT_MAX = 8
"""Failures remembered for the "n within t" rules; no rule needs more than three."""

RATE_LIMITED_MODELS_FOR_PROFILE = 3
"""So many models of one profile at their limit mean the profile is (row 19)."""


class Health(Struct, frozen=True, kw_only=True):
    """
    What is remembered of one key.

    Instants are on the loop's clock. `level` counts cooldowns in a row; `is_explicit` says that the provider
    itself named the time. A key whose `until_mono_s` has passed is half-open: one request probes it.
    """

    level: int = 0
    until_mono_s: float = 0.0
    kind: FaultKind | None = None
    reason: str = ""
    is_explicit: bool = False
    is_blocked: bool = False
    failed_mono_s: float = 0.0
    """When it last failed: an answer that was asked for earlier says nothing against it."""
    probed_mono_s: float = 0.0
    is_probing: bool = False
    recent: tuple[tuple[float, float], ...] = ()
    """Failures for the "n within t" rules: when, and the t of its own rule, for slow is not flaky."""


class State(StrEnum):
    """What a candidate is good for now."""

    READY = "ready"
    PROBE = "probe"
    """Its cooldown is over: one request may try it and so decide."""
    PROBING = "probing"
    """Another request is trying it now."""
    COOLING = "cooling"
    BLOCKED = "blocked"
    """Cooling for a reason that only a person can end; it may be tried when nothing else is left."""


class Readiness(Struct, frozen=True, kw_only=True):
    """The worst of a candidate's healths: its state, until when, why."""

    state: State = State.READY
    until_mono_s: float = 0.0
    kind: FaultKind | None = None
    reason: str = ""
    is_explicit: bool = False
    is_blocked: bool = False
    probed_mono_s: float = 0.0


READY = Readiness()

WORST = {State.READY: 0, State.PROBE: 1, State.PROBING: 2, State.COOLING: 3, State.BLOCKED: 4}


def key_of(scope: Scope, candidate: Candidate) -> Key:
    """Return the key that holds a fault of this scope against a candidate."""
    profile = candidate.profile.id if scope in {Scope.PROFILE, Scope.PROFILE_MODEL} else ""
    model = candidate.model.ref.model if scope in {Scope.ENDPOINT_MODEL, Scope.PROFILE_MODEL} else ""
    return (scope, candidate.provider.name, f"{profile}\n{model}")


def keys_of(candidate: Candidate) -> tuple[Key, ...]:
    """Return every key that can hold something against a candidate."""
    return tuple(key_of(scope, candidate) for scope in Scope if scope is not Scope.NONE)


def after_fault(health: Health, fault: Fault, limits: Limits, now_mono_s: float, jitter: float) -> Health:
    """
    Return the health that follows from one fault.

    `jitter` is a number from 0 to 1. An explicit Retry-After is kept exactly, within its limits; otherwise the
    pause doubles with each cooldown in a row, jittered over its upper half. What fails while one runs (it was
    under way when that began, or tried as the least bad) is the same one. A kind without a backoff changes nothing.
    """
    backoff = RULES[fault.kind].backoff
    if backoff is None:
        return health
    recent = (*(each for each in health.recent if now_mono_s - each[0] <= each[1]), (now_mono_s, backoff.within_s))
    recent = recent[-RECENT_MAX:]
    is_explicit = fault.retry_after_s is not None
    is_due = is_explicit or sum(within_s == backoff.within_s for _, within_s in recent) >= backoff.after
    is_running = now_mono_s < health.until_mono_s
    if not is_due and (is_running or health.level == 0):
        return replace(health, recent=recent, failed_mono_s=now_mono_s)
    level = health.level if is_running else health.level + 1
    until_mono_s = now_mono_s + pause(backoff, fault, limits, level - 1, jitter)
    if is_running and until_mono_s <= health.until_mono_s:
        return replace(health, recent=recent, failed_mono_s=now_mono_s, probed_mono_s=now_mono_s, is_probing=False)
    return Health(
        level=level,
        until_mono_s=until_mono_s,
        kind=fault.kind,
        reason=fault.message,
        is_explicit=is_explicit,
        is_blocked=backoff.is_blocked,
        failed_mono_s=now_mono_s,
        probed_mono_s=now_mono_s,
        recent=recent,
    )


def pause(backoff: Backoff, fault: Fault, limits: Limits, level: int, jitter: float) -> float:
    """Return the seconds of one cooldown."""
    if fault.retry_after_s is not None:
        return min(max(fault.retry_after_s, 1.0), limits.retry_after_max_s)
    first_s, max_s = backoff.first_s, backoff.max_s
    if fault.kind is FaultKind.BILLING:
        first_s, max_s = limits.billing_cooldown_first_s, limits.billing_cooldown_max_s
    whole = min(first_s * float(2 ** min(level, 32)), max_s)
    if backoff.is_cheap:
        whole = min(whole, limits.cheap_cooldown_max_s)
    share = 0.5 + 0.5 * jitter
    return whole * share


def readiness_of(health: Health, now_mono_s: float) -> Readiness:
    """Return what one remembered health says of its candidates now."""
    if health.level == 0:
        return READY
    if now_mono_s < health.until_mono_s:
        state = State.BLOCKED if health.is_blocked else State.COOLING
        if health.is_probing:
            state = State.PROBING
    else:
        state = State.PROBING if health.is_probing else State.PROBE
    return Readiness(
        state=state,
        until_mono_s=health.until_mono_s,
        kind=health.kind,
        reason=health.reason,
        is_explicit=health.is_explicit,
        is_blocked=health.is_blocked,
        probed_mono_s=health.probed_mono_s,
    )


def worst(readinesses: list[Readiness]) -> Readiness:
    """Return the one that keeps a candidate out the most; among equals the longest."""
    return max(readinesses, key=lambda each: (WORST[each.state], each.until_mono_s), default=READY)
