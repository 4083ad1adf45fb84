"""
What each family of Claude takes, by the beginning of its name.

Lives here: one dated table (2026-11, from the provider's model pages, its migration guides and recorded traffic), and
the row for names that are not Claude's. Must not: what a request makes of it (see `request_out`, `thinking_out`).
A family that is newer than the table is taken for the newest.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, structs

from everup.shapes.chat import Effort


class Thinks(StrEnum):
    """How a model is told to think."""

    NEVER = "never"
    BUDGET = "budget"
    """`{"type": "enabled", "budget_tokens": n}`."""
    ADAPTIVE = "adaptive"
    """`{"type": "adaptive"}`, and an effort beside it."""


class Off(StrEnum):
    """How a model is told not to think."""

    UNSAID = ""
    """It does not think unless told to."""
    DISABLED = "disabled"
    BETWEEN_TOOLS = "between_tools"
    NEVER = "never"
    """It always thinks: a low effort is the nearest."""


class Forces(StrEnum):
    """Whether a tool may be forced on a model."""

    ALWAYS = "always"
    WITHOUT_THINKING = "without_thinking"
    NEVER = "never"


class Traits(Struct, frozen=True, kw_only=True):
    """What one family takes."""

    output_max: int | None = None
    """The most tokens it answers with, None where unknown."""
    output: int = 32_000
    """The limit it gets where nobody set one: this wire requires one."""
    thinks: Thinks = Thinks.BUDGET
    takes_budget: bool = True
    off: Off = Off.UNSAID
    efforts: tuple[Effort, ...] = ()
    shows_thinking: bool = True
    """Whether its thinking has text unless asked to leave it out."""
    forces: Forces = Forces.WITHOUT_THINKING
    has_system_turns: bool = False
    has_formats: bool = False
    """Whether it takes `output_config.format` and strict tools."""
    has_sampling: bool = True
    has_both: bool = True
    """Whether temperature and top_p may stand together."""


FIRST = Traits(output_max=4096, output=4096, thinks=Thinks.NEVER)
FOUR = Traits(output_max=64_000)
FOUR_FIVE = Traits(output_max=64_000, has_formats=True, has_both=False)
FOUR_SIX = Traits(
    output_max=128_000,
    thinks=Thinks.ADAPTIVE,
    efforts=(Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.MAX),
    # Recorded: Opus 4.6 thinks adaptively under `tool_choice: any`.
    forces=Forces.ALWAYS,
    has_formats=True,
    has_both=False,
)
FOUR_SEVEN = structs.replace(
    FOUR_SIX,
    takes_budget=False,
    efforts=(Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH, Effort.MAX),
    shows_thinking=False,
    forces=Forces.WITHOUT_THINKING,
    has_sampling=False,
)
FOUR_EIGHT = structs.replace(FOUR_SEVEN, has_system_turns=True)
FIVE = structs.replace(FOUR_EIGHT, off=Off.DISABLED)
NEWEST = structs.replace(FIVE, off=Off.NEVER, forces=Forces.NEVER)
OTHER = Traits(output=8192)
"""Any model that is not Claude, behind a server that speaks this wire."""

FAMILIES: tuple[tuple[str, Traits], ...] = (
    ("claude-instant", FIRST),
    ("claude-2", FIRST),
    ("claude-3-7", FOUR),
    ("claude-3-5", structs.replace(FIRST, output_max=8192, output=8192)),
    ("claude-3", FIRST),
    ("claude-opus-4-8", FOUR_EIGHT),
    ("claude-opus-4-7", FOUR_SEVEN),
    ("claude-opus-4-6", FOUR_SIX),
    ("claude-opus-4-5", FOUR_FIVE),
    ("claude-opus-4-1", structs.replace(FOUR, output_max=32_000, has_both=False)),
    ("claude-opus-4", structs.replace(FOUR, output_max=32_000)),
    ("claude-sonnet-4-6", FOUR_SIX),
    ("claude-sonnet-4-5", FOUR_FIVE),
    ("claude-sonnet-4", FOUR),
    ("claude-haiku-4-5", FOUR_FIVE),
    ("claude-opus-5-5", NEWEST),
    ("claude-opus-5", FIVE),
    ("claude-sonnet-5-5", structs.replace(NEWEST, off=Off.BETWEEN_TOOLS)),
    # Documents disagree on instructions amid a conversation: as a text they are never refused.
    ("claude-sonnet-5", structs.replace(FIVE, has_system_turns=False)),
    ("claude-haiku-5", structs.replace(NEWEST, off=Off.DISABLED)),
    ("claude-", NEWEST),
)
"""The first that a name begins with."""


def traits_of(model: str) -> Traits:
    """Return what a model takes; prefixes (`us.anthropic.`) and dots do not matter."""
    name = model.lower().replace(".", "-").replace("@", "-")
    start = name.find("claude-")
    if start < 0:
        return OTHER
    return next(traits for family, traits in FAMILIES if name.startswith(family, start))


def nearest_effort(wanted: Effort, traits: Traits) -> Effort:
    """Return the strongest known effort not beyond the wanted, else the weakest."""
    order = list(Effort)
    known = [each for each in traits.efforts if order.index(each) <= order.index(wanted)]
    return known[-1] if known else traits.efforts[0]
