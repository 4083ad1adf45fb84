"""
The plan of a request: which candidates can answer it, in which order.

What must not live here: health (cooldowns only choose among candidates, see `step`) and waiting.
Skips are by name and reason; unknown counts as able.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from everup.shapes.route import Candidate, Model, Needs, Plan, Profile, Route, Skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everup.shapes.limits import Limits
    from everup.shapes.snapshot import Snapshot

CAPABILITIES = ("tools", "images", "structured")
ESTIMATE_SLACK = 1.25
"""The prompt's tokens are estimated from bytes; a model wrongly tried says so for free, one wrongly skipped is lost."""
SPOKEN = {"tools": "no tools", "images": "no images", "structured": "no structured output"}


def make_plan(
    route: Route, snapshot: Snapshot, needs: Needs, *, turn: int, received_mono_s: float, deadline_s: float | None
) -> Plan:
    """
    Return the ordered candidates of one request.

    Order: the route's chain; within a model its profiles by priority, equal ones rotated by `turn`.
    `deadline_s` is what the client allows; it only ever lowers the route's own.
    """
    candidates: list[Candidate] = []
    skipped: list[Skip] = []
    for ref in route.chain:
        provider = snapshot.providers.get(ref.provider)
        if provider is None:
            skipped.append(Skip(str(ref), "its provider is not configured"))
            continue
        model = snapshot.model(ref)
        lack = lacking(model, needs)
        if lack:
            skipped.append(Skip(str(ref), lack))
            continue
        if not provider.profiles:
            skipped.append(Skip(str(ref), "its provider has no usable key"))
        for profile in take_turns(provider.profiles, turn):
            candidates.append(Candidate(index=len(candidates), provider=provider, model=model, profile=profile))
    limits = snapshot.limits
    return Plan(
        route=route,
        candidates=tuple(candidates),
        skipped=tuple(skipped),
        attempts_max=route.attempts_max or len(candidates) + limits.attempts_beyond_candidates,
        deadline_mono_s=received_mono_s + allowed_s(route, limits, deadline_s),
        patience_s=limits.patience_s if route.clocks.patience_s is None else route.clocks.patience_s,
    )


def alike_below_tokens(route: Route, snapshot: Snapshot) -> float:
    """
    Return how long prompts may be for which plans differ in their deadline alone.

    Given that the requests need the same capabilities. 0 where profiles take turns: then every plan is another.
    """
    known = [ref for ref in route.chain if ref.provider in snapshot.providers]
    if any(len(snapshot.providers[ref.provider].profiles) > 1 for ref in known):
        return 0.0
    windows = [snapshot.model(ref).context_tokens_max for ref in known]
    return min((window * ESTIMATE_SLACK for window in windows if window is not None), default=math.inf)


def allowed_s(route: Route, limits: Limits, deadline_s: float | None) -> float:
    """
    Return the request's deadline in seconds.

    The route's or the default, lowered by the client's.
    """
    own = limits.deadline_s if route.clocks.deadline_s is None else route.clocks.deadline_s
    return own if deadline_s is None else min(own, deadline_s)


def lacking(model: Model, needs: Needs) -> str:
    """
    Return what a model is known to lack for a request, in words.

    "" if it may be able.
    """
    for name in CAPABILITIES:
        if getattr(needs, name) and getattr(model.caps, name) is False:
            return SPOKEN[name]
    window = model.context_tokens_max
    if window is not None and needs.prompt_tokens > window * ESTIMATE_SLACK:
        return f"window {window:,} < about {needs.prompt_tokens:,} tokens"
    return ""


def take_turns(profiles: Sequence[Profile], turn: int) -> list[Profile]:
    """
    Return profiles by priority, lowest first.

    Those of equal priority begin with another one each turn.
    """
    if len(profiles) == 1:
        return list(profiles)
    ordered: list[Profile] = []
    for priority in sorted({profile.priority for profile in profiles}):
        equal = [profile for profile in profiles if profile.priority == priority]
        start = turn % len(equal)
        ordered += equal[start:] + equal[:start]
    return ordered
