"""Errors are written as a client of `/api/chat` reads them."""

from __future__ import annotations

import json

import pytest

from everup.shapes.failure import Failure
from everup.shapes.limits import Limits
from tests.wires.ollama.make import LIMITS, WIRE

FAILURE = Failure(
    status=503, kind="unavailable", code="all_failed", message="Nobody answers.", hint="Try ollama serve."
)


def test_an_error_is_one_text() -> None:
    """A failure is its words and what to do about it."""
    assert {"error": "Nobody answers. Try ollama serve."} == json.loads(WIRE.encode_failure(FAILURE, LIMITS))


def test_an_error_in_a_stream_is_a_line() -> None:
    """A failure of a begun stream is one line without a mark of an end."""
    raw = WIRE.encode_stream_failure(FAILURE, LIMITS)
    assert (True, 1) == (raw.endswith(b"\n"), raw.count(b"\n"))
    assert {"error": "Nobody answers. Try ollama serve."} == json.loads(raw)


@pytest.mark.parametrize("most", [200, 600])
def test_an_error_fits(most: int) -> None:
    """However much there is to say, an error is no longer than it may be."""
    lines = tuple(f"box/m{number}: é" + "x" * 500 for number in range(9))
    long = Failure(status=503, kind="unavailable", code="c", message="Nobody answers.", lines=lines)
    for raw in (
        WIRE.encode_failure(long, Limits(error_bytes_max=most)),
        WIRE.encode_stream_failure(long, Limits(error_bytes_max=most)),
    ):
        assert len(raw) <= most
        assert json.loads(raw)["error"].startswith("Nobody answers.")
