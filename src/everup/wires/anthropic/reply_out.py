"""
A whole answer as the `message` that a client of the Messages API reads.

Lives here: its fields, and the words that its stream shares (stop reasons, usage, ids). Must not: judging an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from everup.shapes.chat import StopReason, Text, Thinking, ToolCall
from everup.shapes.events import Usage
from everup.wires.mint import digest, mint_answer_id

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.chat import Answer

STOPS = {
    StopReason.END: "end_turn",
    StopReason.LENGTH: "max_tokens",
    StopReason.TOOL: "tool_use",
    StopReason.SEQUENCE: "stop_sequence",
    StopReason.FILTER: "refusal",
    StopReason.PAUSE: "pause_turn",
    StopReason.WINDOW: "model_context_window_exceeded",
}
PREFIX = "msg_"
NO_ARGUMENTS = frozenset({"", "null"})

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


def write_answer(answer: Answer, asked: Asked, *, created_unix_s: int) -> bytes:
    """Return a good answer as a `message`."""
    calls = any(isinstance(part, ToolCall) for part in answer.parts)
    refused = any(isinstance(part, Text) and part.is_refusal for part in answer.parts)
    return encode(
        {
            "id": message_id(answer.id, asked, created_unix_s),
            "type": "message",
            "role": "assistant",
            "model": answer.model or asked.model,
            "content": [block_of(part) for part in answer.parts if part != Text("")],
            "stop_reason": stop_word(answer.stop, has_calls=calls, is_refusal=refused),
            "stop_sequence": answer.sequence or None,
            "usage": usage_fields(answer.usage or Usage()),
        }
    )


def message_id(given: str, asked: Asked, created_unix_s: int) -> str:
    """
    Return an id of this wire's shape.

    The provider's own if it has that, else one made of it, or of what was asked.
    """
    if not given:
        return mint_answer_id(PREFIX, asked, created_unix_s=created_unix_s)
    return given if given.startswith(PREFIX) else PREFIX + digest(given.encode("utf-8", "replace"))


def stop_word(stop: StopReason, *, has_calls: bool, is_refusal: bool) -> str:
    """
    Return why an answer ended.

    Some servers say `stop` to tool calls and to refusals.
    """
    if stop is StopReason.END and has_calls:
        return STOPS[StopReason.TOOL]
    if stop is StopReason.END and is_refusal:
        return STOPS[StopReason.FILTER]
    return STOPS[stop]


def usage_fields(usage: Usage) -> dict[str, object]:
    """
    Return the token counts.

    Here the input excludes what was cached or is written to the cache.
    """
    fields: dict[str, object] = {
        "input_tokens": max(usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        fields["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return fields


def block_of(part: Text | Thinking | ToolCall) -> dict[str, object]:
    """Return one content block."""
    match part:
        case Text(text=text):
            return {"type": "text", "text": text}
        case Thinking(hidden=hidden) if hidden:
            return {"type": "redacted_thinking", "data": hidden}
        case Thinking(text=text, signature=signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case ToolCall(id=call_id, name=name, arguments=arguments):
            return {"type": "tool_use", "id": call_id, "name": name, "input": input_of(arguments)}


def input_of(arguments: str) -> object:
    """
    Return a call's arguments byte for byte; none are an empty object.

    What is no JSON stays what the model wrote, as a text (row 43: nothing is repaired).
    """
    if arguments.strip() in NO_ARGUMENTS:
        return {}
    try:
        decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return arguments
    return Raw(arguments.encode())
