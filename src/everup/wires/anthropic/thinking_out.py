"""
How much a model shall think, in this wire's words.

Lives here: an effort or a budget as what the model's family takes, the nearest where it takes less. Must not: thinking
in a history (see `blocks_out`). What is left out is named by `Plan.is_left_out`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from everup.shapes.chat import Effort
from everup.wires.anthropic.blocks_out import Row
from everup.wires.anthropic.models import Forces, Off, Thinks, Traits, nearest_effort

if TYPE_CHECKING:
    from everup.shapes.chat import Reasoning

BUDGET_MIN = 1024
"""The provider's own."""
BUDGETS = {
    Effort.MINIMAL: 1024,
    Effort.LOW: 2048,
    Effort.MEDIUM: 8192,
    Effort.HIGH: 16_384,
    Effort.XHIGH: 24_576,
    Effort.MAX: 32_000,
}
EFFORTS = ((2048, Effort.LOW), (12_288, Effort.MEDIUM))
"""Budgets below these are about so much effort; larger ones are much."""


class Plan(Struct, frozen=True):
    """
    The field `thinking`, empty for none, and the effort, "" for none.

    `is_on`: the request turns thinking on, so that the sampling is bound. `is_left_out`: it was asked for in vain.
    """

    thinking: Row = {}
    effort: str = ""
    is_on: bool = False
    is_left_out: bool = False


NOTHING = Plan()
LEFT_OUT = Plan(is_left_out=True)


def plan_thinking(
    reasoning: Reasoning | None, traits: Traits, *, tokens_max: int, is_forced: bool, lacks_thinking: bool
) -> Plan:
    """
    Return how much the model shall think.

    `is_forced`: a tool is; `lacks_thinking`: the last turn forbids a budget.
    """
    if reasoning is None:
        return NOTHING
    budget, effort = reasoning.budget_tokens, reasoning.effort
    if effort is Effort.NONE or budget == 0:
        return turned_off(traits)
    if effort is None and budget is None and not reasoning.is_adaptive:
        return NOTHING
    if traits.thinks is Thinks.NEVER:
        return LEFT_OUT
    may_have_budget = not (is_forced or lacks_thinking) and tokens_max > BUDGET_MIN
    if traits.thinks is Thinks.ADAPTIVE and not (traits.takes_budget and budget is not None and may_have_budget):
        return adaptive(reasoning, traits, is_forced=is_forced)
    wish = BUDGETS[effort or Effort.MEDIUM] if budget is None else budget
    return with_budget(wish, tokens_max, is_exact=budget is not None) if may_have_budget else LEFT_OUT


def turned_off(traits: Traits) -> Plan:
    """Return the plan of no thinking, or of the least."""
    if traits.off is Off.NEVER:
        return Plan(effort=nearest_effort(Effort.LOW, traits).value)
    return Plan({"type": traits.off.value}) if traits.off else NOTHING


def with_budget(wish: int, tokens_max: int, *, is_exact: bool) -> Plan:
    """
    Return the plan of a budget below the limit.

    Half of it stays for the answer, unless the client itself set a lawful budget.
    """
    is_lawful = is_exact and BUDGET_MIN <= wish < tokens_max
    budget = wish if is_lawful else max(BUDGET_MIN, min(wish, tokens_max // 2))
    return Plan({"type": "enabled", "budget_tokens": budget}, is_on=True)


def adaptive(reasoning: Reasoning, traits: Traits, *, is_forced: bool) -> Plan:
    """
    Return the plan of a model that decides itself.

    With a forced tool only the effort can be said.
    """
    budget, wanted = reasoning.budget_tokens, reasoning.effort
    if wanted is None and budget is not None:
        wanted = next((word for limit, word in EFFORTS if budget < limit), Effort.HIGH)
    effort = nearest_effort(wanted, traits).value if wanted else ""
    if is_forced and traits.forces is not Forces.ALWAYS:
        # A family that thinks unless told not to goes on doing so.
        return Plan(effort=effort, is_left_out=traits.off is Off.UNSAID)
    thinking: Row = {"type": "adaptive"}
    if reasoning.is_shown and not traits.shows_thinking:
        thinking["display"] = "summarized"
    return Plan(thinking, effort, is_on=True)
