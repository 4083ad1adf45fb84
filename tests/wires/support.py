"""
What the tests of this room share: a candidate, requests, and the recorded chats of real providers.

Lives here: builders and the reader of recordings. Must not: tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from everup.shapes.asked import Asked
from everup.shapes.events import Batch, Seen
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.wires.base import StreamRelay
from everup.wires.openai_chat.wire import OpenAIChat

WIRE = OpenAIChat()
LIMITS = Limits()
SSE = "text/event-stream; charset=utf-8"
JSON = "application/json"


class Recorded(Struct, frozen=True):
    """One recorded chat: where it is from, the request's JSON, status, content type and body of the answer."""

    name: str
    request: Any
    status: int
    content_type: str
    body: bytes


def candidate(model: str = "gpt-5-mini", *, quirks: frozenset[str] = frozenset(), **fields: Any) -> Candidate:
    """Return a candidate of a provider called `openai`."""
    provider = Provider(
        name=fields.pop("provider", "openai"),
        wire="openai_chat",
        base_url="https://provider.example/v1",
        quirks=quirks,
        is_local=fields.pop("is_local", False),
    )
    return Candidate(
        index=0,
        provider=provider,
        model=Model(ref=ModelRef(provider.name, model), **fields),
        profile=Profile(id="a", provider=provider.name),
    )


def request(**fields: Any) -> bytes:
    """Return a chat request's body."""
    return json.dumps({"model": "default", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


def ask(**fields: Any) -> Asked:
    """Return a read request."""
    return WIRE.read_request(request(**fields), LIMITS)


STREAMED = ask(stream=True, stream_options={"include_usage": True})


def relay(asked: Asked = STREAMED, content_type: str = SSE, limits: Limits = LIMITS) -> StreamRelay:
    """Return a relay."""
    return WIRE.open_stream(asked, candidate(), content_type, limits)


def run(stream: StreamRelay, data: bytes, size: int = 0) -> Batch:
    """Return everything a relay gives for these bytes, in slices of `size` (0 = whole), then the end."""
    raw, seen = b"", Seen.NOTHING
    step = size or max(len(data), 1)
    for start in range(0, len(data), step):
        batch = stream.feed(data[start : start + step])
        raw, seen = raw + batch.raw, seen | batch.seen
        if batch.fault:
            return Batch(raw, seen, batch.fault)
    last = stream.close()
    return Batch(raw + last.raw, seen | last.seen, last.fault)


def event(**fields: Any) -> bytes:
    """Return one event."""
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """Return one event with one choice."""
    return event(id="c", model="m-1", choices=[{"index": 0, "delta": fields, "finish_reason": finish}])


ROLE = delta(role="assistant", content="")
TEXT = delta(content="Hello")
STOP = delta("stop")
USAGE = event(id="c", choices=[], usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14})
DONE = b"data: [DONE]\n\n"
CALL = delta(tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{"}}])


def recordings(shared: Path) -> list[Recorded]:
    """Return every recorded chat completion; skips by name without PyYAML."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: recorded traffic cannot be read")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted((shared / "traffic" / "recorded").glob("*/*.yaml")):
        with path.open(encoding="utf-8") as file:
            document = yaml.load(file, Loader=loader)
        found += [
            recorded(f"{path.parent.name}/{path.stem}", pair)
            for pair in document.get("interactions") or ()
            if "chat/completions" in str(pair.get("request", {}).get("uri"))
        ]
    return found


def recorded(name: str, pair: dict[str, Any]) -> Recorded:
    """Return one recorded pair."""
    asked, answer = pair["request"], pair["response"]
    return Recorded(
        name,
        asked.get("parsed_body") or json.loads(body_of(asked) or b"null"),
        answer["status"]["code"],
        " ".join(answer.get("headers", {}).get("content-type", [])),
        body_of(answer),
    )


def body_of(side: dict[str, Any]) -> bytes:
    """Return a recorded body as bytes."""
    if "parsed_body" in side:
        return json.dumps(side["parsed_body"]).encode()
    body = side.get("body") or ""
    text = body.get("string", "") if isinstance(body, dict) else body
    return text if isinstance(text, bytes) else str(text).encode()
