"""
Whole answers: judged, and turned into a stream where one was asked for.

Lives here: FAULTS rows 30-37 for JSON bodies. Must not: changing a good answer's bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from everup.policy.classify import classify_error
from everup.policy.faults import make_fault
from everup.shapes.events import Reply, Usage
from everup.shapes.fault import Fault, FaultKind
from everup.wires.bodies import fault_of_bytes, where
from everup.wires.errors_in import error_in
from everup.wires.framing import BOM
from everup.wires.openai_chat.chunk import CONTENT, SPEAKS_WITHOUT_TEXT, Chunk, decode_chunk, look_at, read_loosely
from everup.wires.openai_chat.reasoning import collect_signatures
from everup.wires.openai_chat.usage import read_usage
from everup.wires.tokens import estimate_usage

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.route import Candidate

DONE = b"data: [DONE]\n\n"
NULL = Raw(b"null")


def read_reply(content_type: str, body: bytes, asked: Asked, candidate: Candidate) -> Reply:
    """Return a whole answer, its bytes unchanged, or the fault that it is."""
    body = body.removeprefix(BOM)
    answer = judge(content_type, body, candidate)
    if isinstance(answer, Fault):
        return Reply(fault=answer)
    return Reply(
        raw=body,
        usage=usage_of(answer, asked.needs.prompt_tokens, chars_in(answer)),
        model=answer.model if isinstance(answer.model, str) else "",
        minted=signatures_in(answer),
    )


def judge(content_type: str, body: bytes, candidate: Candidate) -> Chunk | Fault:
    """Return what of a good whole answer matters, else the fault that it is."""
    fault = fault_of_bytes(content_type, body)
    if fault:
        return fault
    try:
        if not body.isascii():
            body.decode()
        answer = decode_answer(body)
    except (ValueError, RecursionError) as broken:
        return make_fault(FaultKind.MALFORMED, f"the answer is not valid JSON: {where(broken)}")
    if answer is None or answer.error or answer.choices is None:
        return fault_of_shape(body, candidate)
    if is_empty(answer):
        return make_fault(FaultKind.EMPTY_ANSWER, "a whole answer without any content")
    return answer


def decode_answer(body: bytes) -> Chunk | None:
    """Return what of a body matters, None for JSON that is no completion."""
    try:
        return decode_chunk(body)
    except msgspec.ValidationError:
        return read_loosely(msgspec.json.decode(body))


def fault_of_shape(body: bytes, candidate: Candidate) -> Fault:
    """
    Return the fault of valid JSON that is no completion.

    The error it tells of, else malformed.
    """
    found = msgspec.json.decode(body)
    seen = error_in(found)
    if seen:
        return classify_error(
            seen,
            provider=candidate.provider.name,
            model=candidate.model.ref.model,
            is_local=candidate.provider.is_local,
        )
    if isinstance(found, dict) and found.get("error"):
        return make_fault(FaultKind.SERVER_ERROR, "status 200 with an error of unknown form", row="5.31")
    return make_fault(FaultKind.MALFORMED, "the answer is JSON but not a chat completion")


def is_empty(answer: Chunk) -> bool:
    """
    Return whether an answer says nothing at all, and no reason explains that.

    Row 35.
    """
    for choice in answer.choices or ():
        message = choice.message or choice.delta
        if choice.text or choice.finish_reason in SPEAKS_WITHOUT_TEXT:
            return False
        if message is not None and look_at(message) & CONTENT:
            return False
    return True


def chars_in(answer: Chunk) -> int:
    """
    Return how many characters of text an answer holds.

    For an estimate where it counts none.
    """
    messages = [choice.message or choice.delta for choice in answer.choices or ()]
    return sum(len(each.content) for each in messages if each is not None and isinstance(each.content, str))


def usage_of(answer: Chunk, prompt_tokens: int, chars: int) -> Usage:
    """Return the answer's usage, or an estimate marked so."""
    if answer.usage is not None:
        return read_usage(answer.usage, prompt_tokens=prompt_tokens, answer_chars=chars)
    return estimate_usage(prompt_tokens=prompt_tokens, answer_chars=chars)


def signatures_in(answer: Chunk) -> tuple[str, ...]:
    """Return the reasoning signatures of a whole answer, bounded."""
    found: list[str] = []
    for choice in answer.choices or ():
        message = choice.message
        if message and (message.reasoning_details or message.thinking_blocks or message.tool_calls):
            collect_signatures([message.reasoning_details, message.thinking_blocks, message.tool_calls], found)
    return tuple(found)


def as_stream(body: bytes, *, wants_usage: bool) -> bytes:
    """
    Return a good whole answer as a stream.

    One chunk per choice, its finish, the usage if asked, the end.
    """
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    choices = msgspec.json.decode(fields["choices"], type=list[dict[str, Raw]])
    usage = fields.pop("usage", None)
    fields["object"] = Raw(b'"chat.completion.chunk"')
    spoken: list[dict[str, object]] = []
    finished: list[dict[str, object]] = []
    for place, choice in enumerate(choices):
        index = choice.pop("index", Raw(b"%d" % place))
        finish = choice.pop("finish_reason", NULL)
        message = choice.pop("message", Raw(b"{}"))
        choice.pop("delta", None)
        spoken.append({"index": index, "delta": as_delta(message), **choice, "finish_reason": NULL})
        finished.append({"index": index, "delta": {}, "finish_reason": finish})
    events = [{**fields, "choices": [each]} for each in (*spoken, *finished)]
    if wants_usage and usage is not None and bytes(usage) != b"null":
        events.append({**fields, "choices": [], "usage": usage})
    return b"".join((*(b"data: " + one_line(msgspec.json.encode(event)) + b"\n\n" for event in events), DONE))


def as_delta(message: Raw) -> dict[str, object]:
    """
    Return a message as the one delta of a stream.

    Tool calls get the index a delta needs.
    """
    delta: dict[str, object] = dict(msgspec.json.decode(message, type=dict[str, Raw]))
    calls = delta.get("tool_calls")
    if isinstance(calls, Raw) and bytes(calls)[:1] == b"[":
        rows = msgspec.json.decode(calls, type=list[dict[str, Raw]])
        delta["tool_calls"] = [{"index": place, **row} for place, row in enumerate(rows)]
    return delta


def one_line(text: bytes) -> bytes:
    """
    Return JSON without raw line ends, which an event cannot hold.

    Inside strings JSON allows none.
    """
    return text.translate(None, b"\r\n")
