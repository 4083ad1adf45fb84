"""Parsers of strangers' bytes never raise outside their own type: FAULTS section 6, S27."""

from __future__ import annotations

import contextlib
import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from everup.errors import RequestError
from everup.policy.redaction import redact
from everup.policy.retry_after import read_retry_after
from everup.shapes.fault import Fault
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.shapes.snapshot import ServerSettings
from everup.surfaces.guard import Guard
from everup.testing import scripts as s
from everup.wires.table import WIRES

WIRE = WIRES["openai_chat"]
LIMITS = Limits()
SMALL = Limits(sse_line_bytes_max=512, held_bytes_max=4096, upstream_body_bytes_max=8192)
CANDIDATE = Candidate(
    index=0,
    provider=Provider(name="p", wire="openai_chat", base_url="http://127.0.0.1:1/v1"),
    model=Model(ref=ModelRef("p", "m")),
    profile=Profile(id="default", provider="p"),
)
ASKED = WIRE.read_request(b'{"model":"m","stream":true,"messages":[{"role":"user","content":"a"}]}', LIMITS)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
FIELDS = st.sampled_from(
    ["error", "choices", "delta", "message", "content", "usage", "finish_reason", "tool_calls", "code", "type", "model"]
)
SHAPED = st.recursive(
    JSON, lambda inner: st.dictionaries(FIELDS, inner, max_size=4) | st.lists(inner, max_size=3), max_leaves=20
)
TEXT = SHAPED.map(lambda value: json.dumps(value).encode())
BODY = st.binary(max_size=400) | TEXT
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n"])
EVENT = st.tuples(st.sampled_from([b"data: ", b"data:", b"event: ", b": ", b"id: ", b""]), BODY, LINE_ENDS).map(
    b"".join
)
STREAM = st.lists(EVENT | st.sampled_from([*s.chat_sse("a", "b"), b"data: [DONE]\n\n"]), max_size=12).map(b"".join)
HINTS = st.sampled_from(
    ["retry-after", "retry-after-ms", "x-ms-retry-after-ms", "date", "x-ratelimit-reset-requests", "x-ratelimit-reset"]
)
CONTROLS = {*map(chr, range(32)), *map(chr, range(127, 160)), "\u2028", "\u2029"}
many = settings(max_examples=300, deadline=None)


def relay(data: bytes, cuts: list[int], limits: Limits) -> tuple[bytes, list[Fault]]:
    """Return what a stream in these pieces gives to relay, and its faults."""
    stream = WIRE.open_stream(ASKED, CANDIDATE, "text/event-stream", limits)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    batches = []
    for start, end in itertools.pairwise(edges):
        batches.append(stream.feed(data[start:end]))
        if batches[-1].fault:
            break
    else:
        batches.append(stream.close())
    return b"".join(batch.raw for batch in batches), [batch.fault for batch in batches if batch.fault]


@many
@given(STREAM | st.binary(max_size=600), st.lists(st.integers(0, 10_000), max_size=6))
def test_any_stream_ends_in_bytes_or_one_fault(data: bytes, cuts: list[int]) -> None:
    """Any bytes as a stream, cut anywhere, give relayed bytes and at most one fault, never an exception."""
    for limits in (LIMITS, SMALL):
        raw, faults = relay(data, cuts, limits)
        assert len(faults) <= 1
        assert len(raw) <= 4 * len(data) + 4096


@many
@given(STREAM, st.lists(st.integers(0, 10_000), max_size=6))
def test_cuts_change_nothing(data: bytes, cuts: list[int]) -> None:
    """Where the network cuts a stream changes neither what is relayed nor how it is judged."""
    raw, faults = relay(data, [], LIMITS)
    raw_cut, faults_cut = relay(data, cuts, LIMITS)
    if not faults:
        assert raw == raw_cut
    assert [fault.kind for fault in faults] == [fault.kind for fault in faults_cut]


@many
@given(BODY, st.sampled_from(["application/json", "text/html", "text/event-stream", ""]))
def test_any_whole_answer_is_bytes_or_a_fault(body: bytes, content_type: str) -> None:
    """Any body of a 200 is an answer or a fault, never both, never an exception."""
    reply = WIRE.read_reply(content_type, body, ASKED, CANDIDATE)
    assert bool(reply.raw) != (reply.fault is not None)


@many
@given(st.integers(100, 999).filter(lambda status: status != 200), st.dictionaries(HINTS, st.text(max_size=40)), BODY)
def test_any_refusal_is_a_fault(status: int, headers: dict[str, str], body: bytes) -> None:
    """Any status, headers and body are one fault with a short message and a sane wait."""
    fault = WIRE.read_refusal(status, headers, body, CANDIDATE)
    assert len(fault.message.encode()) <= LIMITS.fault_message_bytes_max
    assert not CONTROLS & set(fault.message)
    assert fault.retry_after_s is None or 0 <= fault.retry_after_s <= LIMITS.retry_after_max_s


@many
@given(BODY | st.builds(lambda a, b: a + b, TEXT, st.binary(max_size=5)))
def test_any_request_is_asked_or_refused(body: bytes) -> None:
    """Any body of a request is understood or a RequestError, never another exception."""
    with contextlib.suppress(RequestError):
        asked = WIRE.read_request(body, LIMITS)
        WIRE.encode_request(asked, CANDIDATE, foreign=None)
        WIRE.encode_request(asked, CANDIDATE, foreign=frozenset({"*"}))
        WIRE.read_signatures(asked)


@many
@given(
    st.dictionaries(HINTS, st.text(max_size=60) | st.from_regex(r"-?\d{0,20}(\.\d{0,9})?(s|ms|m|h)?", fullmatch=True))
)
def test_any_hint_is_a_sane_wait_or_none(headers: dict[str, str]) -> None:
    """Any Retry-After and its kin is a number of seconds within the limits, or nothing."""
    wait_s = read_retry_after(headers, None, limits=LIMITS)
    assert wait_s is None or 0 <= wait_s <= LIMITS.retry_after_max_s


@many
@given(st.binary(max_size=80) | st.from_regex(rb"[a-z0-9.\[\]:@/?#\\ -]{0,40}", fullmatch=True))
def test_any_host_is_let_in_or_refused(host: bytes) -> None:
    """Any Host is an address or a known name, or a RequestError."""
    guard = Guard(["box.example"])
    with contextlib.suppress(RequestError):
        guard.check_host(host, ServerSettings())
        assert not set(host.strip()) & set(b"/?#@\\ \t\x00\r\n")


@many
@given(st.text(max_size=300))
def test_any_text_is_redacted(text: str) -> None:
    """Redaction takes any text, and doing it twice changes nothing more."""
    once = redact(text)
    assert redact(once) == once
