"""
What a provider says of its models, read tolerantly and within bounds.

What must not live here: asking for it (see `catalogue`, `local`), and Ollama's own words (see `ollama`). Bytes in,
a value out; never raises for what a stranger sent.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from everup.providers.ollama import TAGS, count, read_tags
from everup.shapes.found import Facts

BYTES_MAX = 2_097_152
MODELS_MAX = 5000
ID_CHARS_MAX = 256
# Words in the names of models that answer no chat.
NO_CHAT = ("embed", "rerank", "bge-", "minilm", "whisper", "moderation")
LIST_TARGETS = {"openai_chat": "/models", "anthropic": "/models?limit=1000", "ollama": TAGS}
"""By wire: where below a base URL the models are listed (Anthropic's pages hold 20 unless asked for more)."""
WINDOWS = ("max_input_tokens", "context_window", "context_length", "max_context_length", "max_model_len")
"""How Anthropic; Groq; OpenRouter, Together and Fireworks; Mistral and LM Studio; vLLM call a model's window."""


class Listing(Struct, frozen=True):
    """
    The ids of the models listed, in order.

    Who is said to own any of them, and what was said of them.
    """

    models: tuple[str, ...]
    owners: frozenset[str] = frozenset()
    facts: dict[str, Facts] = {}


def read_models(wire: str, body: bytes, prefix: str = "") -> Listing | None:
    """Return the models of an answer in a wire's own words, None if it has none."""
    if wire != "ollama":
        return read_listing(body, prefix)
    tags = read_tags(body)
    return None if tags is None else Listing(tuple(tag.name for tag in tags))


def read_listing(body: bytes, prefix: str = "") -> Listing | None:
    """
    Return the models of an answer; None when it is no list of models.

    Read are OpenAI's and Anthropic's `{"data": [{"id": ...}]}` and the bare list that some send; a row without a
    usable id is left out.
    """
    try:
        answer = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # msgspec.DecodeError and UnicodeDecodeError are ValueErrors
        return None
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        return None
    kept = [row for row in rows[:MODELS_MAX] if is_model(row)]
    if rows and not kept:
        return None
    models = dict.fromkeys(row["id"].removeprefix(prefix) for row in kept)
    owners = frozenset(row["owned_by"] for row in kept if isinstance(row.get("owned_by"), str))
    windows = {row["id"].removeprefix(prefix): window_of(row) for row in kept}
    facts = {model: Facts(context_tokens_max=window) for model, window in windows.items() if window}
    return Listing(tuple(models), owners, facts)


def window_of(row: dict[str, Any]) -> int | None:
    """Return the window that a row tells, under whichever name."""
    return next((window for name in WINDOWS if (window := count(row.get(name)))), None)


def is_model(row: Any) -> bool:
    """Return whether a row names a model that can be asked for."""
    name = row.get("id") if isinstance(row, dict) else None
    return isinstance(name, str) and 0 < len(name) <= ID_CHARS_MAX and name.isprintable() and not name.isspace()


def is_chat(model: str, facts: Facts | None = None) -> bool:
    """Return whether a model answers chats, by what was told, else by its name."""
    if facts is not None and facts.is_chat is not None:
        return facts.is_chat
    return not any(word in model.lower() for word in NO_CHAT)
