"""What an Ollama says of its models, read whatever a stranger sends."""

from __future__ import annotations

import json

import pytest

from everup.providers.ollama import MODELS_MAX, Tag, read_show, read_shows, read_tags, show_body
from everup.shapes.found import Facts
from everup.shapes.route import Caps
from tests.local.ollama_server import Held, show, tag


def body(**fields: object) -> bytes:
    """Return an object as bytes."""
    return json.dumps(fields).encode()


def test_a_list_is_names_sizes_and_who_answers() -> None:
    """Each model has its name, its size, and whether ollama.com answers for it."""
    models = [tag("qwen3:4b", Held()), tag("gpt-oss:120b-cloud", Held(is_remote=True, size_bytes=384))]
    expected = (Tag("qwen3:4b", 2_620_788_260), Tag("gpt-oss:120b-cloud", 384, is_remote=True))
    assert expected == read_tags(body(models=models))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (body(models=[]), ()),
        (body(models=None), ()),
        (body(models=[{"model": "a"}, {"name": ""}, {"name": 7}, None, {"name": "a\nb"}, {"name": "a"}]), (Tag("a"),)),
        (body(models=[{"name": "a", "size": -3}, {"name": "b", "size": "big"}]), (Tag("a"), Tag("b"))),
        (body(models=[{"name": "x" * 257}]), None),
        (body(models={}), None),
        (body(models=[{"name": "a"}], object="list", data=[{"id": "a"}]), None),
        (body(data=[{"id": "a"}]), None),
        (b"[]", None),
        (b"<html>", None),
        (b"", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_a_list_is_read_tolerantly(sent: bytes, expected: tuple[Tag, ...] | None) -> None:
    """Usable rows are kept once each; what is another server's list, llama.cpp's among them, is none."""
    assert expected == read_tags(sent)


def test_a_list_is_bounded() -> None:
    """Of an endless list the first thousand models are read."""
    found = read_tags(body(models=[{"name": str(number)} for number in range(MODELS_MAX + 10)]))
    assert found is not None
    assert MODELS_MAX == len(found)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (
            Held(capabilities=("completion", "tools", "thinking")),
            Facts(caps=Caps(tools=True, images=False, reasoning=True), context_tokens_max=40960, is_chat=True),
        ),
        (
            Held(capabilities=("completion", "vision"), arch="gemma3", window=131072),
            Facts(caps=Caps(tools=False, images=True, reasoning=False), context_tokens_max=131072, is_chat=True),
        ),
        (
            Held(capabilities=("embedding",), arch="nomic-bert", window=2048),
            Facts(caps=Caps(tools=False, images=False, reasoning=False), context_tokens_max=2048, is_chat=False),
        ),
        (Held(capabilities=None), Facts(context_tokens_max=40960)),
        (Held(capabilities=(), window=None), Facts()),
    ],
)
def test_a_model_tells_its_window_and_what_it_can(held: Held, expected: Facts) -> None:
    """Window and capabilities come from the answer; an older version that tells no capabilities leaves them unknown."""
    assert expected == read_show(json.dumps(show(held)).encode())


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (body(model_info={"general.architecture": "a", "b.context_length": 9}), Facts(context_tokens_max=9)),
        (body(model_info={"general.architecture": 7, "a.context_length": "9"}), Facts()),
        (body(model_info={"general.architecture": "a", "a.context_length": True}), Facts()),
        (body(model_info={"a.rope.scaling.original_context_length": 4}), Facts()),
        (body(model_info=[], capabilities="completion"), Facts()),
        (body(capabilities=[7, None]), Facts()),
        (body(error="model 'x' not found"), None),
        (b"[]", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_an_answer_about_a_model_is_read_tolerantly(sent: bytes, expected: Facts | None) -> None:
    """What is missing or odd is unknown, and what is no answer is none."""
    assert expected == read_show(sent)


def test_answers_go_with_their_models() -> None:
    """Of several models those that were told of are known, by name."""
    known = json.dumps(show(Held(window=5))).encode()
    assert {"b": 5} == {
        name: facts.context_tokens_max for name, facts in read_shows("abc", [None, known, b"x"]).items()
    }
    assert b'{"model":"a"}' == show_body("a")
