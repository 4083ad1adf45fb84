"""
A whole answer of this wire, in no wire's words, judged (FAULTS rows 30-37).

Lives here: the blocks that a client of another wire can see. Must not: the answer of a stream (see `stream_in`). What
only a client of this wire can see (server tools, citations) is left out, and alone is no answer to any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.policy.classify import classify_error
from everup.policy.faults import make_fault
from everup.shapes.chat import Answer, StopReason, Text, Thinking, ToolCall
from everup.shapes.fault import FaultKind
from everup.wires.anthropic.models import traits_of
from everup.wires.anthropic.stops import read_stop
from everup.wires.anthropic.tools_out import answer_tool
from everup.wires.anthropic.usage import Told, read_usage
from everup.wires.bodies import fault_of_bytes, where
from everup.wires.errors_in import error_in
from everup.wires.framing import BOM
from everup.wires.mint import mint_call_id

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest
    from everup.shapes.fault import Fault
    from everup.shapes.route import Candidate

NO_INPUT = Raw(b"{}")
EMPTY = (Text(""), Thinking())
NAMELESS = "the answer calls a tool without a name"


class Block(Struct, gc=False):
    """One content block, whatever its type."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = NO_INPUT


class Message(Struct):
    """What of a message matters."""

    content: list[Block] | None
    id: object = None
    model: object = None
    stop_reason: object = None
    stop_sequence: object = None
    usage: Told = None


decode_message = msgspec.json.Decoder(Message).decode


def read_answer(content_type: str, body: bytes, chat: ChatRequest | None, candidate: Candidate) -> Answer:
    """Return a whole answer judged, or the fault that makes it none."""
    body = body.removeprefix(BOM)
    fault = fault_of_bytes(content_type, body)
    if fault:
        return Answer(fault=fault)
    try:
        if not body.isascii():
            body.decode()
        found = decode_any(body)
    except (ValueError, RecursionError) as broken:
        return Answer(fault=make_fault(FaultKind.MALFORMED, f"the answer is not valid JSON: {where(broken)}"))
    return judged(found, chat, candidate) if isinstance(found, Message) else Answer(fault=fault_of(found, candidate))


def decode_any(body: bytes) -> object:
    """Return a message, or whatever other JSON a body holds."""
    try:
        return decode_message(body)
    except msgspec.ValidationError:
        return msgspec.json.decode(body)


def fault_of(found: object, candidate: Candidate) -> Fault:
    """Return the fault of JSON that is no message: its error, else malformed."""
    seen = error_in(found)
    if seen:
        provider = candidate.provider
        return classify_error(seen, provider=provider.name, model=candidate.model.ref.model, is_local=provider.is_local)
    if isinstance(found, dict) and found.get("error"):
        return make_fault(FaultKind.SERVER_ERROR, "status 200 with an error of unknown form", row="5.31")
    return make_fault(FaultKind.MALFORMED, "the answer is JSON but not a message")


def judged(message: Message, chat: ChatRequest | None, candidate: Candidate) -> Answer:
    """Return a message as an answer, or the fault that it says nothing."""
    answer_name = answer_tool(chat, traits_of(candidate.model.ref.model)) if chat is not None else ""
    turn = len(chat.messages) if chat is not None else 0
    parts: list[Text | Thinking | ToolCall] = []
    calls = 0
    has_answer = False
    for block in message.content or ():
        is_answer = block.type == "tool_use" and block.name == answer_name != ""
        part = Text(input_of(block)) if is_answer else part_of(block, turn, calls)
        calls += isinstance(part, ToolCall)
        has_answer = has_answer or is_answer
        if part is not None and part not in EMPTY:
            parts.append(part)
    if not all(part.name for part in parts if isinstance(part, ToolCall)):
        return Answer(fault=make_fault(FaultKind.MALFORMED, NAMELESS))
    stop = read_stop(message.stop_reason, has_calls=calls > 0, has_answer=has_answer)
    is_relayed = chat is None and bool(message.content)
    if not parts and stop is StopReason.END and not is_relayed:
        return Answer(fault=make_fault(FaultKind.EMPTY_ANSWER, "a whole answer without any content"))
    return Answer(
        parts=tuple(parts),
        stop=stop,
        sequence=text_of(message.stop_sequence),
        usage=read_usage(message.usage),
        id=text_of(message.id),
        model=text_of(message.model),
    )


def part_of(block: Block, turn: int, place: int) -> Text | Thinking | ToolCall | None:
    """Return one block as a part, None for what only a client of this wire sees."""
    match block.type:
        case "text":
            return Text(block.text or "")
        case "thinking":
            return Thinking(text=block.thinking or "", signature=block.signature or "")
        case "redacted_thinking":
            return Thinking(hidden=block.data or "")
        case "tool_use":
            arguments, name = input_of(block), block.name or ""
            return ToolCall(id=block.id or mint_call_id(turn, place, name, arguments), name=name, arguments=arguments)
        case _:
            return None


def input_of(block: Block) -> str:
    """Return the JSON text of a call's input, as it came."""
    text = bytes(block.input).decode(errors="replace")
    return "{}" if text == "null" else text


def text_of(value: object) -> str:
    """Return a text, "" for anything else."""
    return value if isinstance(value, str) else ""
