"""A provider's model list, read whatever a stranger sends."""

from __future__ import annotations

import json

import pytest

from everup.providers.listing import ID_CHARS_MAX, MODELS_MAX, Listing, is_chat, read_listing


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
