"""What a client asks is checked, understood as far as routing needs, and sent on with its very bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.errors import RequestError
from everup.shapes.limits import Limits
from everup.wires.fields import CONTROL
from everup.wires.openai_chat.quirks import NO_STREAM_OPTIONS
from tests.wires.support import LIMITS, WIRE, ask, candidate, request

STRANGE = {"role": "user", "x": 1}
"""A message with a field that is not known here."""
HI = [{"role": "user", "content": "hi"}]
IMAGE = "data:image/png;base64," + "A" * 40_000


def refuse(body: bytes, limits: Limits = LIMITS) -> RequestError:
    """Return the error that a body is refused with."""
    with pytest.raises(RequestError) as caught:
        WIRE.read_request(body, limits)
    return caught.value


def sent(body: bytes, **fields: Any) -> bytes:
    """Return what is sent upstream for a body."""
    return WIRE.encode_request(WIRE.read_request(body, LIMITS), candidate(**fields), foreign=frozenset())


def nest(depth: int, inner: str = "1") -> str:
    """Return JSON of so many lists and objects inside each other."""
    opening, closing = "", ""
    for level in range(depth):
        opening, closing = (opening + "[", "]" + closing) if level % 2 else (opening + '{"a":', "}" + closing)
    return opening + inner + closing


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", ""),
        (b"  ", "invalid_json", ""),
        (b"{", "invalid_json", ""),
        (b'{"model": "m",}', "invalid_json", ""),
        (b'{"model": NaN}', "invalid_json", ""),
        (b'{"model": "\xff", "messages": [{}]}', "invalid_json", ""),
        (b'{"\xff": 1}', "invalid_json", ""),
        (b'{"model": "m"} x', "invalid_json", ""),
        (b"[]", "invalid_body", ""),
        (b"null", "invalid_body", ""),
        (b'"text"', "invalid_body", ""),
        (b"{}", "missing_model", "model"),
        (request(model=None), "missing_model", "model"),
        (request(model=""), "missing_model", "model"),
        (request(model=7), "invalid_value", "model"),
        (request(model=["m"]), "invalid_value", "model"),
        (request(model="m" * 257), "invalid_value", "model"),
        *((request(model=f"m{bad}"), "invalid_value", "model") for bad in "\n\r\0\x1b\x7f\x85\u2028"),
        (b'{"model": "m"}', "missing_messages", "messages"),
        (request(messages=None), "invalid_value", "messages"),
        (request(messages=[]), "invalid_value", "messages"),
        (request(messages="hi"), "invalid_value", "messages"),
        (request(messages={"role": "user"}), "invalid_value", "messages"),
        (request(messages=[*HI, 1]), "invalid_value", "messages"),
        (request(messages=[[]]), "invalid_value", "messages"),
        (request(stream="yes"), "invalid_value", "stream"),
        (request(stream=1), "invalid_value", "stream"),
        (request(stream_options=[]), "invalid_value", "stream_options"),
        (request(stream_options={"include_usage": "yes"}), "invalid_value", "stream_options"),
        *(
            (request(**{name: "https://evil.example"}), "forbidden_field", name)
            for name in ("api_base", "base_url", "api_key", "extra_headers", "extra_body", "custom_llm_provider")
        ),
    ],
)  # fmt: skip
def test_bad_requests(body: bytes, code: str, param: str) -> None:
    """What no upstream could understand is refused with 400, its code and the field at fault."""
    error = refuse(body)
    assert (400, code, param) == (error.status, error.code, error.param)
    assert error.message


def test_broken_json_is_told_by_its_place() -> None:
    """The error for broken JSON says at which byte it breaks."""
    assert "byte 9" in refuse(b'{"model" "m"}').message
    assert "byte 11" in refuse(b'{"model":"m').message


@pytest.mark.parametrize("field", ["messages", "tools", "metadata", "model"])
@pytest.mark.parametrize("depth", [1000, 100_000])
def test_deep_json_is_refused(field: str, depth: int) -> None:
    """Nesting far beyond the limit is refused in any field, and nothing breaks (S15)."""
    for deep in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        text = json.dumps({"model": "m", "messages": HI, field: "@"}).replace('"@"', deep)
        assert "json_too_deep" == refuse(text.encode()).code


@pytest.mark.parametrize(
    "frame",
    ['{"model":"m","messages":[{"role":"user","x":@}]}', '{"model":"m","messages":[{"role":"user"}],"metadata":@}'],
)
def test_the_depth_limit_is_exact(frame: str) -> None:
    """64 levels pass and 65 do not, whatever brackets and quotes stand in strings."""
    start = frame.split("@", maxsplit=1)[0]
    above = start.count("{") + start.count("[") - start.count("}") - start.count("]")
    for inner in ("1", '"]}]}"', '"[[[[{{{{"', r'"\"]]\\\"[["', r'"\\"', '""', '["]", {"}[": "{"}, "\\\\"]'):
        room = 64 - above - (2 if inner.startswith("[") else 0)
        assert WIRE.read_request(frame.replace("@", nest(room, inner)).encode(), LIMITS).model == "m"
        assert "json_too_deep" == refuse(frame.replace("@", nest(room + 1, inner)).encode()).code


def test_strings_cannot_hide_depth() -> None:
    """Closing brackets in strings do not make deep JSON look flat."""
    deep = '{"model":"m","messages":[{"role":"user"}],"x":' + '["]",' * 80 + "1" + ',"["]' * 80 + "}"
    assert "json_too_deep" == refuse(deep.encode()).code


def test_flat_json_with_many_brackets_passes() -> None:
    """Many shallow objects and brackets in text are no depth."""
    tools = [{"type": "function", "function": {"name": f"f{n}", "parameters": {"type": "object"}}} for n in range(200)]
    asked = ask(messages=[{"role": "user", "content": "[[[{" * 500}] * 50, tools=tools)
    assert asked.needs.tools


def test_many_keys_and_long_numbers_are_refused() -> None:
    """Keys and digits beyond their limits are refused; the same in text passes (S15)."""
    limits = Limits(json_keys_max=1000)
    keys = json.dumps({"model": "m", "messages": HI, "x": {f"k{n}": 1 for n in range(1100)}}).encode()
    assert "json_too_many_keys" == refuse(keys, limits).code
    assert ask(messages=[{"role": "user", "content": '"a":1,' * 2000}])
    for number in ("1" * 401, "-" + "7" * 1_000_000, "0." + "3" * 5000, "1e" + "1" * 500):
        for field in ("seed", "messages"):
            value = f'[{{"role":"user","x":{number}}}]' if field == "messages" else number
            body = request().decode()[:-1] + f',"{field}":{value}}}'
            assert "json_number_too_long" == refuse(body.encode()).code, (field, number[:9])
    assert sent(request(metadata={"a": "9" * 5000, "b": 1}))
    assert sent(request().replace(b'"hi"', b'"hi"}, {"role": "user", "x": ' + b"1" * 400))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, set()),
        ({"tools": [{"type": "function"}]}, {"tools"}),
        ({"functions": [{"name": "f"}]}, {"tools"}),
        ({"tools": [], "functions": None}, set()),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {"structured"}),
        ({"response_format": {"type": "json_object"}}, {"structured"}),
        ({"response_format": {"type": "text"}}, set()),
        ({"response_format": None}, set()),
        ({"reasoning_effort": "high"}, {"reasoning"}),
        ({"reasoning_effort": "none"}, set()),
        ({"reasoning_effort": None}, set()),
        ({"reasoning": {"effort": "low"}}, {"reasoning"}),
        ({"reasoning": {"enabled": False}}, set()),
        ({"thinking": {"type": "enabled"}}, {"reasoning"}),
        ({"thinking": {"type": "disabled"}}, set()),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE}}]}]}, {"images"}),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": IMAGE}]}]}, {"images"}),
        ({"messages": [{**STRANGE, "content": [{"type": "input_image", "image_url": IMAGE}]}]}, {"images"}),
        ({"messages": [{**STRANGE, "content": [{"type": "image_url", "image_url": {"url": IMAGE}}]}]}, {"images"}),
        ({"messages": [{"role": "user", "content": 'a "image_url" in text'}]}, set()),
        ({"messages": [{"role": "user", "x": 1, "content": 'a "image_url" in text'}]}, set()),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "image_url"}]}]}, set()),
    ],
)  # fmt: skip
def test_needs(fields: dict[str, Any], expected: set[str]) -> None:
    """What a request needs of a model is read from its fields."""
    needs = ask(**fields).needs
    assert expected == {name for name in ("tools", "images", "structured", "reasoning") if getattr(needs, name)}
    if "images" in expected:
        assert 900 < needs.prompt_tokens < 1200


def test_sizes_are_estimated() -> None:
    """Prompt tokens come from bytes, output tokens from the client's own limit."""
    assert 2500 <= ask(messages=[{"role": "user", "content": "word " * 2000}]).needs.prompt_tokens <= 2600
    assert 100 == ask(max_tokens=100).needs.output_tokens
    assert 50 == ask(max_tokens=100, max_completion_tokens=50).needs.output_tokens
    for odd in (None, "7", -1, 0, True, 1.5, [1]):
        assert ask(max_tokens=odd).needs.output_tokens is None


@pytest.mark.parametrize(
    ("fields", "is_stream", "wants_usage"),
    [
        ({}, False, False),
        ({"stream": None}, False, False),
        ({"stream": True}, True, False),
        ({"stream": True, "stream_options": None}, True, False),
        ({"stream": True, "stream_options": {"include_usage": False}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True, True),
    ],
)
def test_streaming(fields: dict[str, Any], *, is_stream: bool, wants_usage: bool) -> None:
    """Whether a stream and its usage are asked for."""
    asked = ask(**fields)
    assert (is_stream, wants_usage) == (asked.is_stream, asked.wants_usage)


ODD = (
    b'{ "temperature" : 1.50 , "model":"default" ,"messages":[ {"role":"user","content":"caf\\u00e9 \xc3\xa9"} ],'
    b'"big":12345678901234567890.10e+5,"x":{"b":1,"a":[ ]},"seed":1E2}'
)


def test_every_other_value_keeps_its_bytes() -> None:
    """Values unknown to us go upstream in their very bytes and order; only the model changes."""
    body = sent(ODD, model='a/b"c')
    assert list(json.loads(ODD)) == list(json.loads(body))
    for value in (
        b"1.50",
        b'[ {"role":"user","content":"caf\\u00e9 \xc3\xa9"} ]',
        b"12345678901234567890.10e+5",
        b'{"b":1,"a":[ ]}',
        b"1E2",
    ):
        assert value in body
    assert 'a/b"c' == json.loads(body)["model"]


def test_of_doubled_keys_one_goes_on() -> None:
    """A field given twice is judged and sent by its last value only."""
    body = sent(b'{"model":"a","messages":[{"role":"user"}],"api_x":1,"model":"b","model":"c"}')
    assert 1 == body.count(b'"model"')


@pytest.mark.parametrize(
    ("fields", "quirks", "expected"),
    [
        ({}, set(), None),
        ({"stream": True}, set(), {"include_usage": True}),
        ({"stream": True, "stream_options": None}, set(), {"include_usage": True}),
        ({"stream": True, "stream_options": {"x": 1}}, set(), {"x": 1, "include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": False}}, set(), {"include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": True}}, set(), {"include_usage": True}),
        ({"stream": True}, {NO_STREAM_OPTIONS}, None),
        ({"stream": True, "stream_options": {"include_usage": True}}, {NO_STREAM_OPTIONS}, None),
    ],
)
def test_the_usage_chunk_is_asked_for(fields: dict[str, Any], quirks: set[str], expected: object) -> None:
    """A stream asks upstream for its usage, unless the provider cannot hear of it."""
    body = json.loads(sent(request(**fields), quirks=frozenset(quirks)))
    assert expected == body.get("stream_options")


def test_params_stand_under_the_clients_own() -> None:
    """Configured parameters fill in what the client left out, and never the fields that are ours."""
    params = {"temperature": 0.1, "top_p": 0.5, "max_tokens": 9, "stream": True, "model": "x", "messages": []}
    body = json.loads(sent(request(temperature=1, max_completion_tokens=5), params=params))
    assert {"model": "gpt-5-mini", "messages": HI, "temperature": 1, "max_completion_tokens": 5, "top_p": 0.5} == body


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda s: (
        st.lists(s, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), s, max_size=4)
    ),
    max_leaves=20,
)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(
    st.dictionaries(NAMES, JSON, max_size=6), st.lists(st.dictionaries(NAMES, JSON, max_size=4), min_size=1, max_size=4)
)
def test_unknown_fields_survive(fields: dict[str, Any], messages: list[Any]) -> None:
    """Any JSON in any field arrives upstream as it was."""
    ours = {"model": "m", "messages": [{**message, "role": "user"} for message in messages]}
    known = {"stream", "stream_options", "api_base", "base_url", "api_key", "api_version"}
    extra = {
        name: value
        for name, value in fields.items()
        if name not in known and not name.startswith(("extra_", "custom_"))
    }
    body = json.dumps({**extra, **ours}).encode()
    assert {**extra, **ours, "model": "gpt-5-mini"} == json.loads(sent(body))


@given(
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("model", "messages", "stream", "stream_options", "tools", "max_tokens", "reasoning"), JSON
        ),
    ).map(lambda fields: json.dumps(fields).encode())
)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Whatever a client sends, it is understood or refused with 400, never anything else (S27)."""
    try:
        asked = WIRE.read_request(body, LIMITS)
    except RequestError as error:
        status = error.status
    else:
        status = 400 if CONTROL.search(asked.model) else 200
        json.loads(WIRE.encode_request(asked, candidate(), foreign=frozenset({"*"})))
        WIRE.read_signatures(asked)
        assert 200 == status
    assert status in {200, 400}


@pytest.mark.parametrize("message", [{"content": "hi"}, {"role": None, "content": "hi"}, {"role": 7}])
def test_a_message_without_a_role_is_told_by_its_place(message: dict[str, object]) -> None:
    """A message that says not who speaks is refused with the field at fault, before any provider is asked."""
    error = refuse(json.dumps({"model": "m", "messages": [*HI, message]}).encode())
    assert (400, "invalid_value", "messages[1].role") == (error.status, error.code, error.param)


@pytest.mark.parametrize("name", ["model", "stream", "max_tokens", "reasoning", "thinking"])
def test_a_number_that_nothing_can_hold_is_the_client_s_mistake(name: str) -> None:
    """A number out of any range is a 400 that names its field, never an error of ours."""
    fields = {"model": '"m"', "messages": '[{"role":"user","content":"Hi"}]', name: "1e999"}
    body = "{" + ",".join(f'"{key}":{value}' for key, value in fields.items()) + "}"
    with pytest.raises(RequestError) as caught:
        WIRE.read_request(body.encode(), LIMITS)
    assert (400, name) == (caught.value.status, caught.value.param)
