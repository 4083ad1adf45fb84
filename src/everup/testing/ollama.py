"""
What an Ollama-shaped provider answers, as data.

Lives here: bytes of the native API and builders for its usual answers, line by line, so that a test can cut or break
a stream anywhere. Must not: HTTP and steps (see `scripts`). Played by `provider.ScriptedProvider`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from everup.testing.scripts import LAST_CHUNK, PHRASES, Script, Send, chunk, head, play, sized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from everup.testing.scripts import Step

MODEL = "scripted"
CREATED = "2026-11-25T00:00:00.000000Z"
NDJSON = "application/x-ndjson"
NDJSON_HEAD = head(200, {"content-type": NDJSON, "transfer-encoding": "chunked"})


def counts(prompt: int = 9, answer: int = 5) -> dict[str, int]:
    """Return what a last line says of its cost; durations are nanoseconds."""
    spent = {"total_duration": 1_000_000, "load_duration": 1000, "prompt_eval_duration": 2000, "eval_duration": 3000}
    return {**spent, "prompt_eval_count": prompt, "eval_count": answer}


def message(text: str, *, thinking: str = "", calls: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return what the model says, or a piece of it."""
    said: dict[str, Any] = {"role": "assistant", "content": text}
    if thinking:
        said["thinking"] = thinking
    if called := [dict(call) for call in calls]:
        said["tool_calls"] = called
    return said


def tool_call(name: str, arguments: Any, **fields: Any) -> dict[str, Any]:
    """
    Return a tool call; its arguments are the object itself.

    Older servers give it no id.
    """
    return {**fields, "function": {"name": name, "arguments": arguments}}


def chat_json(text: str = "", *, reason: str | None = "stop", model: str = MODEL, **fields: Any) -> bytes:
    """
    Return a whole answer; `reason` None leaves `done_reason` out.

    `fields` replace the top level (`message=message(...)`, `done=False`).
    """
    ended = {} if reason is None else {"done_reason": reason}
    answer = {"model": model, "created_at": CREATED, "message": message(text), "done": True, **ended, **counts()}
    return json.dumps({**answer, **fields}).encode()


def line(text: str = "", *, model: str = MODEL, **said: Any) -> bytes:
    """Return one line of a stream: more of the text, of the thinking, or tool calls."""
    told = {"model": model, "created_at": CREATED, "message": message(text, **said), "done": False}
    return json.dumps(told).encode() + b"\n"


def last_line(*, reason: str | None = "stop", **fields: Any) -> bytes:
    """Return the line that ends a stream."""
    return chat_json(reason=reason, **fields) + b"\n"


LAST = last_line()


def lines(*pieces: str) -> tuple[bytes, ...]:
    """Return one line per piece of text."""
    return tuple(line(piece) for piece in pieces)


def chat_lines(*pieces: str) -> tuple[bytes, ...]:
    """Return the lines of a whole streamed answer."""
    return (*lines(*pieces), LAST)


def error_json(text: str) -> bytes:
    """Return an error body."""
    return json.dumps({"error": text}).encode()


def error_line(text: str) -> bytes:
    """Return an error in a stream."""
    return error_json(text) + b"\n"


def error(status: int, text: str = "", **headers: str) -> Script:
    """
    Return a refusal.

    `retry_after="3"` and the like become headers.
    """
    body = error_json(text or PHRASES.get(status, "Scripted"))
    return play(Send(sized(status, body, "application/json; charset=utf-8", **headers)))


def ndjson(*given: bytes | Step, is_ended: bool = True) -> tuple[Step, ...]:
    """
    Return the steps of a chunked stream of lines.

    One chunk per line, steps between them, then the last chunk.
    """
    body = [Send(chunk(each)) if isinstance(each, bytes) else each for each in given]
    return (Send(NDJSON_HEAD), *body, *((Send(LAST_CHUNK),) if is_ended else ()))


def reply(*pieces: str) -> Script:
    """Return a good answer that says these pieces."""
    return Script((Send(sized(200, chat_json("".join(pieces)))),), ndjson(*chat_lines(*pieces)))


def stream(*given: bytes | Step, is_ended: bool = True, whole: Iterable[Step] | None = None) -> Script:
    """
    Return this stream for a streamed request.

    A whole request gets `whole`, else the same bytes.
    """
    streamed = ndjson(*given, is_ended=is_ended)
    return Script(tuple(whole) if whole is not None else streamed, streamed)


def tags_json(models: Iterable[str]) -> bytes:
    """Return what `GET /api/tags` answers."""
    rows = [{"name": name, "model": name, "modified_at": CREATED, "size": 1, "digest": "0" * 64} for name in models]
    return json.dumps({"models": rows}).encode()


def show_json(*capabilities: str, window: int = 32_768) -> bytes:
    """Return what `POST /api/show` answers for one model."""
    info = {"general.architecture": "scripted", "scripted.context_length": window}
    details = {"format": "gguf", "family": "scripted", "parameter_size": "1B"}
    known = list(capabilities or ("completion", "tools"))
    return json.dumps({"details": details, "model_info": info, "capabilities": known}).encode()
