"""Ids that a provider did not give are functions of content and position."""

from __future__ import annotations

import re

import pytest

from everup.wires.mint import mint_answer_id, mint_call_id
from tests.wires.support import ask

BASE = (3, 0, "look", '{"a":1}')


def test_a_call_has_the_same_id_each_time() -> None:
    """The same call in the same place has the same id, of a form that every wire accepts."""
    made = mint_call_id(*BASE)
    assert made == mint_call_id(*BASE)
    assert re.fullmatch(r"call_[0-9a-f]{24}", made)


@pytest.mark.parametrize(
    "other", [(4, 0, "look", '{"a":1}'), (3, 1, "look", '{"a":1}'), (3, 0, "see", '{"a":1}'), (3, 0, "look", "")]
)
def test_each_part_of_a_call_counts(other: tuple[int, int, str, str]) -> None:
    """Another turn, place, name or argument makes another id."""
    assert mint_call_id(*BASE) != mint_call_id(*other)


def test_borders_count() -> None:
    """A text moved from one part to the next makes another id."""
    assert mint_call_id(1, 1, "ab", "c") != mint_call_id(1, 1, "a", "bc")


def test_any_text_has_an_id() -> None:
    """Half a surrogate pair in a name or an argument breaks nothing."""
    assert mint_call_id(1, 1, "\ud800", "\udfff").startswith("call_")


def test_an_answers_id() -> None:
    """An answer's id has the wire's prefix and is the same for the same request at the same time."""
    made = mint_answer_id("chatcmpl-", ask(), created_unix_s=7)
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{24}", made)
    assert made == mint_answer_id("chatcmpl-", ask(), created_unix_s=7)


def test_what_was_asked_and_when_counts() -> None:
    """Another model, conversation, length or time makes another id."""
    talk = [{"role": "user", "content": "ho"}]
    asked = [(ask(), 7), (ask(), 8), (ask(model="m"), 7), (ask(messages=talk), 7), (ask(n=1), 7)]
    assert len(asked) == len({mint_answer_id("x", each, created_unix_s=when) for each, when in asked})


def test_only_the_end_of_a_long_conversation_is_read() -> None:
    """Two long conversations of one length that end alike may share an id; their ends tell them apart."""
    long = [ask(messages=[{"role": "user", "content": start + "x" * 2000 + end}]) for start, end in ("aa", "ba", "ab")]
    made = [mint_answer_id("x", each, created_unix_s=7) for each in long]
    assert made[0] == made[1] != made[2]
