"""
A request in no wire's words as an Ollama server reads it.

Lives here: the fields beside the messages (see `turns_out`), in one fixed order with the messages last. Must not:
checking. What has no counterpart is named in `Encoded.dropped` by the name that chat completions have for it.
Cache marks are no loss: an Ollama server keeps the whole prompt by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from everup.shapes.chat import ChatRequest, Encoded, Sampling, Tool, ToolMode
from everup.wires.ollama.quirks import think_of
from everup.wires.ollama.relay_request import merge_params
from everup.wires.ollama.turns_out import Turns
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from everup.shapes.route import Candidate

FORCED = frozenset({ToolMode.REQUIRED, ToolMode.NAMED})
JSON = "json"
"""The format of any JSON object."""
WHOLE = {"truncate": False, "shift": False}
"""
A prompt beyond the window is refused and an answer beyond it ends with "length".

Without these a server forgets the conversation's begin and says nothing (since 0.12.6, older ones ignore them).
"""

encode = msgspec.json.Encoder().encode


def write_chat(chat: ChatRequest, candidate: Candidate, *, foreign: frozenset[str] | None) -> Encoded:
    """Return the upstream body for one candidate, and what it could not hold."""
    turns = Turns(foreign)
    try:
        rows = turns.rows_of(chat.messages)
    except Unsayable as broken:
        return Encoded(fault=broken.fault())
    model = candidate.model.ref.model
    fields: dict[str, object] = {"model": model, "stream": chat.is_stream}
    think = think_of(chat.reasoning, model)
    if think is not None:
        fields["think"] = think
    if chat.format is not None:
        fields["format"] = JSON if chat.format.schema is None else chat.format.schema
    if chat.keep_alive:
        fields["keep_alive"] = Raw(chat.keep_alive.encode())
    options = options_of(chat.sampling, chat.output_tokens_max)
    if options:
        fields["options"] = options
    tools = offered(chat)
    if tools:
        fields["tools"] = [tool_row(tool) for tool in tools]
    merge_params(fields, candidate.model.params)
    fields = {**fields, **{name: fields.get(name, value) for name, value in WHOLE.items()}, "messages": rows}
    return Encoded(encode(fields), dropped_of(chat, tools, turns))


def options_of(sampling: Sampling, output_tokens_max: int | None) -> dict[str, object]:
    """Return the options a client set."""
    options: dict[str, object] = {
        "num_predict": output_tokens_max,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": sampling.stop or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def offered(chat: ChatRequest) -> tuple[Tool, ...]:
    """Return the tools the model gets to see: those it may call."""
    choice = chat.tool_choice
    if choice is None or (choice.mode is not ToolMode.NONE and not choice.names):
        return chat.tools
    if choice.mode is ToolMode.NONE:
        return ()
    return tuple(tool for tool in chat.tools if tool.name in choice.names)


def tool_row(tool: Tool) -> dict[str, object]:
    """Return one tool; its schema is passed byte for byte."""
    function: dict[str, object] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    return {"type": "function", "function": function}


def dropped_of(chat: ChatRequest, tools: tuple[Tool, ...], turns: Turns) -> tuple[str, ...]:
    """Return the names of what the body could not hold."""
    names = list(turns.dropped)
    if chat.tool_choice is not None and chat.tool_choice.mode in FORCED:
        names.append("tool_choice")
    if tools and chat.is_parallel is False:
        names.append("parallel_tool_calls")
    if any(tool.is_strict for tool in tools):
        names.append("tools.function.strict")
    if chat.user:
        names.append("user")
    return (*names, *chat.unread)
