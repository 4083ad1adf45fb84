"""Reasoning parts are found by signature and left out where they are foreign (ruling 8, 1a)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wires.support import LIMITS, WIRE, candidate

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SIGNED: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    (
        {"role": "assistant", "content": "x", "reasoning_details": [{"type": "reasoning.encrypted", "data": "s1"}]},
        {"role": "assistant", "content": "x"},
        "s1",
    ),
    (
        {"role": "assistant", "content": "x", "thinking_blocks": [{"type": "thinking", "signature": "s1"}]},
        {"role": "assistant", "content": "x"},
        "s1",
    ),
    (
        {
            "role": "assistant",
            "content": [{"type": "redacted_thinking", "data": "s1"}, {"type": "text", "text": "x"}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "x"}]},
        "s1",
    ),
    (
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s1"}]},
        {"role": "assistant", "content": ""},
        "s1",
    ),
    (
        {"role": "assistant", "tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "s1"}}}]},
        {"role": "assistant", "tool_calls": [CALL]},
        "s1",
    ),
    (
        {
            "role": "assistant",
            "tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "s1", "x": 1}}}],
        },
        {"role": "assistant", "tool_calls": [{**CALL, "extra_content": {"google": {"x": 1}}}]},
        "s1",
    ),
)
UNSIGNED: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"role": "assistant", "content": "x", "reasoning_content": "t"}, {"role": "assistant", "content": "x"}),
    ({"role": "assistant", "content": "x", "reasoning": "t"}, {"role": "assistant", "content": "x"}),
)
USER = {"role": "user", "content": 'say "reasoning_content" and "signature"'}


def sent(messages: list[dict[str, Any]], foreign: frozenset[str] | None) -> list[dict[str, Any]]:
    """Return the messages that go upstream."""
    asked = WIRE.read_request(json.dumps({"model": "m", "messages": messages}).encode(), LIMITS)
    found: list[dict[str, Any]] = json.loads(WIRE.encode_request(asked, candidate(), foreign=foreign))["messages"]
    return found


@pytest.mark.parametrize(("message", "expected", "signature"), SIGNED)
def test_a_foreign_part_is_left_out(message: dict[str, Any], expected: dict[str, Any], signature: str) -> None:
    """A message with a foreign signature loses its reasoning parts and nothing else."""
    assert [USER, expected] == sent([USER, message], frozenset({signature}))
    assert [USER, expected] == sent([USER, message], frozenset({"*"}))


@pytest.mark.parametrize(("message", "expected", "signature"), SIGNED)
def test_other_parts_stay(message: dict[str, Any], expected: dict[str, Any], signature: str) -> None:
    """A signature that is not foreign keeps its message as it is."""
    for foreign in (None, frozenset[str](), frozenset({"other"})):
        assert [USER, message] == sent([USER, message], foreign)


@pytest.mark.parametrize(("message", "expected"), UNSIGNED)
def test_the_repair_takes_unsigned_parts_too(message: dict[str, Any], expected: dict[str, Any]) -> None:
    """The one repair leaves out reasoning without a signature as well."""
    assert [expected, USER] == sent([message, USER], frozenset({"*"}))
    assert [message, USER] == sent([message, USER], frozenset({"s1"}))


@pytest.mark.parametrize(("message", "expected", "signature"), SIGNED)
def test_signatures_are_read(message: dict[str, Any], expected: dict[str, Any], signature: str) -> None:
    """Every place a signature may stand in is looked at."""
    asked = WIRE.read_request(json.dumps({"model": "m", "messages": [USER, message]}).encode(), LIMITS)
    assert (signature,) == WIRE.read_signatures(asked)


def test_signatures_are_bounded() -> None:
    """A history of a thousand signatures gives a bounded number."""
    details = [{"type": "reasoning.encrypted", "data": f"s{n}"} for n in range(1000)]
    body = json.dumps({"model": "m", "messages": [{"role": "assistant", "reasoning_details": details}]}).encode()
    assert len(WIRE.read_signatures(WIRE.read_request(body, LIMITS))) <= 256


def test_untouched_messages_keep_their_bytes() -> None:
    """Only the message that changes is written anew."""
    odd = '{ "role":"user", "content" : "caf\\u00e9", "x": 1.50 }'
    signed = json.dumps(SIGNED[0][0])
    asked = WIRE.read_request(f'{{"model":"m","messages":[{odd},{signed}]}}'.encode(), LIMITS)
    assert odd.encode() in WIRE.encode_request(asked, candidate(), foreign=frozenset({"s1"}))
