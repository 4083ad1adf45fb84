"""The table of families knows every model by the beginning of its name."""

from __future__ import annotations

import pytest

from everup.shapes.chat import Effort
from everup.wires.anthropic.models import (
    FAMILIES,
    FIVE,
    FOUR,
    FOUR_EIGHT,
    FOUR_FIVE,
    FOUR_SIX,
    NEWEST,
    OTHER,
    Off,
    Thinks,
    Traits,
    nearest_effort,
    traits_of,
)


@pytest.mark.parametrize(
    ("name", "traits"),
    [
        ("claude-sonnet-4-20250514", FOUR),
        ("claude-sonnet-4-0", FOUR),
        ("claude-haiku-4-5-20251001", FOUR_FIVE),
        ("claude-opus-4-5-20251101", FOUR_FIVE),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", FOUR_FIVE),
        ("anthropic/claude-opus-4.6", FOUR_SIX),
        ("claude-opus-4-8", FOUR_EIGHT),
        ("claude-opus-5", FIVE),
        ("claude-opus-5-5", NEWEST),
        ("claude-fable-5", NEWEST),
        ("claude-mythos-5-2", NEWEST),
        ("claude-opus-7-20280101", NEWEST),
        ("Claude-Opus-5@20260724", FIVE),
        ("glm-5", OTHER),
        ("", OTHER),
    ],
)
def test_a_model_is_of_its_family(name: str, traits: Traits) -> None:
    """A name with a prefix, a date, a dot or of the future finds its family."""
    assert traits == traits_of(name)


def test_no_row_hides_another() -> None:
    """A longer beginning stands before the shorter ones that it begins with."""
    names = [name for name, _ in FAMILIES]
    for place, name in enumerate(names):
        assert not any(later.startswith(name) for later in names[place + 1 :])


def test_a_family_is_consistent() -> None:
    """Who decides itself has efforts, who always thinks has a lowest one, and no default is beyond the most."""
    for _, traits in FAMILIES:
        assert bool(traits.efforts) == (traits.thinks is Thinks.ADAPTIVE)
        assert traits.off is not Off.NEVER or traits.efforts
        assert traits.output <= (traits.output_max or traits.output)


@pytest.mark.parametrize(
    ("wanted", "nearest"), [(Effort.MINIMAL, Effort.LOW), (Effort.XHIGH, Effort.HIGH), (Effort.MAX, Effort.MAX)]
)
def test_the_nearest_effort(wanted: Effort, nearest: Effort) -> None:
    """An effort that a family does not know is the one below, or its lowest."""
    assert nearest is nearest_effort(wanted, FOUR_SIX)
