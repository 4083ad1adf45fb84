"""Recorded Anthropic answers pass the same-wire relay byte for byte, however their bytes are cut."""

from __future__ import annotations

import json

import pytest

from everup.shapes.asked import Asked
from everup.shapes.events import Seen
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.wires.table import WIRES
from tests.recorded.compare import differences
from tests.recorded.stage import pieces
from tests.recorded.told import as_stream, message_of, told
from tests.recorded.traffic import MESSAGES, Recording, replayed

LIMITS = Limits()
CUTS = 6
"""How many ways of cutting each stream is tried with."""


def candidate(model: str) -> Candidate:
    """Return a candidate at Anthropic."""
    provider = Provider(name="anthropic", wire=MESSAGES, base_url="https://provider.example/v1")
    profile = Profile(id="a", provider="anthropic")
    return Candidate(index=0, provider=provider, model=Model(ref=ModelRef("anthropic", model)), profile=profile)


def ask(recording: Recording) -> Asked:
    """Return the recorded request as read from a client of the same wire."""
    return WIRES[MESSAGES].read_request(json.dumps(recording.request).encode(), LIMITS)


def streamed(recording: Recording) -> Recording:
    """Return the recording as a stream: its own bytes, or what its whole answer would have been."""
    return recording if recording.is_stream else as_stream(recording)


@pytest.mark.parametrize("recording", replayed(MESSAGES))
def test_streams_pass_byte_for_byte(recording: Recording) -> None:
    """A stream comes out as it went in, complete and with its usage, in pieces of any size."""
    stream = streamed(recording)
    expected = told(message_of(recording))
    for cut in range(CUTS):
        content_type = dict(stream.headers)["content-type"]
        relay = WIRES[MESSAGES].open_stream(ask(recording), candidate(recording.request["model"]), content_type, LIMITS)
        batches = [relay.feed(piece) for piece in pieces(stream.body, f"{cut} {recording.name}")]
        batches.append(relay.close())
        assert [] == [batch.fault for batch in batches if batch.fault]
        assert [] == differences(stream.body, b"".join(batch.raw for batch in batches))
        seen = Seen(0)
        for batch in batches:
            seen |= batch.seen
        assert Seen.END | Seen.FINISH | Seen.USAGE | Seen.START == seen & ~(Seen.CONTENT | Seen.TOOL | Seen.PING)
        assert bool(expected.calls) == bool(seen & Seen.TOOL)
        assert relay.usage is not None
        assert (expected.input_tokens, expected.cached_tokens, expected.output_tokens, False) == (
            relay.usage.input_tokens,
            relay.usage.cached_tokens,
            relay.usage.output_tokens,
            relay.usage.is_estimated,
        )
        assert expected.model == relay.model


@pytest.mark.parametrize("recording", replayed(MESSAGES, is_stream=False))
def test_replies_pass_byte_for_byte(recording: Recording) -> None:
    """A whole answer comes out as it went in, with its usage and the signatures of its thinking."""
    reply = WIRES[MESSAGES].read_reply(
        "application/json", recording.body, ask(recording), candidate(recording.request["model"])
    )
    expected = told(message_of(recording))
    assert (None, expected.model) == (reply.fault, reply.model)
    assert [] == differences(recording.body, reply.raw)
    assert reply.usage is not None
    assert (expected.input_tokens, expected.cached_tokens, expected.output_tokens, expected.reasoning_tokens) == (
        reply.usage.input_tokens,
        reply.usage.cached_tokens,
        reply.usage.output_tokens,
        reply.usage.reasoning_tokens,
    )
    assert set(reply.minted) <= set(expected.kept)


@pytest.mark.parametrize("recording", replayed(MESSAGES))
def test_a_request_keeps_all_its_fields(recording: Recording) -> None:
    """A recorded request is read and rewritten with nothing changed but the model."""
    sent = WIRES[MESSAGES].encode_request(ask(recording), candidate("claude-other"), foreign=None)
    assert [] == differences({**recording.request, "model": "claude-other"}, json.loads(sent))
