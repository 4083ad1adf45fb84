"""
How much a client wants a model to think, in no wire's words.

Lives here: OpenAI's `reasoning_effort`, OpenRouter's `reasoning`, Anthropic's `thinking`, which many clients send in
this wire too. Must not: whether a model is able (see `request_in.read_needs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.shapes.chat import Effort, Reasoning
from everup.wires.openai_chat.tools_in import value_of
from everup.wires.openai_chat.values import Table, flag, table, whole
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

READ = frozenset({"reasoning_effort", "reasoning", "thinking", "include_reasoning"})
EFFORTS: dict[object, Effort] = {effort.value: effort for effort in Effort}
BY_ITSELF = "default"
"""Groq's word for: as the model does by itself."""


def read_reasoning(fields: Mapping[str, Raw]) -> Reasoning | None:
    """
    Return what a client says about thinking, None where it says nothing.

    What is said twice counts once.
    """
    if READ.isdisjoint(fields):
        return None
    wanted = table(value_of(fields, "reasoning"), "reasoning")
    thinking = table(value_of(fields, "thinking"), "thinking")
    budget = whole(wanted.get("max_tokens"), "reasoning.max_tokens")
    is_enabled = flag(wanted.get("enabled"), "reasoning.enabled")
    efforts = (
        Effort.NONE if is_enabled is False or thinking.get("type") == "disabled" else None,
        read_effort(value_of(fields, "reasoning_effort"), "reasoning_effort"),
        read_effort(wanted.get("effort"), "reasoning.effort"),
    )
    effort = next((each for each in efforts if each is not None), None)
    budget = read_budget(thinking) if budget is None else budget
    said = Reasoning(
        effort=effort,
        budget_tokens=budget,
        is_adaptive=thinking.get("type") == "adaptive"
        or ((is_enabled is True or thinking.get("type") == "enabled") and effort is None and budget is None),
        is_shown=is_shown(fields, wanted),
    )
    return None if said == Reasoning() else said


def read_effort(value: object, place: str) -> Effort | None:
    """Return an effort, None where it is left to the model."""
    if value is None or value == BY_ITSELF:
        return None
    effort = EFFORTS.get(value) if isinstance(value, str) else None
    if effort is None:
        raise Unsayable(place, f"must be one of {', '.join(Effort)}")
    return effort


def read_budget(thinking: Table) -> int | None:
    """Return Anthropic's budget of an enabled thinking."""
    budget = whole(thinking.get("budget_tokens"), "thinking.budget_tokens")
    return budget if thinking.get("type") == "enabled" else None


def is_shown(fields: Mapping[str, Raw], wanted: object) -> bool:
    """
    Return whether the answer may hold the thinking.

    `wanted` is the value of `reasoning`.
    """
    is_excluded = isinstance(wanted, dict) and wanted.get("exclude") is True
    return not is_excluded and value_of(fields, "include_reasoning") is not False


def shows_thinking(fields: Mapping[str, Raw]) -> bool:
    """Return the same of a request whose other fields are not read."""
    return READ.isdisjoint(fields) or is_shown(fields, value_of(fields, "reasoning"))
