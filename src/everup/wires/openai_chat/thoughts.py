"""
Thinking in this wire's words, both ways.

Lives here: OpenRouter's `reasoning_details`, LiteLLM's `thinking_blocks`, parts of type `thinking` (Mistral and
Anthropic-like), plain `reasoning_content` and `reasoning`. Must not: what a candidate may see of it (see
`reasoning`). Everything here is lenient: what is not understood is no thinking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from everup.shapes.chat import Thinking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CLAUDE = "anthropic-claude-v1"
"""The word of `reasoning_details` for reasoning that Anthropic minted."""
OURS = (None, "", "unknown", CLAUDE)
"""Formats that may go back across wires; any other is known to be somebody else's."""


def read_details(value: object, formats: tuple[str | None, ...] | None = None) -> list[Thinking]:
    """
    Return the thinking in `reasoning_details`, pieces of one text joined.

    Only of these formats, None for all. Summaries are left out: they are shown, never replayed.
    """
    found: list[Thinking] = []
    last: object = None
    for row in dicts(value):
        if formats is not None and row.get("format") not in formats:
            continue
        if row.get("type") == "reasoning.encrypted":
            found += hidden_of(row)
            last = None
        elif row.get("type") == "reasoning.text":
            piece = Thinking(text=text_of(row.get("text")), signature=text_of(row.get("signature")))
            index = row.get("index")
            if found and last is not None and last == index and not found[-1].signature:
                found[-1] = Thinking(text=found[-1].text + piece.text, signature=piece.signature)
            else:
                found.append(piece)
            last = index
    return found


def read_blocks(value: object) -> list[Thinking]:
    """Return the thinking in `thinking_blocks`, or in a list of content parts."""
    found: list[Thinking] = []
    for row in dicts(value):
        if row.get("type") == "redacted_thinking":
            found += hidden_of(row)
        elif row.get("type") == "thinking":
            thought = row.get("thinking")
            text = "".join(text_of(piece.get("text")) for piece in dicts(thought)) or text_of(thought)
            found.append(Thinking(text=text, signature=text_of(row.get("signature"))))
    return found


def read_replayed(message: Mapping[str, Any]) -> tuple[Thinking, ...]:
    """
    Return the thinking of a past message that can go back to who minted it.

    Clients keep it in one of three places, some in two: the first that holds any counts.
    """
    for found in (
        read_details(message.get("reasoning_details"), OURS),
        read_blocks(message.get("thinking_blocks")),
        read_blocks(message.get("content")),
    ):
        kept = tuple(each for each in found if each.signature or each.hidden)
        if kept:
            return kept
    return ()


def read_plain(reasoning_content: object, reasoning: object) -> str:
    """Return the thinking that is only a text."""
    return text_of(reasoning_content) or text_of(reasoning)


def write_details(thoughts: Iterable[Thinking], start: int = 0) -> list[dict[str, object]]:
    """
    Return the `reasoning_details` of thinking that can be replayed.

    They are numbered from `start`.
    """
    details: list[dict[str, object]] = []
    for index, each in enumerate((each for each in thoughts if each.signature or each.hidden), start):
        if each.hidden:
            details.append({"type": "reasoning.encrypted", "data": each.hidden, "format": CLAUDE, "index": index})
        else:
            details.append(
                {
                    "type": "reasoning.text",
                    "text": each.text,
                    "signature": each.signature,
                    "format": CLAUDE,
                    "index": index,
                }
            )
    return details


def hidden_of(row: Mapping[str, Any]) -> list[Thinking]:
    """Return opaque thinking as a list of one, none without data."""
    data = text_of(row.get("data"))
    return [Thinking(hidden=data)] if data else []


def dicts(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list, none if it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text_of(value: object) -> str:
    """Return a text, "" for anything else."""
    return value if isinstance(value, str) else ""
