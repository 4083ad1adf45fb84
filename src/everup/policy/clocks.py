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

    def begin(self, now_mono_s: float) -> None:
        """The attempt's clocks run from now on: what came before was waiting of our own."""
        self.start_mono_s = self.byte_mono_s = self.event_mono_s = now_mono_s


class Basis(Struct, frozen=True, kw_only=True):
    """
    What of a candidate's clocks no request changes.

    Seconds. None where config sets nothing.
    Each floor holds for requests that ask for reasoning, if it is one of `*_reasoning_s`.
    """

    first_event_s: float
    first_event_floor_s: float
    first_event_reasoning_s: float
    first_event_tokens_per_s: float
    first_event_set_s: float | None
    opening_quiet_s: float
    opening_s: float
    opening_reasoning_s: float
    stall_s: float
    stall_pings_s: float
    answer_s: float
    answer_reasoning_s: float
    answer_tokens_default: int
    answer_tokens_per_s: float
    answer_set_s: float | None
    is_reasoning: bool


def pick(name: str, model: ClockOverrides, route: ClockOverrides) -> float | None:
    """
    Return a clock that config sets.

    The model's own before the route's, None where neither does.
    """
    value: float | None = getattr(model, name)
    return value if value is not None else getattr(route, name)


def make_basis(limits: Limits, route: ClockOverrides, candidate: Candidate) -> Basis:
    """
    Return what all requests of a route have in common on one candidate.

    After content there is no candidate that could go on, so a stall ends the answer only after the stretched
    time (row 45), unless config sets its own; pings stretch that to the same time.
    """
    model = candidate.model.clocks
    opening = pick("opening_s", model, route)
    stretched = max(limits.stall_s, limits.stall_pings_s)
    stall = pick("stall_s", model, route)
    stall = stretched if stall is None else stall
    return Basis(
        first_event_s=limits.first_event_s,
        first_event_floor_s=limits.first_event_local_s if candidate.provider.is_local else 0.0,
        first_event_reasoning_s=limits.first_event_reasoning_s,
        first_event_tokens_per_s=limits.first_event_tokens_per_s,
        first_event_set_s=pick("first_event_s", model, route),
        opening_quiet_s=limits.opening_quiet_s,
        opening_s=limits.opening_s if opening is None else opening,
        opening_reasoning_s=limits.opening_reasoning_s if opening is None else opening,
        stall_s=stall,
        stall_pings_s=max(stall, stretched),
        answer_s=limits.answer_s,
        answer_reasoning_s=limits.answer_reasoning_s,
        answer_tokens_default=limits.answer_tokens_default,
        answer_tokens_per_s=limits.answer_tokens_per_s,
        answer_set_s=pick("answer_s", model, route),
        is_reasoning=candidate.model.caps.reasoning is True,
    )


def make_clocks(basis: Basis, needs: Needs, observed_p95_s: float | None = None) -> Clocks:
    """
    Return the clocks of one attempt.

    Units: seconds. `observed_p95_s` of earlier first events, doubled, widens the first event's clock and the
    answer's, never narrows one. Reasoning means that the request asks for it or the model is known to do it.
    """
    is_reasoning = basis.is_reasoning or needs.reasoning
    first, answer = basis.first_event_set_s, basis.answer_set_s
    if first is None:
        first = basis.first_event_s + needs.prompt_tokens / basis.first_event_tokens_per_s
        first = max(first, basis.first_event_floor_s, basis.first_event_reasoning_s if is_reasoning else 0.0)
    if answer is None:
        output = basis.answer_tokens_default if needs.output_tokens is None else needs.output_tokens
        answer = basis.answer_s + output / basis.answer_tokens_per_s
        if is_reasoning and answer < basis.answer_reasoning_s:
            answer = basis.answer_reasoning_s
    if observed_p95_s is not None:
        first, answer = max(first, 2 * observed_p95_s), max(answer, 2 * observed_p95_s)
    opening = basis.opening_reasoning_s if is_reasoning else basis.opening_s
    quiet = basis.opening_quiet_s
    return Clocks(
        first_event_s=first,
        opening_quiet_s=min(opening, quiet),
        opening_s=opening,
        stall_s=basis.stall_s,
        stall_pings_s=basis.stall_pings_s,
        answer_s=answer,
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
