"""
Token counts read with suspicion, and estimated where there are none.

Lives here: what every wire needs for its usage (FAULTS row 55). Must not: any wire's names for them; prices.
"""

from __future__ import annotations

from everup.shapes.events import Usage

TOKENS_MAX = 100_000_000
"""Beyond any real request: a larger count is a mistake."""


def estimate_usage(*, prompt_tokens: int, answer_chars: int) -> Usage:
    """Return what an answer without a usage object probably took."""
    return Usage(input_tokens=prompt_tokens, output_tokens=tokens_in(answer_chars), is_estimated=True)


def count(value: object) -> int | None:
    """Return a believable token count, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= TOKENS_MAX else None


def tokens_in(chars: int) -> int:
    """Return about how many tokens so many characters are."""
    return (chars + 3) // 4
