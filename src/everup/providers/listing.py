"""
What a provider's `GET .../models` says, read tolerantly and within bounds.

What must not live here: asking for it (see `catalogue`, `local`). Bytes in, a value out; never raises for
what a stranger sent.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

BYTES_MAX = 2_097_152
MODELS_MAX = 5000
ID_CHARS_MAX = 256
# Words in the names of models that answer no chat.
NO_CHAT = ("embed", "rerank", "bge-", "minilm", "whisper", "moderation")


class Listing(Struct, frozen=True):
    """The ids of the models listed, in order, and who is said to own any of them."""

    models: tuple[str, ...]
    owners: frozenset[str] = frozenset()


def read_listing(body: bytes, prefix: str = "") -> Listing | None:
    """
    Return the models of an answer; None when it is no list of models.

    Read are OpenAI's `{"data": [{"id": ...}]}` and the bare list that some send; a row without a usable id is
    left out.
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
    return Listing(tuple(models), frozenset(row["owned_by"] for row in kept if isinstance(row.get("owned_by"), str)))


def is_model(row: Any) -> bool:
    """Return whether a row names a model that can be asked for."""
    name = row.get("id") if isinstance(row, dict) else None
    return isinstance(name, str) and 0 < len(name) <= ID_CHARS_MAX and name.isprintable() and not name.isspace()


def is_chat(model: str) -> bool:
    """Return whether a model answers chats, as far as its name tells."""
    return not any(word in model.lower() for word in NO_CHAT)
