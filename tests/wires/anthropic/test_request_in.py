"""A Messages request is read as far as routing needs it, and refused in plain words where nobody could answer it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.errors import RequestError
from everup.shapes.limits import Limits
from everup.wires.anthropic.request_in import read_request
from tests.wires.anthropic.client import LIMITS, SCHEMA, ask, recordings, request, turn

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 8000}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 80_000}}


def refusal(body: bytes, limits: Limits = LIMITS) -> RequestError:
    """Return the error of a body."""
    with pytest.raises(RequestError) as caught:
        read_request(body, limits)
    assert caught.value.status == 400
    return caught.value


def test_names_its_wire_and_model() -> None:
    """A request says which wire it came in, which model it asks for and how long it is."""
    body = request(model="claude-x")
    asked = read_request(body, LIMITS)
    assert ("anthropic", "claude-x", len(body)) == (asked.wire, asked.model, asked.body_bytes)


@pytest.mark.parametrize(("stream", "expected"), [({}, False), ({"stream": False}, False), ({"stream": True}, True)])
def test_knows_whether_it_streams(stream: dict[str, bool], expected: bool) -> None:  # noqa: FBT001  # parametrised
    """A request streams only if it says so."""
    assert ask(**stream).is_stream is expected


def test_always_wants_usage() -> None:
    """Every answer of this wire tells its usage, asked for or not."""
    assert ask(stream=True).wants_usage


def test_keeps_every_field_raw() -> None:
    """Fields stay as they came, known or not."""
    body = b'{"model": "m", "messages": [ {"role":"user","content":"hi"} ], "later": {"b" : 1}}'
    fields = read_request(body, LIMITS).fields
    assert b'[ {"role":"user","content":"hi"} ]' == bytes(fields["messages"])
    assert b'{"b" : 1}' == bytes(fields["later"])


def test_needs_tools() -> None:
    """A list of tools needs a model with tools, an empty one does not."""
    assert ask(tools=[{"name": "f", "input_schema": SCHEMA}]).needs.tools
    assert not ask(tools=[]).needs.tools


def test_needs_images() -> None:
    """An image needs a model that sees, a document does not."""
    assert ask(messages=turn(IMAGE)).needs.images
    assert not ask(messages=turn(PDF)).needs.images
    assert not ask(messages=turn({"type": "text", "text": 'an "image" of'})).needs.images


def test_sees_images_in_tool_results() -> None:
    """An image that a tool gave needs a model that sees."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}
    assert ask(messages=turn(result)).needs.images


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_needs_structure(fields: dict[str, Any]) -> None:
    """A schema for the answer needs a model that keeps to one."""
    assert ask(**fields).needs.structured


def test_needs_no_structure_otherwise() -> None:
    """An output config without a schema needs no structure."""
    assert not ask(output_config={"effort": "low"}).needs.structured


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
        ({"thinking": {"type": "adaptive"}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"output_config": {"effort": "high"}}, True),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False),
        ({"thinking": "on"}, False),
        ({"output_config": 7}, False),
        ({}, False),
    ],
)
def test_needs_reasoning(fields: dict[str, Any], *, expected: bool) -> None:
    """Thinking that is on, or an effort, needs a model that reasons."""
    assert ask(**fields).needs.reasoning is expected


def test_estimates_the_prompt_from_bytes() -> None:
    """A prompt is about a quarter of its bytes in tokens."""
    body = request(messages=[{"role": "user", "content": "x" * 4000}])
    assert len(body) // 4 == read_request(body, LIMITS).needs.prompt_tokens


def test_an_image_counts_by_itself() -> None:
    """An image's tokens do not depend on its bytes."""
    assert 1000 <= ask(messages=turn(IMAGE)).needs.prompt_tokens < 1100


def test_a_document_counts_less_than_its_bytes() -> None:
    """A PDF counts for the pages that its bytes probably are."""
    assert 2000 <= ask(messages=turn(PDF)).needs.prompt_tokens < 2100


def test_a_plain_document_counts_as_text() -> None:
    """A document of plain text is text."""
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a" * 8000}}
    assert ask(messages=turn(document)).needs.prompt_tokens > 2000


@pytest.mark.parametrize(("given", "expected"), [(64, 64), (0, None), ("many", None), (None, None), (-1, None)])
def test_reads_the_limit_of_the_answer(given: object, expected: int | None) -> None:
    """The client's own limit is read where it is usable."""
    assert ask(max_tokens=given).needs.output_tokens == expected


def test_asks_for_no_limit_of_its_own() -> None:
    """A request without `max_tokens` is no error here: its upstream says whether it needs one."""
    body = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
    assert read_request(body, LIMITS).needs.output_tokens is None


def test_is_plain_without_thinking() -> None:
    """Only a conversation that may hold thinking is looked through for it."""
    assert ask().is_plain
    assert not ask(messages=turn({"type": "thinking", "thinking": "hm", "signature": "s"}, role="assistant")).is_plain
    assert not ask(messages=turn({"type": "redacted_thinking", "data": "d"}, role="assistant")).is_plain


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", ""),
        (b"{", "invalid_json", ""),
        (b"[]", "invalid_body", ""),
        (b'{"model": "\xff"}', "invalid_json", ""),
        (b'{"messages": []}', "missing_model", "model"),
        (request(model="a\nb"), "invalid_value", "model"),
        (request(model="m" * 300), "invalid_value", "model"),
        (request(stream="yes"), "invalid_value", "stream"),
        (b'{"model": "m"}', "missing_messages", "messages"),
        (request(messages=[]), "invalid_value", "messages"),
        (request(messages="hi"), "invalid_value", "messages"),
        (request(messages=["hi"]), "invalid_value", "messages"),
        (request(messages=[{"content": "hi"}]), "invalid_value", "messages[0].role"),
        (request(messages=[{"role": "user", "content": "a"}, {"role": 7}]), "invalid_value", "messages[1].role"),
        (request(base_url="http://elsewhere"), "forbidden_field", "base_url"),
        (request(extra_headers={}), "forbidden_field", "extra_headers"),
    ],
)
def test_refuses_what_nobody_could_answer(body: bytes, code: str, param: str) -> None:
    """A body that no upstream could understand is refused in one sentence, naming the field."""
    error = refusal(body)
    assert (code, param) == (error.code, error.param)
    assert error.message.endswith(".")


@pytest.mark.parametrize("depth", [65, 1000, 100_000])
def test_refuses_deep_json(depth: int) -> None:
    """JSON nested deeper than the limit is told as that, wherever it is."""
    deep = b"[" * depth + b"]" * depth
    for body in (
        b'{"model": "m", "messages": [{"role": "user", "content": %b}]}' % deep,
        b'{"model": %b, "messages": [{"role": "user", "content": "hi"}]}' % deep,
        b'{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": %b}' % deep,
    ):
        assert "json_too_deep" == refusal(body).code


def test_refuses_many_keys() -> None:
    """JSON with more keys than the limit is refused."""
    extra = {f"k{number}": 1 for number in range(60)}
    assert "json_too_many_keys" == refusal(request(metadata=extra), Limits(json_keys_max=50)).code


def test_refuses_long_numbers() -> None:
    """A number of more digits than the limit is refused."""
    body = request(max_tokens=1).replace(b'"max_tokens": 1', b'"max_tokens": ' + b"1" * 500)
    assert "json_number_too_long" == refusal(body).code


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "source", "content", "role", "format", "effort", "data", "text"]),
                inner | st.sampled_from(["image", "document", "tool_result", "base64", "thinking"]),
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["messages", "thinking", "output_config", "max_tokens", "tools", "output_format"]),
)
def test_never_raises_anything_else(value: object, name: str) -> None:
    """Whatever JSON a field holds, the request is read or refused as the caller's mistake."""
    try:
        found = ask(**{name: value})
    except RequestError:
        return
    assert name in found.fields


def test_numbers_out_of_range_break_nothing() -> None:
    """A number that no machine can hold is no usable limit, and no error of ours."""
    body = request(max_tokens=1, thinking=2, output_config=3)
    body = body.replace(b": 1,", b": 1e999,").replace(b": 2,", b": 1e999,").replace(b": 3}", b": 1e999}")
    asked = read_request(body, LIMITS)
    assert (None, False) == (asked.needs.output_tokens, asked.needs.reasoning)


def test_recorded_requests_are_read(shared: Path) -> None:
    """Every recorded request of a real client is read, with what it needs."""
    for recorded in recordings(shared):
        wanted = recorded.request
        asked = read_request(json.dumps(wanted).encode(), LIMITS)
        assert (wanted["model"], wanted.get("stream", False)) == (asked.model, asked.is_stream), recorded.name
        assert bool(wanted.get("tools")) is asked.needs.tools, recorded.name
        assert wanted.get("max_tokens") == asked.needs.output_tokens, recorded.name
        assert ('"image"' in json.dumps(wanted["messages"])) is asked.needs.images, recorded.name
