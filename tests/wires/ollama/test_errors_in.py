"""Refusals of an Ollama server mean what they say, and tell the way out."""

from __future__ import annotations

import json

import pytest

from everup.shapes.fault import FaultKind
from tests.wires.ollama.make import WIRE, candidate

PASSED_ON = json.dumps(
    {
        "error": json.dumps(
            {
                "error": {
                    "code": 400,
                    "message": "request (351 tokens) exceeds the available context size (256 tokens)",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 351,
                    "n_ctx": 256,
                }
            }
        )
    }
).encode()


def test_a_missing_model_is_told_with_its_command() -> None:
    """A model that was not pulled is told with the command that gets it, whatever the provider's name."""
    body = b'{"error":"model \'qwen3:8b\' not found"}'
    fault = WIRE.read_refusal(404, {}, body, candidate("qwen3:8b", name="cellar"))
    assert (FaultKind.MODEL_NOT_FOUND, "5.57") == (fault.kind, fault.rule)
    assert "ollama pull qwen3:8b" in fault.message


@pytest.mark.parametrize("body", [b"404 page not found", b"", b'{"error":"not here"}'])
def test_a_wrong_address_tells_how_it_should_be(body: bytes) -> None:
    """A 404 that is not about a model says that the base URL of this wire has no path."""
    fault = WIRE.read_refusal(404, {}, body, candidate())
    assert FaultKind.WRONG_PATH is fault.kind
    assert "without /v1" in fault.message
    assert "status 404" in fault.message


@pytest.mark.parametrize("status", [400, 500])
def test_an_error_inside_the_text_is_opened(status: int) -> None:
    """What llama.cpp's server said inside the text of an error is what counts and what is told."""
    fault = WIRE.read_refusal(status, {}, PASSED_ON, candidate())
    assert (FaultKind.CONTEXT_OVERFLOW, status) == (fault.kind, fault.status)
    assert "351 tokens" in fault.message
    assert "num_ctx" in fault.message
    assert fault.message.startswith("request (351 tokens) exceeds")


def test_a_text_that_only_looks_like_json_stays() -> None:
    """A text that begins like an object but is none is told as it is."""
    assert "{oops" == WIRE.read_refusal(500, {}, b'{"error":"{oops"}', candidate()).message


def test_a_hint_to_wait_counts() -> None:
    """A Retry-After header is read as with any other provider."""
    fault = WIRE.read_refusal(503, {"retry-after": "7"}, b'{"error":"later"}', candidate())
    assert (FaultKind.UNAVAILABLE, 7.0) == (fault.kind, fault.retry_after_s)


@pytest.mark.parametrize(("is_local", "kind"), [(True, FaultKind.LOADING), (False, FaultKind.UNAVAILABLE)])
def test_only_a_local_server_loads(*, is_local: bool, kind: FaultKind) -> None:
    """A model that is loading is waited for where it is local."""
    body = b'{"error":"llm server loading model"}'
    assert kind is WIRE.read_refusal(503, {}, body, candidate(is_local=is_local)).kind
