"""
Clocks of one attempt: how long each phase may last, and which one ends next.

What must not live here: timers (see `engine.watch`). Source: FAULTS ruling 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from everup.shapes.fault import FaultKind

if TYPE_CHECKING:
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate, ClockOverrides, Needs


class Clocks(Struct, frozen=True, kw_only=True):
    """Seconds for each phase of one attempt."""

    first_event_s: float
    opening_quiet_s: float
    opening_s: float
    stall_s: float
    stall_pings_s: float
    answer_s: float


class Marks:
    """
    When things were last seen on the loop's clock.

    None until they were. Written by the attempt.
    """

    __slots__ = ("byte_mono_s", "content_mono_s", "event_mono_s", "first_mono_s", "is_client_slow", "start_mono_s")

    def __init__(self, start_mono_s: float) -> None:
        self.start_mono_s = start_mono_s
        self.first_mono_s: float | None = None
        self.content_mono_s: float | None = None
        self.byte_mono_s = start_mono_s
        self.event_mono_s = start_mono_s
        """When anything but a ping came: pings stretch a stall, they do not end it."""
        self.is_client_slow = False
        """Whether bytes wait for the client to read: silence is then not the provider's."""


def pick(name: str, model: ClockOverrides, route: ClockOverrides) -> float | None:
    """
    Return a clock that config sets.

    The model's own before the route's, None where neither does.
    """
    value: float | None = getattr(model, name)
    return value if value is not None else getattr(route, name)


def make_clocks(
    limits: Limits,
    route: ClockOverrides,
    candidate: Candidate,
    needs: Needs,
    observed_p95_s: float | None = None,
) -> Clocks:
    """
    Return the clocks of one attempt.

    Units: seconds. `observed_p95_s` of earlier first events, doubled, widens the first event's clock and the
    answer's, never narrows one. Reasoning means that the request asks for it or the model is known to do it.
    After content there is no candidate that could go on, so a stall ends the answer only after the stretched
    time (row 45), unless config sets its own; pings stretch that to the same time.
    """
    model = candidate.model.clocks
    is_reasoning = needs.reasoning or candidate.model.caps.reasoning is True
    first = limits.first_event_s + needs.prompt_tokens / limits.first_event_tokens_per_s
    if candidate.provider.is_local:
        first = max(first, limits.first_event_local_s)
    if is_reasoning:
        first = max(first, limits.first_event_reasoning_s)
    output_tokens = needs.output_tokens if needs.output_tokens is not None else limits.answer_tokens_default
    answer = limits.answer_s + output_tokens / limits.answer_tokens_per_s
    if is_reasoning:
        answer = max(answer, limits.answer_reasoning_s)
    opening = limits.opening_reasoning_s if is_reasoning else limits.opening_s
    set_first, set_opening = pick("first_event_s", model, route), pick("opening_s", model, route)
    set_stall, set_answer = pick("stall_s", model, route), pick("answer_s", model, route)
    stretched = max(limits.stall_s, limits.stall_pings_s)
    stall = set_stall if set_stall is not None else stretched
    wide = 2 * observed_p95_s if observed_p95_s is not None else 0.0
    opening = set_opening if set_opening is not None else opening
    return Clocks(
        first_event_s=max(set_first if set_first is not None else first, wide),
        opening_quiet_s=min(limits.opening_quiet_s, opening),
        opening_s=opening,
        stall_s=stall,
        stall_pings_s=max(stall, stretched),
        answer_s=max(set_answer if set_answer is not None else answer, wide),
    )


def next_due(clocks: Clocks, marks: Marks) -> tuple[float, FaultKind]:
    """
    Return when a streamed attempt's current phase ends, on the loop's clock.

    And the fault that this would be.
    """
    if marks.first_mono_s is None:
        return marks.start_mono_s + clocks.first_event_s, FaultKind.FIRST_EVENT
    if marks.content_mono_s is None:
        quiet = marks.byte_mono_s + clocks.opening_quiet_s
        return min(quiet, marks.first_mono_s + clocks.opening_s), FaultKind.OPENING
    stretched = marks.event_mono_s + clocks.stall_pings_s
    return min(marks.byte_mono_s + clocks.stall_s, stretched), FaultKind.STALL
