"""
What single providers and models of this wire do differently.

Lives here: the names of the flags, and what a model's name says. Must not: which provider has which flag (see
`providers`).
"""

from __future__ import annotations

NO_STREAM_OPTIONS = "no_stream_options"
"""Refuses a request that holds `stream_options`: it is neither added nor passed on."""

OPENROUTER_WORDS = "openrouter_words"
"""
Understands OpenRouter's own fields.

Cache marks, `reasoning_details`, the table `reasoning`. Others refuse them, or know only an effort.
"""

NEW_LIMIT = ("o1", "o3", "o4", "gpt-5")
"""Families that refuse `max_tokens` (2026-11): OpenAI's models that reason."""


def limit_name(model: str) -> str:
    """
    Return the field that limits a model's answer.

    `max_tokens` is what every server knows.
    """
    return "max_completion_tokens" if model.rpartition("/")[2].startswith(NEW_LIMIT) else "max_tokens"
