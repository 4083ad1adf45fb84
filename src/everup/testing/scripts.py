"""
What a scripted provider answers, as data.

Steps on a connection, and builders for the usual answers.
What must not live here: sockets (see `provider`). A script has two forms, for a request that asks for a stream
and for one that does not. Written by tests, played by `provider.ScriptedProvider`.
"""

from __future__ import annotations

import json
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BOUNDARY = b"\r\n"
DONE = b"data: [DONE]\n\n"
PHRASES: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}


class Send(Struct, frozen=True):
    """
    Bytes to send: whole.

    Or in slices of `slice_bytes` with `pause_s` between them, `times` over (0 = for ever).
    """

    data: bytes
    slice_bytes: int = 0
    pause_s: float = 0.0
    times: int = 1


class Pause(Struct, frozen=True):
    """Seconds of the loop's clock in which nothing is sent."""

    seconds: float


class Silence(Struct, frozen=True):
    """Nothing more until the peer has gone."""


class Close(Struct, frozen=True):
    """The connection ends in good order (FIN)."""


class Reset(Struct, frozen=True):
    """The connection is torn down (RST)."""


Step = Send | Pause | Silence | Close | Reset


class Script(Struct, frozen=True):
    """
    The steps of one answer.

    The connection is kept alive after the last unless a step ended it.
    """

    whole: tuple[Step, ...]
    streamed: tuple[Step, ...]

    def steps(self, *, is_stream: bool) -> tuple[Step, ...]:
        """Return the form for this kind of request."""
        return self.streamed if is_stream else self.whole

    def after(self, *first: Step) -> Script:
        """Return the same answer with steps before it (a pause, a 1xx head)."""
        return Script((*first, *self.whole), (*first, *self.streamed))

    def then(self, *last: Step) -> Script:
        """Return the same answer with steps after it (a close)."""
        return Script((*self.whole, *last), (*self.streamed, *last))

    def sliced(self, slice_bytes: int) -> Script:
        """Return the same bytes in slices of this size, each its own write."""

        def cut(steps: tuple[Step, ...]) -> tuple[Step, ...]:
            return tuple(structs.replace(s, slice_bytes=slice_bytes) if isinstance(s, Send) else s for s in steps)

        return Script(cut(self.whole), cut(self.streamed))


def play(*steps: Step) -> Script:
    """Return a script with the same steps for both kinds of request."""
    return Script(steps, steps)


# Bytes of HTTP.


def head(status: int, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a response head; the caller's headers are written as they are."""
    reason = PHRASES.get(status, "Scripted")
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join(lines).encode("latin-1") + 2 * BOUNDARY


def sized(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """
    Return a whole response with its length.

    `retry_after="3"` becomes the header `retry-after`.
    """
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return head(status, {"content-type": content_type, "content-length": str(len(body)), **extra}) + body


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
SSE_HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})


def sse(*events: bytes | Step, is_ended: bool = True) -> tuple[Step, ...]:
    """
    Return the steps of a chunked event stream.

    One chunk per event, steps between them, then the last chunk.
    """
    body = [Send(chunk(event)) if isinstance(event, bytes) else event for event in events]
    return (Send(SSE_HEAD), *body, *((Send(LAST_CHUNK),) if is_ended else ()))


# Bytes of the OpenAI chat wire.


def usage(prompt: int = 9, completion: int = 5) -> dict[str, int]:
    """Return a usage object."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def chat_json(
    text: str | None, *, finish: str | None = "stop", model: str = "scripted", message: Any = None, **fields: Any
) -> bytes:
    """
    Return a whole chat completion.

    `message` replaces the assistant message, `fields` the top level.
    """
    answer = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [
            {"index": 0, "message": message or {"role": "assistant", "content": text}, "finish_reason": finish}
        ],
        "usage": usage(),
        **fields,
    }
    return json.dumps(answer).encode()


def event(delta: Mapping[str, Any] | None = None, *, finish: str | None = None, **fields: Any) -> bytes:
    """
    Return one event of a chat stream.

    `fields` replace the top level (`choices=[]`, `usage=...`).
    """
    data = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}],
        **fields,
    }
    return b"data: " + json.dumps(data).encode() + b"\n\n"


ROLE = event({"role": "assistant", "content": ""})
FINISH = event(finish="stop")
USAGE = event(choices=[], usage=usage())


def texts(*pieces: str) -> tuple[bytes, ...]:
    """Return one content event per piece of text."""
    return tuple(event({"content": piece}) for piece in pieces)


def chat_sse(*pieces: str, is_done: bool = True) -> tuple[bytes, ...]:
    """
    Return the events of a whole streamed answer.

    Role, pieces, finish, usage, `[DONE]`.
    """
    return (ROLE, *texts(*pieces), FINISH, USAGE, *((DONE,) if is_done else ()))


def error_json(kind: str | None, code: str | int | None, message: str, **fields: Any) -> bytes:
    """Return an OpenAI error body."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **fields}}).encode()


# Whole answers.


def reply(*pieces: str) -> Script:
    """Return a good answer that says these pieces."""
    return Script((Send(sized(200, chat_json("".join(pieces)))),), sse(*chat_sse(*pieces)))


def error(status: int, kind: str | None = None, code: str | int | None = None, message: str = "", **h: str) -> Script:
    """
    Return a refusal with an OpenAI error body.

    `retry_after="3"` and the like become headers.
    """
    return play(Send(sized(status, error_json(kind, code, message or PHRASES.get(status, "Scripted")), **h)))


def body(status: int, data: bytes, content_type: str = "application/json", **headers: str) -> Script:
    """Return an answer of exactly these bytes, with their length."""
    return play(Send(sized(status, data, content_type, **headers)))


def raw(data: bytes, *last: Step) -> Script:
    """Return exactly these bytes on the connection, then `last`."""
    return play(Send(data), *last)


def stream(*events: bytes | Step, is_ended: bool = True, whole: Iterable[Step] | None = None) -> Script:
    """
    Return this stream for a streamed request.

    A whole request gets `whole`, else the same bytes.
    """
    streamed = sse(*events, is_ended=is_ended)
    return Script(tuple(whole) if whole is not None else streamed, streamed)


def gzip_bomb(plain_bytes: int) -> bytes:
    """Return gzip data of so many zeros (about a thousandth of the size)."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    parts = [squeeze.compress(block) for _ in range(plain_bytes >> 20)]
    return b"".join((*parts, squeeze.flush()))
