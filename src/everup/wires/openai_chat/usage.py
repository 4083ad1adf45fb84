"""
Token counts of this wire, normalised.

Lives here: reading a usage object with suspicion (FAULTS row 55). Must not: prices.
"""

from __future__ import annotations

from msgspec import Struct

from everup.shapes.events import Usage
from everup.wires.tokens import count, tokens_in


class Details(Struct, gc=False):
    """The parts of a count that are told apart."""

    cached_tokens: object = None
    cache_write_tokens: object = None
    """OpenRouter's, of providers that are paid for writing their cache."""
    reasoning_tokens: object = None


class UsageSeen(Struct, gc=False):
    """A usage object as it came, any value in any field."""

    prompt_tokens: object = None
    completion_tokens: object = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    prompt_cache_hit_tokens: object = None
    """DeepSeek's name for cached tokens."""


def read_usage(seen: UsageSeen, *, prompt_tokens: int, answer_chars: int) -> Usage:
    """Return the usage; absurd or missing counts are estimated and marked so."""
    output = count(seen.completion_tokens)
    given = count(seen.prompt_tokens)
    inner, outer = seen.prompt_tokens_details, seen.completion_tokens_details
    cached = count(inner.cached_tokens if inner else seen.prompt_cache_hit_tokens) or 0
    written = count(inner.cache_write_tokens) or 0 if inner else 0
    reasoning = count(outer.reasoning_tokens) or 0 if outer else 0
    input_tokens = prompt_tokens if given is None else given
    output_tokens = tokens_in(answer_chars) if output is None else output
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=min(cached, input_tokens),
        cache_write_tokens=min(written, input_tokens),
        reasoning_tokens=min(reasoning, output_tokens),
        is_estimated=output is None or given is None,
    )
