"""
What an Ollama says of its models, read tolerantly and within bounds.

Lives here: `GET /api/tags` and `POST /api/show` (source: docs.ollama.com). Must not: asking for it (see
`catalogue`, `local`). Bytes in, values out; never raises for what a stranger sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from everup.shapes.found import Facts
from everup.shapes.route import Caps

if TYPE_CHECKING:
    from collections.abc import Iterable

TAGS = "/api/tags"
SHOW = "/api/show"
MODELS_MAX = 1000
NAME_CHARS_MAX = 256
SHOWN_MAX = 64
SHOWN_AT_ONCE_MAX = 8
WINDOW = ".context_length"


class Tag(Struct, frozen=True):
    """One model an Ollama has; `is_remote` if ollama.com answers for it."""

    name: str
    size_bytes: int = 0
    is_remote: bool = False


def read_tags(body: bytes) -> tuple[Tag, ...] | None:
    """
    Return the models of an answer, None when it is no Ollama's.

    llama.cpp's server answers there too, with OpenAI's `data` beside `models`, and speaks no `/api/chat` of this kind.
    """
    answer = decoded(body)
    if answer is None or "models" not in answer or "data" in answer:
        return None
    rows = [] if answer["models"] is None else answer["models"]  # an empty list may be null in Go
    if not isinstance(rows, list):
        return None
    tags = {tag.name: tag for row in rows[:MODELS_MAX] if (tag := read_tag(row)) is not None}
    return tuple(tags.values()) if tags or not rows else None


def read_tag(row: object) -> Tag | None:
    """Return one row of the list, None without a usable name."""
    if not isinstance(row, dict):
        return None
    name = row.get("name") or row.get("model")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable() or name.isspace():
        return None
    return Tag(name, count(row.get("size")) or 0, bool(row.get("remote_host") or row.get("remote_model")))


def show_body(name: str) -> bytes:
    """Return the request that asks about one model."""
    return msgspec.json.encode({"model": name})


def read_shows(names: Iterable[str], answers: Iterable[bytes | None]) -> dict[str, Facts]:
    """Return what was told, by model; None and what is no answer tell nothing."""
    read = ((name, None if answer is None else read_show(answer)) for name, answer in zip(names, answers, strict=True))
    return {name: facts for name, facts in read if facts is not None}


def read_show(body: bytes) -> Facts | None:
    """
    Return what an answer tells of its model, None when it is no answer.

    The window is the model's own. The server may hold less of it in memory (`num_ctx`), which no answer tells for
    certain; a window too large costs one refusal of a server at home, one too small would lose a model.
    """
    answer = decoded(body)
    if answer is None or "error" in answer:
        return None
    told = answer.get("capabilities")
    able = frozenset(each for each in told if isinstance(each, str)) if isinstance(told, list) else frozenset()
    info = answer.get("model_info")
    window = window_of(info) if isinstance(info, dict) else None
    if not able:  # before 0.6.4 it told none
        return Facts(context_tokens_max=window)
    caps = Caps(tools="tools" in able, images="vision" in able, reasoning="thinking" in able)
    return Facts(caps=caps, context_tokens_max=window, is_chat="completion" in able)


def window_of(info: dict[str, Any]) -> int | None:
    """Return the context length of the model's architecture."""
    named = count(info.get(f"{info.get('general.architecture')}{WINDOW}"))
    return named or next((size for key, value in info.items() if key.endswith(WINDOW) and (size := count(value))), None)


def count(value: object) -> int | None:
    """Return a whole number above 0, None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53 else None


def decoded(body: bytes) -> dict[str, Any] | None:
    """Return the object in a body, None if it is none."""
    try:
        answer = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # msgspec.DecodeError and UnicodeDecodeError are ValueErrors
        return None
    return answer if isinstance(answer, dict) else None
