"""Nothing that was recorded is left out silently."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.recorded.traffic import CHAT, EXCLUDED, MESSAGES, everything, folder, replayed

BEGINNINGS = {
    "": rb"^ *- request(_sample)?:$",
    CHAT: rb"^ *uri: .*/chat/completions([?#].*)?$",
    MESSAGES: rb"^ *uri: .*anthropic.com/v1/messages([?#].*)?$",
}
"""How an interaction begins in a file, and how one of each wire is told; nothing here is read as YAML."""


@pytest.fixture(scope="module")
def counted() -> Counter[str]:
    """Return how many interactions there are of each wire and reason."""
    if not everything():
        pytest.skip(replayed(CHAT)[0].marks[0].kwargs["reason"])
    return Counter(each.wire or each.reason for each in everything())


def test_every_interaction_is_replayed_or_named(counted: Counter[str]) -> None:
    """The requests that a plain search finds in the files are as many as those replayed and those left out by name."""
    texts = [path.read_bytes() for path in folder().glob("*/*.yaml")]
    found = {
        wire: sum(len(re.findall(line, text, re.MULTILINE)) for text in texts) for wire, line in BEGINNINGS.items()
    }
    assert {"": counted.total(), CHAT: counted[CHAT], MESSAGES: counted[MESSAGES]} == found


def test_every_reason_is_needed(counted: Counter[str]) -> None:
    """Every row of what is left out leaves something out."""
    assert {reason for _, _, reason in EXCLUDED} == set(counted) - {CHAT, MESSAGES}
