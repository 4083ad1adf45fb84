"""
A whole answer of an Ollama server.

Lives here: the fields that its answers and the lines of its streams have in common, and judging a whole one. Must
not: streams (see `stream_in`), errors (see `errors_in`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.policy.faults import make_fault
from everup.shapes.chat import Answer, ChatRequest, StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Usage
from everup.shapes.fault import Fault, FaultKind
from everup.wires.bodies import fault_of_bytes, where
from everup.wires.framing import BOM
from everup.wires.mint import mint_call_id
from everup.wires.ollama.errors_in import error_of
from everup.wires.ollama.quirks import stop_of
from everup.wires.tokens import count, tokens_in

if TYPE_CHECKING:
    from everup.shapes.route import Candidate

NOTHING = Raw(b"")
FAILURES = (ValueError, RecursionError)
"""What a decoder raises for what is no JSON."""


class Function(Struct, gc=False):
    """What a call names; its arguments are an object, of some servers a text."""

    name: str = ""
    arguments: Raw = NOTHING


class Call(Struct, gc=False):
    """A tool call, always whole; older servers give no id."""

    function: Function
    id: str | None = None


class Message(Struct, gc=False):
    """What a model says, or a piece of it."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class Line(Struct, gc=False):
    """A whole answer, or one line of a streamed one."""

    model: str | None = None
    message: Message | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: object = None
    eval_count: object = None
    error: object = None


decode_line = msgspec.json.Decoder(Line).decode
decode_any = msgspec.json.Decoder().decode
decode_text = msgspec.json.Decoder(str).decode


def read_answer(content_type: str, body: bytes, chat: ChatRequest | None, candidate: Candidate) -> Answer:
    """Return a whole answer (status 200) judged, or the fault that makes it none."""
    body = body.removeprefix(BOM)
    fault = fault_of_bytes(content_type, body)
    if fault:
        return Answer(fault=fault)
    try:
        line = read_line(body)
    except msgspec.ValidationError:
        return Answer(fault=fault_of_shape(body, candidate))
    except FAILURES as broken:
        return Answer(fault=malformed(broken))
    if line.error or line.message is None:
        return Answer(fault=fault_of_shape(body, candidate))
    message = line.message
    calls = [call_of(call, place, chat) for place, call in enumerate(message.tool_calls or ())]
    stop = stop_of(line.done_reason, has_calls=bool(calls))
    said = thoughts_of(message, chat) + ((Text(message.content),) if message.content else ())
    parts: tuple[Text | Thinking | ToolCall, ...] = (*said, *calls)
    fault = fault_of_end(line, is_empty=not parts and stop is StopReason.END)
    if fault is not None:
        return Answer(fault=fault)
    return Answer(parts=parts, stop=stop, usage=usage_of(line, chat), model=line.model or "")


def fault_of_end(line: Line, *, is_empty: bool) -> Fault | None:
    """Return the fault of an answer that says it is not done, or that says nothing."""
    if line.done is False:
        return make_fault(FaultKind.CUT, "a whole answer that says it is not done")
    return make_fault(FaultKind.EMPTY_ANSWER, "a whole answer without any content") if is_empty else None


def read_line(data: bytes) -> Line:
    """
    Return a line's fields.

    `ValueError` for what is no JSON, or no UTF-8 even where nothing looks at it.
    """
    if not data.isascii():
        data.decode()
    return decode_line(data)


def fault_of_shape(body: bytes, candidate: Candidate) -> Fault:
    """Return the fault of what is no answer: the error it tells of, else malformed."""
    try:
        found = decode_any(body)
    except FAILURES as broken:
        return malformed(broken)
    return error_of(found, candidate) or make_fault(FaultKind.MALFORMED, "the answer is JSON but not one of /api/chat")


def malformed(broken: Exception) -> Fault:
    """Return the fault of a body that is no JSON."""
    return make_fault(FaultKind.MALFORMED, f"the answer is not valid JSON: {where(broken)}")


def thoughts_of(message: Message, chat: ChatRequest | None) -> tuple[Thinking, ...]:
    """Return what a client sees of the thinking."""
    return (Thinking(text=message.thinking),) if message.thinking and is_shown(chat) else ()


def is_shown(chat: ChatRequest | None) -> bool:
    """
    Return whether a client wants to see the thinking.

    Ollama itself cannot leave it out of an answer.
    """
    return chat is None or chat.reasoning is None or chat.reasoning.is_shown


def call_of(call: Call, place: int, chat: ChatRequest | None) -> ToolCall:
    """
    Return a tool call.

    Without an id of its own it gets one made of what it says and where.
    """
    name, arguments = call.function.name, arguments_of(call.function.arguments)
    turn = len(chat.messages) if chat else 0
    return ToolCall(id=call.id or mint_call_id(turn, place, name, arguments), name=name, arguments=arguments)


def arguments_of(raw: Raw) -> str:
    """Return a call's arguments as the JSON text of an object, "" for none."""
    text = bytes(raw)
    if text[:1] == b'"':
        return decode_text(text)
    return "" if text == b"null" else text.decode()


def usage_of(line: Line, chat: ChatRequest | None) -> Usage | None:
    """
    Return the token counts, None without any.

    A server may leave out `prompt_eval_count` when it had the whole prompt in its cache: then it is estimated.
    """
    given, output = count(line.prompt_eval_count), count(line.eval_count)
    if given is None and output is None:
        return None
    return Usage(
        input_tokens=tokens_in(chars_of(chat)) if given is None else given,
        output_tokens=output or 0,
        is_estimated=given is None,
    )


def chars_of(chat: ChatRequest | None) -> int:
    """Return how long a conversation's texts are."""
    messages = chat.messages if chat else ()
    return sum(len(part.text) for each in messages for part in each.parts if isinstance(part, Text))
