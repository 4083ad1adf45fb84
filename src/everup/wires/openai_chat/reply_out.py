"""
An answer of another wire, as the body that a client of chat completions reads.

Lives here: its fields in OpenAI's order. Must not: streams (see `stream_out`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.shapes.chat import Text, Thinking, ToolCall
from everup.wires.mint import mint_answer_id
from everup.wires.openai_chat.chat_in import is_legacy
from everup.wires.openai_chat.effort_in import shows_thinking
from everup.wires.openai_chat.stops import write_stop
from everup.wires.openai_chat.thoughts import write_details

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.chat import Answer
    from everup.shapes.events import Usage

PREFIX = "chatcmpl-"
NO_ARGUMENTS = "{}"
"""What a call without arguments must hold: clients parse it as JSON."""
encode = msgspec.json.Encoder().encode


def write_answer(answer: Answer, asked: Asked, *, created_unix_s: int) -> bytes:
    """Return a good answer as a chat completion."""
    legacy = is_legacy(asked.fields)
    body: dict[str, object] = {
        "id": answer_id(answer.id, asked, created_unix_s=created_unix_s),
        "object": "chat.completion",
        "created": created_unix_s,
        "model": answer.model or asked.model,
        "choices": [
            {
                "index": 0,
                "message": message_of(answer, has_thinking=shows_thinking(asked.fields), legacy=legacy),
                "logprobs": None,
                "finish_reason": write_stop(answer.stop, is_legacy=legacy),
            }
        ],
    }
    if answer.usage is not None:
        body["usage"] = usage_fields(answer.usage)
    return encode(body)


def answer_id(given: str, asked: Asked, *, created_unix_s: int) -> str:
    """
    Return an answer's id in this wire's shape.

    The provider's own can be found in it.
    """
    if not given:
        return mint_answer_id(PREFIX, asked, created_unix_s=created_unix_s)
    return given if given.startswith(PREFIX) else PREFIX + given


def message_of(answer: Answer, *, has_thinking: bool, legacy: bool) -> dict[str, object]:
    """Return the message of an answer."""
    texts = [part.text for part in answer.parts if isinstance(part, Text) and not part.is_refusal]
    refusals = [part.text for part in answer.parts if isinstance(part, Text) and part.is_refusal]
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    content = "".join(texts)
    message: dict[str, object] = {
        "role": "assistant",
        "content": content if content or not (calls or refusals) else None,
        "refusal": "".join(refusals) or None,
    }
    if has_thinking:
        message |= thinking_fields([part for part in answer.parts if isinstance(part, Thinking)])
    if calls and legacy:
        message["function_call"] = function_of(calls[0])
    elif calls:
        message["tool_calls"] = [{"id": call.id, "type": "function", "function": function_of(call)} for call in calls]
    return message


def thinking_fields(thoughts: list[Thinking]) -> dict[str, object]:
    """Return thinking as a text to show, and as details that a client can send back."""
    fields: dict[str, object] = {}
    shown = "".join(each.text for each in thoughts)
    if shown:
        fields["reasoning_content"] = shown
    details = write_details(thoughts)
    if details:
        fields["reasoning_details"] = details
    return fields


def function_of(call: ToolCall) -> dict[str, str]:
    """Return the called function."""
    return {"name": call.name, "arguments": call.arguments if call.arguments.strip() else NO_ARGUMENTS}


def usage_fields(usage: Usage) -> dict[str, object]:
    """Return the usage object."""
    inner = {"cached_tokens": usage.cached_tokens}
    if usage.cache_write_tokens:
        inner["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": inner,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
