"""A client's `/api/chat` request is checked and read as far as routing needs it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw, structs

from everup.errors import RequestError
from everup.shapes.limits import Limits
from everup.shapes.route import Needs
from tests.wires.ollama.make import LIMITS, PNG, WIRE, ask, asked_bytes


def refused(body: bytes, limits: Limits = LIMITS) -> RequestError:
    """Return why a body is refused."""
    with pytest.raises(RequestError) as caught:
        WIRE.read_request(body, limits)
    assert 400 == caught.value.status
    return caught.value


def test_what_is_asked() -> None:
    """The model, the wire and the raw fields are read, and usage is always told."""
    body = asked_bytes(model="qwen3", think=False)
    asked = WIRE.read_request(body, LIMITS)
    assert ("qwen3", "ollama", True, len(body)) == (asked.model, asked.wire, asked.wants_usage, asked.body_bytes)
    assert ["model", "messages", "think"] == list(asked.fields)
    assert Raw(b"false") == asked.fields["think"]


@pytest.mark.parametrize(
    ("given", "is_stream"), [({}, True), ({"stream": None}, True), ({"stream": True}, True), ({"stream": False}, False)]
)
def test_an_answer_is_streamed_unless_the_client_says_no(given: dict[str, Any], *, is_stream: bool) -> None:
    """In this wire streaming is the default."""
    assert is_stream is ask(**given).is_stream


NEEDS: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({}, {}),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"tools": True}),
    ({"tools": []}, {}),
    ({"format": "json"}, {"structured": True}),
    ({"format": {"type": "object"}}, {"structured": True}),
    ({"format": ""}, {}),
    ({"format": None}, {}),
    ({"think": True}, {"reasoning": True}),
    ({"think": "low"}, {"reasoning": True}),
    ({"think": False}, {}),
    ({"think": "none"}, {}),
    ({"think": None}, {}),
    ({"options": {"num_predict": 9}}, {"output_tokens": 9}),
    ({"options": {"num_predict": -1}}, {}),
    ({"options": {"num_predict": 0}}, {}),
    ({"options": {"num_predict": "9"}}, {}),
    ({"options": None}, {}),
    ({"options": {"temperature": 1}}, {}),
)


@pytest.mark.parametrize(("given", "expected"), NEEDS)
def test_needs(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each field that asks for an ability of the model is seen, and its empty form is not."""
    assert Needs(**expected) == structs.replace(ask(**given).needs, prompt_tokens=0)


def test_tokens_are_estimated_without_the_images() -> None:
    """An image counts as so many tokens whatever its bytes, all else by its length."""
    plain = ask(messages=[{"role": "user", "content": "x" * 4000}]).needs
    assert 1000 < plain.prompt_tokens < 1050
    pictured = ask(messages=[{"role": "user", "content": "x", "images": [PNG * 100, PNG]}, {"role": "user"}]).needs
    assert pictured.images
    assert 2000 < pictured.prompt_tokens < 2050


def test_odd_images_are_none() -> None:
    """Images of an unknown form are left to whoever speaks this wire."""
    assert not ask(messages=[{"role": "user", "content": "x", "images": [7]}]).needs.images


@pytest.mark.parametrize(("message", "is_plain"), [({"content": "hi"}, True), ({"thinking": "hm"}, False)])
def test_plain(message: dict[str, str], *, is_plain: bool) -> None:
    """A history without thinking is plain."""
    assert is_plain is ask(messages=[{"role": "assistant", **message}]).is_plain


REFUSED: tuple[tuple[bytes, str, str], ...] = (
    (b"", "invalid_json", ""),
    (b"[]", "invalid_body", ""),
    (b'{"messages":[]}', "missing_model", "model"),
    (b'{"model":"m"}', "missing_messages", "messages"),
    (b'{"model":"m","messages":[]}', "invalid_value", "messages"),
    (b'{"model":"m","messages":"hi"}', "invalid_value", "messages"),
    (b'{"model":"m","messages":["hi"]}', "invalid_value", "messages"),
    (b'{"model":"m","messages":[{"role":"user"},{"content":"x"}]}', "invalid_value", "messages[1].role"),
    (b'{"model":"m","messages":[{"role":7}]}', "invalid_value", "messages[0].role"),
    (asked_bytes(stream="yes"), "invalid_value", "stream"),
    (asked_bytes(api_base="https://a.example"), "forbidden_field", "api_base"),
)


@pytest.mark.parametrize(("body", "code", "param"), REFUSED)
def test_what_no_upstream_could_understand(body: bytes, code: str, param: str) -> None:
    """A request that is none is refused with its reason and place."""
    error = refused(body)
    assert (code, param) == (error.code, error.param)


def test_bombs_are_refused() -> None:
    """JSON beyond the limits on depth, keys and numbers is refused."""
    deep: object = []
    for _ in range(100):
        deep = [deep]
    assert "json_too_deep" == refused(asked_bytes(options={"a": deep})).code
    assert (
        "json_too_many_keys"
        == refused(asked_bytes(a={str(n): 1 for n in range(2000)}), Limits(json_keys_max=1000)).code
    )
    assert "json_number_too_long" == refused(asked_bytes()[:-1] + b',"a":' + b"1" * 500 + b"}").code


def test_what_is_unknown_passes() -> None:
    """Fields that are not known here stay for whoever speaks this wire."""
    assert json.loads(asked_bytes(novelty={"a": 1}))["novelty"] == {"a": 1}
    assert b'{"a": 1}' == bytes(ask(novelty={"a": 1}).fields["novelty"])
