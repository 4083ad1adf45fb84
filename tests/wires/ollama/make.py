"""
What the tests of this folder share: a candidate, conversations, lines of a stream.

Lives here: builders. Must not: tests.
"""

from __future__ import annotations

import json
from typing import Any

from everup.shapes.asked import Asked
from everup.shapes.chat import ChatRequest, Encoded, Message, Part, Role, Text
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.shapes.stream import StreamEvent
from everup.wires.framing import Frame
from everup.wires.ollama.stream_in import Reader
from everup.wires.ollama.wire import Ollama

WIRE = Ollama()
LIMITS = Limits()
NDJSON = "application/x-ndjson"
JSON = "application/json; charset=utf-8"
CREATED_UNIX_S = 1_795_564_800
CREATED = "2026-11-25T00:00:00Z"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def candidate(model: str = "qwen3:8b", *, is_local: bool = True, name: str = "box", **fields: Any) -> Candidate:
    """Return a candidate of an Ollama server."""
    provider = Provider(name=name, wire="ollama", base_url="http://127.0.0.1:11434", is_local=is_local)
    return Candidate(
        index=0,
        provider=provider,
        model=Model(ref=ModelRef(name, model), **fields),
        profile=Profile(id="a", provider=name),
    )


def say(text: str, role: Role = Role.USER) -> Message:
    """Return a turn that is one text."""
    return Message(role, (Text(text),))


def turn(role: Role, *parts: Part) -> Message:
    """Return a turn of some parts."""
    return Message(role, parts)


def chat(*messages: Message, **fields: Any) -> ChatRequest:
    """Return a request; without messages a user says hi."""
    return ChatRequest(messages=messages or (say("hi"),), **fields)


def write(
    request: ChatRequest, model: str = "qwen3:8b", foreign: frozenset[str] | None = None, **fields: Any
) -> Encoded:
    """Return what one candidate is sent."""
    return WIRE.write_chat(request, candidate(model, **fields), foreign=foreign)


def body(request: ChatRequest, model: str = "qwen3:8b", foreign: frozenset[str] | None = None, **fields: Any) -> Any:
    """Return the body that one candidate is sent, decoded."""
    encoded = write(request, model, foreign, **fields)
    assert encoded.fault is None, encoded.fault.message
    return json.loads(encoded.body)


def asked_bytes(**fields: Any) -> bytes:
    """Return a client's body."""
    return json.dumps({"model": "default", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def ask(**fields: Any) -> Asked:
    """Return a client's request as it is read."""
    return WIRE.read_request(asked_bytes(**fields), LIMITS)


def line(
    done: str | None = None, /, model: str = "qwen3:8b", counts: dict[str, Any] | None = None, **message: Any
) -> bytes:
    """Return one line of a stream: a piece of a message, the last one with its reason."""
    fields: dict[str, Any] = {"model": model, "created_at": CREATED, "message": {"role": "assistant", **message}}
    fields["done"] = done is not None
    if done is not None:
        fields["done_reason"] = done
    return json.dumps({**fields, **(counts or {})}).encode() + b"\n"


def call(name: str = "f", arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a tool call as a server writes it."""
    return {**fields, "function": {"name": name, "arguments": {} if arguments is None else arguments}}


def frame(raw: bytes) -> Frame:
    """Return a line as the framer gives it."""
    return Frame(raw, raw.strip())


def read(*lines: bytes, request: ChatRequest | None = None) -> list[StreamEvent]:
    """Return the events of some lines and of the end behind them."""
    reader = Reader(request, candidate())
    events: list[StreamEvent] = []
    for raw in lines:
        found = reader.read(frame(raw))
        assert found is not None
        events += found
    return events + reader.close()
