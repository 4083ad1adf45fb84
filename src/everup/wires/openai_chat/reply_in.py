"""
A whole answer of this wire, in no wire's words.

Lives here: the parts of the first choice. Must not: judging (see `whole.judge`), or the answer of a stream (see
`stream_in`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from everup.policy.faults import make_fault
from everup.shapes.chat import Answer, Text, Thinking, ToolCall
from everup.shapes.fault import Fault, FaultKind
from everup.wires.framing import BOM
from everup.wires.mint import mint_call_id
from everup.wires.openai_chat.chunk import Choice, Delta
from everup.wires.openai_chat.stops import is_broken, read_stop
from everup.wires.openai_chat.thoughts import dicts, read_blocks, read_details, read_plain, text_of
from everup.wires.openai_chat.usage import UsageSeen, read_usage
from everup.wires.openai_chat.whole import judge

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest
    from everup.shapes.events import Usage
    from everup.shapes.route import Candidate

BROKEN_OFF = "the provider broke the answer off, its finish reason says"
NAMELESS = "the answer calls a tool without a name"


def read_answer(content_type: str, body: bytes, chat: ChatRequest | None, candidate: Candidate) -> Answer:
    """Return a whole answer judged, or the fault that makes it none."""
    seen = judge(content_type, body.removeprefix(BOM), candidate)
    if isinstance(seen, Fault):
        return Answer(fault=seen)
    choice = (seen.choices or [Choice()])[0]
    if is_broken(choice.finish_reason):
        return Answer(fault=make_fault(FaultKind.CUT, BROKEN_OFF))
    message = choice.message or choice.delta or Delta()
    calls = read_calls(message, len(chat.messages) if chat else 0)
    if not all(call.name for call in calls):
        return Answer(fault=make_fault(FaultKind.MALFORMED, NAMELESS))
    refusal = text_of(message.refusal)
    return Answer(
        parts=(
            *read_thoughts(message),
            *read_content(message.content or choice.text),
            *((Text(refusal, is_refusal=True),) if refusal else ()),
            *calls,
        ),
        stop=read_stop(choice.finish_reason, has_calls=bool(calls)),
        usage=usage_told(seen.usage),
        id=text_of(seen.id),
        model=text_of(seen.model),
    )


def read_thoughts(message: Delta) -> list[Thinking]:
    """Return a message's thinking; what can be replayed comes from where it is whole."""
    found = read_details(message.reasoning_details) or read_blocks(message.thinking_blocks)
    plain = read_plain(message.reasoning_content, message.reasoning)
    if plain and not any(each.text for each in found):
        return [Thinking(text=plain), *found]
    return found


def read_content(content: object) -> list[Text | Thinking]:
    """
    Return what a content holds.

    Its texts, and the thinking that Mistral puts among them, in their order.
    """
    if isinstance(content, str):
        return [Text(content)] if content else []
    found: list[Text | Thinking] = []
    for part in dicts(content):
        words = text_of(part.get("text"))
        found += [Text(words)] if part.get("type") == "text" and words else read_blocks([part])
    return found


def read_calls(message: Delta, turn: int) -> list[ToolCall]:
    """
    Return a message's tool calls.

    One without an id gets one that its history would give it too.
    """
    calls = [(text_of(row.get("id")), row.get("function")) for row in dicts(message.tool_calls)]
    if isinstance(message.function_call, dict):
        calls.append(("", message.function_call))
    return [call_of(call_id, function, turn, place) for place, (call_id, function) in enumerate(calls)]


def call_of(call_id: str, function: object, turn: int, place: int) -> ToolCall:
    """Return one tool call, its name "" if there is none."""
    called: dict[str, Any] = function if isinstance(function, dict) else {}
    name = text_of(called.get("name"))
    arguments = arguments_of(called.get("arguments"))
    return ToolCall(id=call_id or mint_call_id(turn, place, name, arguments), name=name, arguments=arguments)


def arguments_of(given: object) -> str:
    """Return the JSON text of arguments; some servers send the object itself."""
    return msgspec.json.encode(given).decode() if isinstance(given, dict) else text_of(given)


def usage_told(seen: UsageSeen | None) -> Usage | None:
    """
    Return the usage that a provider tells.

    None if it is absent or absurd (row 55): it is estimated elsewhere.
    """
    usage = read_usage(seen, prompt_tokens=0, answer_chars=0) if seen is not None else None
    return None if usage is None or usage.is_estimated else usage
