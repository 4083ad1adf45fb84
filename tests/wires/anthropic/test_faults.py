"""A failure is told in this wire's envelope, within its limit, and never as a normal end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.shapes.failure import Failure
from everup.wires.anthropic.faults import encode_failure, encode_stream_failure
from everup.wires.errors_in import read_error
from everup.wires.framing import SseSplitter
from tests.wires.anthropic.client import LIMITS

MOST = LIMITS.error_bytes_max


def failure(**fields: Any) -> Failure:
    """Return a failure."""
    return Failure(**{"status": 503, "kind": "unavailable", "code": "c", "message": "Nothing answered.", **fields})


def told(**fields: Any) -> Any:
    """Return the JSON that a client gets."""
    return json.loads(encode_failure(failure(**fields), MOST))


def test_envelope() -> None:
    """An error is an object of type `error` with its type, its words and its code."""
    expected = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Nothing answered.", "details": {"error_code": "c"}},
    }
    assert expected == told()


def test_no_code_is_no_details() -> None:
    """A failure without a code has no details."""
    assert {"type": "overloaded_error", "message": "Nothing answered."} == told(code="")["error"]


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request", "invalid_request_error"),
        (401, "authentication", "authentication_error"),
        (402, "unavailable", "billing_error"),
        (403, "permission", "permission_error"),
        (404, "not_found", "not_found_error"),
        (413, "invalid_request", "request_too_large"),
        (429, "rate_limit", "rate_limit_error"),
        (500, "internal", "api_error"),
        (502, "unavailable", "api_error"),
        (503, "unavailable", "overloaded_error"),
        (504, "timeout", "timeout_error"),
        (529, "unavailable", "overloaded_error"),
        (500, "something new", "api_error"),
    ],
)
def test_types(status: int, kind: str, expected: str) -> None:
    """Every kind of failure has this wire's own type."""
    assert expected == told(status=status, kind=kind)["error"]["type"]


def test_hint_and_lines_are_told() -> None:
    """The hint and the candidates' lines are part of the message."""
    message = told(hint="Wait.", lines=("a/b: refused", "c/d: slow"))["error"]["message"]
    assert "Nothing answered. Wait.\na/b: refused\nc/d: slow" == message


def test_stream_failure_is_one_error_event() -> None:
    """A begun stream ends in one event called `error`, that any reader of this wire understands."""
    splitter = SseSplitter(LIMITS.sse_line_bytes_max)
    (frame,) = splitter.feed(encode_stream_failure(failure(lines=("a\nb",)), MOST))
    assert b"error" == frame.name
    assert frame.data
    assert "error" == json.loads(frame.data)["type"]
    seen = read_error(frame.data)
    assert seen
    assert ("overloaded_error", "Nothing answered.\na\nb") == (seen.type, seen.message)


@given(
    st.text(max_size=3000),
    st.lists(st.text(max_size=900), max_size=30),
    st.sampled_from([256, 1024, MOST]),
)
def test_never_longer_than_allowed(message: str, lines: list[str], most: int) -> None:
    """However long the words, the error and the error event fit and stay JSON."""
    long = failure(message=message, lines=tuple(lines))
    assert "error" == json.loads(encode_failure(long, most))["type"]
    assert len(encode_failure(long, most)) <= most
    event = encode_stream_failure(long, most)
    assert len(event) <= most
    assert 2 == event.count(b"\n\n") + event.count(b"\ndata: ")
