"""
What Ollama's models and its API do in their own way.

As data and pure functions.
Lives here: how a model is told to think, why an answer ended, what an image's first bytes say. Must not: bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.shapes.chat import Effort, StopReason

if TYPE_CHECKING:
    from everup.shapes.chat import Reasoning

THINKS_BY_LEVEL = ("gpt-oss",)
"""
Models that take a level and always think; any other takes true or false.

Ollama up to 0.12 refuses a level for the others (`think value "high" is not supported for this model`), later ones
take it as true; 2026-11.
"""
LEVELS: dict[Effort, str] = {
    Effort.NONE: "low",
    Effort.MINIMAL: "low",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
    Effort.XHIGH: "high",
    Effort.MAX: "high",
}
"""The nearest level; "max" is not yet known to every version."""
BUDGETS = ((2048, Effort.LOW), (8192, Effort.MEDIUM))
"""Budgets up to so many tokens are so much effort; larger ones are HIGH."""
STOPS = {"stop": StopReason.END, "length": StopReason.LENGTH}
"""Reasons of a finished line. `load` and `unload` answer a request without messages: an end without an answer."""
STOP_WORDS = {StopReason.LENGTH: "length", StopReason.WINDOW: "length"}
"""The words for clients; all other reasons are "stop"."""
MEDIA_STARTS = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
)
"""How base64 of an image begins: a client of this wire does not say its type."""


def think_of(reasoning: Reasoning | None, model: str) -> bool | str | None:
    """
    Return the value of `think`.

    None leaves it to the model, which thinks if it can.
    """
    if reasoning is None:
        return None
    effort = reasoning.effort
    if effort is None and reasoning.budget_tokens is not None:
        effort = next((each for most, each in BUDGETS if reasoning.budget_tokens <= most), Effort.HIGH)
    if effort is None:
        return None
    if model.rpartition("/")[2].startswith(THINKS_BY_LEVEL):
        return LEVELS[effort]
    return effort is not Effort.NONE


def stop_of(word: str | None, *, has_calls: bool) -> StopReason:
    """Return why an answer ended; Ollama says "stop" to tool calls too."""
    stop = STOPS.get(word or "", StopReason.END)
    return StopReason.TOOL if has_calls and stop is StopReason.END else stop


def media_type_of(data: str) -> str:
    """Return the type of a base64 image by its first bytes, "" for an unknown one."""
    return next((kind for start, kind in MEDIA_STARTS if data.startswith(start)), "")
