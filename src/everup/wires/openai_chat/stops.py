"""
Finish reasons, both ways.

Lives here: the tables, and the one derivation (tools called, but `stop` said). Must not: judging an answer.
"""

from __future__ import annotations

from everup.shapes.chat import StopReason

READ: dict[str, StopReason] = {
    "stop": StopReason.END,
    "length": StopReason.LENGTH,
    "max_tokens": StopReason.LENGTH,
    "model_length": StopReason.WINDOW,
    "tool_calls": StopReason.TOOL,
    "function_call": StopReason.TOOL,
    "tool_use": StopReason.TOOL,
    "content_filter": StopReason.FILTER,
    "sensitive": StopReason.FILTER,
    "safety": StopReason.FILTER,
    "refusal": StopReason.FILTER,
    "stop_sequence": StopReason.SEQUENCE,
}
"""Compatible servers' words beside OpenAI's: Mistral says `model_length`, others keep their own model's names."""

BROKEN = frozenset({"error", "abort", "network_error", "insufficient_system_resource"})
"""Reasons that say the provider broke off: OpenRouter, vLLM, Z.ai, DeepSeek."""

WRITTEN: dict[StopReason, str] = {
    StopReason.END: "stop",
    StopReason.SEQUENCE: "stop",
    StopReason.PAUSE: "stop",
    StopReason.LENGTH: "length",
    StopReason.WINDOW: "length",
    StopReason.TOOL: "tool_calls",
    StopReason.FILTER: "content_filter",
}


def is_broken(reason: object) -> bool:
    """Return whether a finish reason says that the answer was broken off."""
    return isinstance(reason, str) and reason.lower() in BROKEN


def read_stop(reason: object, *, has_calls: bool) -> StopReason:
    """
    Return why an answer ended.

    A word that is not known is a plain end (FAULTS row 37).
    """
    stop = READ.get(reason.lower(), StopReason.END) if isinstance(reason, str) else StopReason.END
    return StopReason.TOOL if has_calls and stop is StopReason.END else stop


def write_stop(stop: StopReason, *, is_legacy: bool) -> str:
    """
    Return the finish reason.

    A client that speaks of functions knows no tool calls.
    """
    return "function_call" if is_legacy and stop is StopReason.TOOL else WRITTEN[stop]
