"""Plans: order, skips by name, turns, deadlines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from everup.policy.plan import lacking, make_plan, take_turns
from everup.shapes.route import Caps, ClockOverrides, Model, ModelRef, Needs, Profile, Route
from tests.policy.make import make_snapshot, plan_of

CHOICE = st.sampled_from([True, False, None])
CAPS = st.builds(Caps, tools=CHOICE, images=CHOICE, structured=CHOICE)
NEEDS = st.builds(Needs, tools=st.booleans(), images=st.booleans(), structured=st.booleans())


@given(st.lists(CAPS, min_size=1, max_size=6), NEEDS, st.integers(1, 3), st.integers(0, 10))
def test_every_model_is_either_a_candidate_or_skipped_by_name(
    caps: list[Caps], needs: Needs, profiles: int, turn: int
) -> None:
    """Every model of a chain is in the plan in its order, or left out by name with what it lacks."""
    names = [f"p{n}/m" for n in range(len(caps))]
    snapshot = make_snapshot(*names, profiles=profiles, caps=dict(zip(names, caps, strict=True)))
    plan = make_plan(snapshot.routes["default"], snapshot, needs, turn=turn, received_mono_s=5.0, deadline_s=None)
    kept = [each.name for each in plan.candidates][::profiles]
    assert sorted(names) == sorted([*kept, *(skip.name for skip in plan.skipped)])
    assert kept == [name for name in names if name in kept]
    assert list(range(len(plan.candidates))) == [each.index for each in plan.candidates]
    for name, each in zip(names, caps, strict=True):
        lacks = any(getattr(needs, cap) and getattr(each, cap) is False for cap in ("tools", "images", "structured"))
        assert lacks == any(skip.name == name for skip in plan.skipped)
    assert plan.deadline_mono_s == 605.0
    assert plan.attempts_max == len(plan.candidates) + 1


def test_a_known_window_skips_a_prompt_well_beyond_it() -> None:
    """A prompt clearly longer than a known window skips the model and says both numbers."""
    model = Model(ref=ModelRef("p", "m"), context_tokens_max=4096)
    assert "window 4,096 < about 9,031 tokens" == lacking(model, Needs(prompt_tokens=9031))
    assert not lacking(model, Needs(prompt_tokens=4500))


def test_equal_profiles_take_turns_and_lower_priority_numbers_go_first() -> None:
    """Profiles of one priority rotate; those of a later one stay behind them."""
    profiles = [Profile(id=name, provider="p", priority=n) for name, n in [("a", 0), ("b", 0), ("c", 1)]]
    assert ["a", "b", "c"] == [each.id for each in take_turns(profiles, 0)]
    assert ["b", "a", "c"] == [each.id for each in take_turns(profiles, 1)]
    assert ["a", "b", "c"] == [each.id for each in take_turns(profiles, 2)]


def test_a_client_can_only_lower_the_deadline() -> None:
    """The client's deadline counts when it is shorter than the route's, never when it is longer."""
    assert plan_of("p/m", deadline_s=10).deadline_mono_s == 10
    assert plan_of("p/m", deadline_s=10_000).deadline_mono_s == 600


def test_a_route_sets_its_own_deadline_patience_and_attempts() -> None:
    """What a route sets replaces the defaults."""
    snapshot = make_snapshot("p/m")
    route = Route(
        name="r",
        chain=(ModelRef("p", "m"), ModelRef("gone", "m")),
        clocks=ClockOverrides(deadline_s=7, patience_s=0),
        attempts_max=9,
    )
    plan = make_plan(route, snapshot, Needs(), turn=0, received_mono_s=1.0, deadline_s=None)
    assert (8.0, 0, 9) == (plan.deadline_mono_s, plan.patience_s, plan.attempts_max)
    assert ["its provider is not configured"] == [skip.reason for skip in plan.skipped]


def test_a_provider_without_a_profile_is_left_out_by_name() -> None:
    """A provider that lost all its keys in the config is named in the plan, not silently missing."""
    plan = plan_of("a/m", profiles=0)
    assert ((), "a/m") == (plan.candidates, plan.skipped[0].name)
