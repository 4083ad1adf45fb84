"""
What an Anthropic-shaped provider answers, as data.

Lives here: bytes of the Messages API and builders for its usual answers, each piece by itself, so that a test can
cut or break a stream anywhere. Must not: HTTP and steps (see `scripts`). Played by `provider.ScriptedProvider`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from everup.testing.scripts import PHRASES, Script, Send, play, sized, sse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everup.testing.scripts import Step

MODEL = "scripted"
REQUEST_ID = "req_scripted"
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The error types of the API's own table, by status; any other is `api_error` from 500 on, else a bad request."""


def usage(input_tokens: int = 9, output_tokens: int = 5, **fields: int) -> dict[str, int]:
    """Return a usage object; the input leaves out what was cached."""
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": input_tokens, **cached, "output_tokens": output_tokens, **fields}


# Content blocks.


def text_block(text: str) -> dict[str, Any]:
    """Return a block of text."""
    return {"type": "text", "text": text}


def thinking_block(thinking: str, signature: str = "") -> dict[str, Any]:
    """Return a block of shown thinking."""
    return {"type": "thinking", "thinking": thinking, "signature": signature}


def tool_block(id_: str, name: str, input_: Any) -> dict[str, Any]:
    """Return a tool call; `input_` is the object itself."""
    return {"type": "tool_use", "id": id_, "name": name, "input": input_}


def message_json(
    *blocks: dict[str, Any] | str, stop: str | None = "end_turn", model: str = MODEL, **fields: Any
) -> bytes:
    """
    Return a whole message; a text stands for its block.

    `fields` replace the top level.
    """
    content = [text_block(block) if isinstance(block, str) else block for block in blocks]
    answer = {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage(),
        **fields,
    }
    return json.dumps(answer).encode()


# Events of a stream.


def event(name: str, **fields: Any) -> bytes:
    """Return one event, named as its type."""
    return b"event: " + name.encode() + b"\ndata: " + json.dumps({"type": name, **fields}).encode() + b"\n\n"


def begun(*, model: str = MODEL, **counts: int) -> bytes:
    """Return the event that begins a message; `counts` replace those of its usage."""
    message = json.loads(message_json(stop=None, model=model, usage=usage(output_tokens=1, **counts)))
    return event("message_start", message=message)


def block_begun(block: dict[str, Any], index: int = 0) -> bytes:
    """Return the event that opens a block."""
    return event("content_block_start", index=index, content_block=block)


def delta(kind: str, index: int = 0, **fields: Any) -> bytes:
    """Return one delta of a block (`text_delta`, `input_json_delta`, ...)."""
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def block_ended(index: int = 0) -> bytes:
    """Return the event that closes a block."""
    return event("content_block_stop", index=index)


def finished(stop: str | None = "end_turn", **counts: Any) -> bytes:
    """
    Return the event that says why the message ended.

    `counts` replace those of its usage.
    """
    return event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage=counts or usage())


PING = event("ping")
BEGUN = begun()
TEXT_BEGUN = block_begun(text_block(""))
TEXT_ENDED = block_ended()
FINISHED = finished()
STOPPED = event("message_stop")


def texts(*pieces: str, index: int = 0) -> tuple[bytes, ...]:
    """Return one text delta per piece."""
    return tuple(delta("text_delta", index, text=piece) for piece in pieces)


def text(*pieces: str, index: int = 0) -> tuple[bytes, ...]:
    """Return the events of a whole block of text."""
    return (block_begun(text_block(""), index), *texts(*pieces, index=index), block_ended(index))


def thinking(*pieces: str, signature: str, index: int = 0) -> tuple[bytes, ...]:
    """Return the events of a whole block of thinking; its signature comes last."""
    told = [delta("thinking_delta", index, thinking=piece) for piece in pieces]
    signed = delta("signature_delta", index, signature=signature)
    return (block_begun(thinking_block(""), index), *told, signed, block_ended(index))


def tool_use(id_: str, name: str, *pieces: str, index: int = 0) -> tuple[bytes, ...]:
    """Return the events of a whole tool call; the pieces are its input's JSON text."""
    told = [delta("input_json_delta", index, partial_json=piece) for piece in ("", *pieces)]
    return (block_begun(tool_block(id_, name, {}), index), *told, block_ended(index))


def message_sse(*pieces: str, is_stopped: bool = True) -> tuple[bytes, ...]:
    """
    Return the events of a whole streamed message of text.

    With the ping that the API sends early.
    """
    last = (FINISHED, STOPPED) if is_stopped else (FINISHED,)
    return (BEGUN, TEXT_BEGUN, PING, *texts(*pieces), TEXT_ENDED, *last)


# Errors and whole answers.


def type_of(status: int) -> str:
    """Return the error type that the API gives with a status."""
    return TYPES.get(status) or ("api_error" if status >= 500 else TYPES[400])


def error_json(kind: str, message: str, **fields: Any) -> bytes:
    """Return an error body."""
    error = {"type": kind, "message": message, **fields}
    return json.dumps({"type": "error", "error": error, "request_id": REQUEST_ID}).encode()


def error_event(kind: str, message: str) -> bytes:
    """Return an error in a stream."""
    return event("error", error={"type": kind, "message": message}, request_id=REQUEST_ID)


def error(status: int, kind: str = "", message: str = "", **headers: str) -> Script:
    """
    Return a refusal; without a type it has its status's own.

    `retry_after="3"` and the like become headers.
    """
    body = error_json(kind or type_of(status), message or PHRASES.get(status, "Scripted"))
    return play(Send(sized(status, body, request_id=REQUEST_ID, **headers)))


def reply(*pieces: str) -> Script:
    """Return a good answer that says these pieces."""
    return Script((Send(sized(200, message_json("".join(pieces)))),), sse(*message_sse(*pieces)))


def stream(*events: bytes | Step, is_ended: bool = True, whole: Iterable[Step] | None = None) -> Script:
    """
    Return this stream for a streamed request.

    A whole request gets `whole`, else the same bytes.
    """
    streamed = sse(*events, is_ended=is_ended)
    return Script(tuple(whole) if whole is not None else streamed, streamed)


def model_list(models: Iterable[str]) -> bytes:
    """Return what `GET /v1/models` answers."""
    rows = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in models
    ]
    ends = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
    return json.dumps({"data": rows, "has_more": False, **ends}).encode()
