"""
Token counts of this wire, normalised.

Lives here: reading a usage object with suspicion (FAULTS row 55), and the sum of a stream's. Must not: estimates
(see `wires.passage`) or prices.
"""

from __future__ import annotations

from msgspec import Struct

from everup.shapes.events import Usage
from everup.wires.tokens import count

Odd = list[object] | str | float | bool | None
"""What stands where an object should: no reason to doubt the answer around it (row 55)."""


class Details(Struct, gc=False):
    """The parts of the output that are told apart."""

    thinking_tokens: object = None


class UsageTold(Struct, gc=False):
    """A usage object as it came, any value in any field."""

    input_tokens: object = None
    output_tokens: object = None
    cache_creation_input_tokens: object = None
    cache_read_input_tokens: object = None
    output_tokens_details: Details | Odd = None


Told = UsageTold | Odd


def read_usage(told: Told, *, is_estimated: bool = False) -> Usage | None:
    """
    Return the usage, None where a count is absent or absurd (then: an estimate).

    Here the input excludes what was cached or is written to the cache; the output includes thinking.
    """
    if not isinstance(told, UsageTold):
        return None
    fresh, output = count(told.input_tokens), count(told.output_tokens)
    if fresh is None or output is None:
        return None
    cached = count(told.cache_read_input_tokens) or 0
    written = count(told.cache_creation_input_tokens) or 0
    details = told.output_tokens_details
    return Usage(
        input_tokens=fresh + cached + written,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=min(count(details.thinking_tokens) or 0, output) if isinstance(details, Details) else 0,
        is_estimated=is_estimated,
    )


def grown(before: UsageTold | None, told: UsageTold) -> UsageTold:
    """
    Return what a stream has told so far.

    Counts are cumulative and never fall; a later event may repeat the input, correct it, or leave it out.
    """
    if before is None:
        return told
    return UsageTold(
        input_tokens=larger(before.input_tokens, told.input_tokens),
        output_tokens=larger(before.output_tokens, told.output_tokens),
        cache_creation_input_tokens=larger(before.cache_creation_input_tokens, told.cache_creation_input_tokens),
        cache_read_input_tokens=larger(before.cache_read_input_tokens, told.cache_read_input_tokens),
        output_tokens_details=told.output_tokens_details or before.output_tokens_details,
    )


def larger(one: object, other: object) -> object:
    """Return the larger of two counts, a believable one before any other."""
    first, second = count(one), count(other)
    if first is None or second is None:
        return one if second is None else other
    return max(first, second)
