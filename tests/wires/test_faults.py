"""Errors of every envelope are read, and ours are written within their limit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.policy.seen import ErrorSeen
from everup.shapes.failure import Failure
from everup.shapes.limits import Limits
from everup.wires.errors_in import read_error
from everup.wires.fitting import LINE_WIDTHS
from tests.wires.support import LIMITS, WIRE

ENVELOPES: tuple[tuple[object, ErrorSeen], ...] = (
    (
        {"error": {"message": "m", "type": "t", "param": "p", "code": "c"}},
        ErrorSeen(type="t", code="c", message="m", param="p"),
    ),
    ({"error": {"message": "m", "code": 503}}, ErrorSeen(code="503", message="m")),
    ({"error": {"message": None, "type": None, "param": None, "code": None}}, ErrorSeen()),
    ({"error": "plain words"}, ErrorSeen(message="plain words")),
    ({"message": "m", "type": "t"}, ErrorSeen(type="t", message="m")),
    ({"object": "error", "message": "m", "code": 40303}, ErrorSeen(code="40303", message="m")),
    ({"code": 502, "message": "m"}, ErrorSeen(code="502", message="m")),
    ({"detail": "Not Found"}, ErrorSeen(message="Not Found")),
    (
        {"detail": [{"loc": ["body", "n"], "msg": "too big", "type": "x", "input": "the prompt"}]},
        ErrorSeen(message='["body","n"]: too big'),
    ),
    (
        [{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "34s"}]}}],
        ErrorSeen(type="RESOURCE_EXHAUSTED", code="429", message="m", retry_delay="34s"),
    ),
    (
        {
            "error": {
                "code": 400,
                "message": "m",
                "status": "INVALID_ARGUMENT",
                "details": [{"reason": "API_KEY_INVALID"}],
            }
        },
        ErrorSeen(type="INVALID_ARGUMENT", code="API_KEY_INVALID", message="m"),
    ),
    (
        {"error": {"message": "m", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        ErrorSeen(code="ResponsibleAIPolicyViolation", message="m"),
    ),
    (
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "inner words"}}},
        ErrorSeen(code="400", message="Provider returned error: inner words"),
    ),
    ({"error": {"message": {"a": 1}, "status_code": 400}}, ErrorSeen(message='{"a":1}', status=400)),
    ({"errors": [{"message": "m"}]}, ErrorSeen(message='[{"message":"m"}]')),
)


@pytest.mark.parametrize(("envelope", "seen"), ENVELOPES)
def test_envelopes(envelope: object, seen: ErrorSeen) -> None:
    """Every envelope that compatible servers use gives its type, code, message and field."""
    assert seen == read_error(json.dumps(envelope).encode())


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"7", b'{"choices": []}', b'{"error": null}', b"\xff", b"[" * 10**6]
)
def test_no_error(body: bytes) -> None:
    """What holds no error gives none."""
    assert read_error(body) is None


def failure(**fields: Any) -> Failure:
    """Return a final error."""
    return Failure(**{"status": 503, "kind": "unavailable", "code": "all_failed", "message": "No model.", **fields})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("invalid_request", "invalid_request_error"),
        ("authentication", "authentication_error"),
        ("permission", "permission_error"),
        ("not_found", "not_found_error"),
        ("rate_limit", "rate_limit_error"),
        ("unavailable", "server_error"),
        ("internal", "server_error"),
        ("timeout", "timeout_error"),
    ],
)
def test_kinds(kind: str, name: str) -> None:
    """Each kind of failure has this wire's type."""
    assert name == json.loads(WIRE.encode_failure(failure(kind=kind), LIMITS))["error"]["type"]


def test_the_message_holds_everything() -> None:
    """Message, hint and each candidate's line stand in the error's message."""
    body = WIRE.encode_failure(failure(hint="Do this.", lines=("a/b: down", "c/d: slow"), param="model"), LIMITS)
    expected = {
        "message": "No model. Do this.\na/b: down\nc/d: slow",
        "type": "server_error",
        "param": "model",
        "code": "all_failed",
    }
    assert {"error": expected} == json.loads(body)


def shortened(lines: list[str], width: int) -> list[str]:
    """Return lines of at most this many characters, each that was longer with dots."""
    return [line if len(line) <= width else f"{line[:width]}..." for line in lines]


@given(st.text(max_size=3000), st.lists(st.text(max_size=500), max_size=9), st.integers(300, 3000))
def test_an_error_is_valid_and_bounded(message: str, lines: list[str], bytes_max: int) -> None:
    """Whatever it says, an error is valid JSON within the limit, cut between characters."""
    limits = Limits(error_bytes_max=bytes_max)
    told = failure(message=message, lines=tuple(lines))
    body = WIRE.encode_failure(told, limits)
    text = json.loads(body)["error"]["message"]
    assert len(body) <= bytes_max
    forms = ["\n".join((message, *shortened(lines, width))) for width in LINE_WIDTHS]
    assert text in forms or (text.endswith("...") and forms[-1].startswith(text[:-3]))
    event = WIRE.encode_stream_failure(told, limits)
    assert event.startswith(b'data: {"error":')
    assert event.endswith(b"}\n\n")
    assert 1 == event.count(b"\n\n") == event.count(b"data: ") or "data: " in text
    assert len(event) <= bytes_max


def test_an_error_event_is_no_normal_end() -> None:
    """The event that ends a broken stream does not look like an end."""
    assert b"[DONE]" not in WIRE.encode_stream_failure(failure(), LIMITS)
