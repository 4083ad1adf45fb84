"""Clocks: the numbers of ruling 2, and which one ends next."""

from __future__ import annotations

import pytest

from everup.policy.clocks import Clocks, Marks, make_basis, make_clocks, next_due
from everup.shapes.fault import FaultKind
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Caps, ClockOverrides, Model, ModelRef, Needs
from tests.policy.make import make_provider

LIMITS = Limits()
NONE = ClockOverrides()


def candidate(*, is_local: bool = False, reasoning: bool | None = None, clocks: ClockOverrides = NONE) -> Candidate:
    """Return a candidate of this kind."""
    provider = make_provider("p", is_local=is_local)
    model = Model(ref=ModelRef("p", "m"), caps=Caps(reasoning=reasoning), clocks=clocks)
    return Candidate(index=0, provider=provider, model=model, profile=provider.profiles[0])


@pytest.mark.parametrize(
    ("needs", "who", "first_event_s", "opening_s", "answer_s"),
    [
        (Needs(), candidate(), 12.0, 120.0, 60 + 4096 / 40),
        (Needs(prompt_tokens=40_000), candidate(), 22.0, 120.0, 60 + 4096 / 40),
        (Needs(output_tokens=400), candidate(), 12.0, 120.0, 70.0),
        (Needs(), candidate(is_local=True), 60.0, 120.0, 60 + 4096 / 40),
        (Needs(reasoning=True), candidate(), 120.0, 300.0, 300.0),
        (Needs(), candidate(reasoning=True), 120.0, 300.0, 300.0),
    ],
)
def test_the_numbers_of_the_ruling(
    needs: Needs, who: Candidate, first_event_s: float, opening_s: float, answer_s: float
) -> None:
    """Each kind of request and model has the ruling's seconds."""
    clocks = make_clocks(make_basis(LIMITS, NONE, who), needs)
    assert (first_event_s, opening_s, answer_s) == (clocks.first_event_s, clocks.opening_s, clocks.answer_s)


def test_a_model_s_own_clock_wins_over_the_route_s() -> None:
    """Config's clocks replace the defaults, the model's before the route's."""
    route = ClockOverrides(first_event_s=5, stall_s=7)
    who = candidate(clocks=ClockOverrides(first_event_s=2))
    clocks = make_clocks(make_basis(LIMITS, route, who), Needs())
    assert (2, 7) == (clocks.first_event_s, clocks.stall_s)


def test_observed_time_widens_and_never_narrows() -> None:
    """Twice the observed p95 widens the first event's clock and is ignored when it is less."""
    assert make_clocks(make_basis(LIMITS, NONE, candidate()), Needs(), 20.0).first_event_s == 40.0
    assert make_clocks(make_basis(LIMITS, NONE, candidate()), Needs(), 0.1).first_event_s == 12.0


def test_each_phase_ends_as_itself() -> None:
    """Before the first event, before content and after it, another clock runs."""
    clocks = Clocks(first_event_s=12, opening_quiet_s=30, opening_s=120, stall_s=60, stall_pings_s=60, answer_s=99)
    marks = Marks(100.0)
    assert (112.0, FaultKind.FIRST_EVENT) == next_due(clocks, marks)
    marks.first_mono_s = marks.byte_mono_s = 101.0
    assert (131.0, FaultKind.OPENING) == next_due(clocks, marks)
    marks.byte_mono_s = 215.0
    assert (221.0, FaultKind.OPENING) == next_due(clocks, marks)
    marks.content_mono_s = marks.byte_mono_s = marks.event_mono_s = 220.0
    assert (280.0, FaultKind.STALL) == next_due(clocks, marks)


def test_pings_stretch_a_stall_and_do_not_end_it() -> None:
    """After content pings keep a stream alive for 60 s since its last event, whatever a route's stall is."""
    made = make_clocks(make_basis(LIMITS, ClockOverrides(stall_s=5), candidate()), Needs())
    marks = Marks(0.0)
    marks.first_mono_s = marks.content_mono_s = marks.event_mono_s = marks.byte_mono_s = 10.0
    assert 15.0 == next_due(made, marks)[0]
    marks.byte_mono_s = 69.0
    assert 70.0 == next_due(made, marks)[0]
