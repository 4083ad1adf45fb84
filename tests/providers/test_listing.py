"""A provider's model list, read whatever a stranger sends."""

from __future__ import annotations

import json

import pytest

from everup.providers.known import WIRES
from everup.providers.listing import (
    ID_CHARS_MAX,
    LIST_TARGETS,
    MODELS_MAX,
    Listing,
    is_chat,
    read_listing,
    read_models,
)
from everup.shapes.found import Facts


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"object": "list", "data": [{"id": "a", "owned_by": "me"}, {"id": "b"}]},
            Listing(("a", "b"), frozenset({"me"})),
        ),
        ([{"id": "a"}, {"id": "a"}], Listing(("a",))),
        ({"data": []}, Listing(())),
        ({"data": [{"id": "a"}, {"id": 7}, {"name": "b"}, "c", None, {"id": ""}, {"id": "\n"}]}, Listing(("a",))),
        ({"data": [{"id": "a"}, {"id": "x" * (ID_CHARS_MAX + 1)}, {"id": "b", "owned_by": 7}]}, Listing(("a", "b"))),
        ({"data": [{"id": "models/a"}, {"id": "b"}]}, Listing(("models/a", "b"))),
    ],
)
def test_usable_rows_are_kept(answer: object, expected: Listing) -> None:
    """Rows with a usable id are kept once each, in order, whatever stands between them."""
    assert expected == read_listing(json.dumps(answer).encode())


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>", b"7", b'{"data": {}}', b'{"data": [7]}', b"\xff", b'"\xff"', b"[" * 200_000]
)
def test_anything_else_is_no_list(body: bytes) -> None:
    """What is no list of models is told apart from an empty one, and nothing raises."""
    assert read_listing(body) is None


def test_a_list_is_bounded() -> None:
    """Of an endless list the first 5,000 rows are read."""
    listing = read_listing(json.dumps([{"id": str(number)} for number in range(MODELS_MAX + 10)]).encode())
    assert listing is not None
    assert MODELS_MAX == len(listing.models)


def test_a_prefix_is_taken_off() -> None:
    """A provider's prefix is no part of the ids."""
    assert Listing(("a", "b")) == read_listing(b'[{"id": "models/a"}, {"id": "b"}]', "models/")


@pytest.mark.parametrize(
    ("model", "expected"), [("qwen3:4b", True), ("text-embedding-3", False), ("BGE-m3", False), ("whisper-1", False)]
)
def test_what_answers_chats_is_told_by_name(model: str, *, expected: bool) -> None:
    """Embedding, reranking and speech models are not taken for chat models."""
    assert expected == is_chat(model)


@pytest.mark.parametrize(
    "row",
    [
        {"type": "model", "id": "a", "display_name": "A", "created_at": "2026-10-07T00:00:00Z", "max_input_tokens": 8},
        {"id": "a", "object": "model", "owned_by": "groq", "context_window": 8},
        {"id": "a", "context_length": 8},
        {"id": "a", "max_context_length": 8},
        {"id": "a", "owned_by": "vllm", "max_model_len": 8},
    ],
)
def test_a_window_is_read_under_every_name(row: dict[str, object]) -> None:
    """Providers that tell a model's window in their list tell it under names of their own."""
    listing = read_listing(json.dumps({"data": [row, {"id": "b", "context_length": "8"}], "has_more": False}).encode())
    assert listing is not None
    assert {"a": Facts(context_tokens_max=8)} == listing.facts


def test_every_wire_has_its_list() -> None:
    """Each wire's models are asked for at its own place and read in its own words."""
    assert set(WIRES) == set(LIST_TARGETS)
    assert Listing(("a",)) == read_models("openai_chat", b'{"data": [{"id": "a"}]}')
    assert Listing(("a",)) == read_models("anthropic", b'{"data": [{"id": "a", "type": "model"}], "has_more": false}')
    assert Listing(("a",)) == read_models("ollama", b'{"models": [{"name": "a"}]}')
    assert read_models("ollama", b'{"data": [{"id": "a"}]}') is None


def test_what_its_provider_tells_wins_over_the_name() -> None:
    """Whether a model answers chats is told by its provider where it can, else by its name."""
    assert is_chat("embed-chat", Facts(is_chat=True))
    assert not is_chat("qwen3", Facts(is_chat=False))
    assert is_chat("qwen3", Facts())
