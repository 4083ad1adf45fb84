"""
A request that came in another wire, as an upstream of this one gets it.

Lives here: the fields of the body, in a fixed order. Must not: the turns themselves (see `turns_out`), and the same
wire on both sides (see `relay_request`). The messages stand first: a longer conversation begins with the bytes of
the shorter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.shapes.chat import Effort, Encoded, ToolMode
from everup.wires.openai_chat.quirks import NO_STREAM_OPTIONS, OPENROUTER_WORDS, limit_name
from everup.wires.openai_chat.relay_request import OURS, USAGE_ONLY, merge_params
from everup.wires.openai_chat.turns_out import Row, TurnsOut
from everup.wires.unsayable import Unwritable

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest, Format, Reasoning, Tool, ToolChoice
    from everup.shapes.route import Candidate

encode = msgspec.json.Encoder().encode

BUDGETS = ((1, Effort.NONE), (2048, Effort.LOW), (12_288, Effort.MEDIUM))
"""Budgets below these are about so much effort; larger ones are much."""
STEPS = ("temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty")


def write_chat(chat: ChatRequest, candidate: Candidate, *, foreign: frozenset[str] | None) -> Encoded:
    """Return the upstream body for one candidate, and what it could not hold."""
    speaks_openrouter = OPENROUTER_WORDS in candidate.provider.quirks
    turns = TurnsOut(has_marks=speaks_openrouter, foreign=foreign)
    try:
        messages = [row for index, each in enumerate(chat.messages) for row in turns.write(each, f"messages[{index}]")]
    except Unwritable as broken:
        return Encoded(fault=broken.fault())
    body: Row = {"model": candidate.model.ref.model, "messages": messages}
    body |= tools_of(chat, turns)
    body |= sampling_of(chat)
    if chat.output_tokens_max is not None:
        body[limit_name(candidate.model.ref.model)] = chat.output_tokens_max
    if chat.reasoning is not None:
        body |= reasoning_table(chat.reasoning) if speaks_openrouter else effort_of(chat.reasoning)
    if chat.format is not None:
        body["response_format"] = format_of(chat.format)
    if chat.user:
        body["user"] = chat.user
    body |= stream_of(chat, candidate)
    add_params(body, candidate.model.params)
    dropped = (*(("keep_alive",) if chat.keep_alive else ()), *chat.unread)
    return Encoded(encode(body), dropped)


def tools_of(chat: ChatRequest, turns: TurnsOut) -> Row:
    """Return the fields about tools."""
    fields: Row = {}
    if chat.tools:
        fields["tools"] = [
            turns.marked({"type": "function", "function": tool_of(each)}, each.cache) for each in chat.tools
        ]
    if chat.tool_choice is not None:
        fields["tool_choice"] = choice_of(chat.tool_choice)
    if chat.is_parallel is not None:
        fields["parallel_tool_calls"] = chat.is_parallel
    return fields


def tool_of(tool: Tool) -> Row:
    """Return one function; its schema's bytes stay as they came."""
    row: Row = {"name": tool.name}
    if tool.description:
        row["description"] = tool.description
    row["parameters"] = tool.parameters
    if tool.is_strict is not None:
        row["strict"] = tool.is_strict
    return row


def choice_of(choice: ToolChoice) -> object:
    """Return a tool choice, a word where one says it."""
    functions = [{"type": "function", "function": {"name": name}} for name in choice.names]
    if choice.mode is ToolMode.NAMED:
        return functions[0]
    if functions:
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode.value, "tools": functions}}
    return choice.mode.value


def sampling_of(chat: ChatRequest) -> Row:
    """Return the numbers that the client set."""
    fields: Row = {}
    for name in STEPS:
        value = getattr(chat.sampling, name)
        if value is not None:
            fields[name] = value
    if chat.sampling.stop:
        fields["stop"] = chat.sampling.stop
    return fields


def reasoning_table(reasoning: Reasoning) -> Row:
    """Return OpenRouter's `reasoning`."""
    fields: Row = {}
    if reasoning.effort is not None:
        fields["effort"] = reasoning.effort.value
    if reasoning.budget_tokens is not None:
        fields["max_tokens"] = reasoning.budget_tokens
    if reasoning.is_adaptive:
        fields["enabled"] = True
    if not reasoning.is_shown:
        fields["exclude"] = True
    return {"reasoning": fields} if fields else {}


def effort_of(reasoning: Reasoning) -> Row:
    """
    Return the effort, or that which is nearest to a budget.

    What a model decides itself needs no word.
    """
    effort = reasoning.effort
    budget = reasoning.budget_tokens
    if effort is None and budget is not None:
        effort = next((word for limit, word in BUDGETS if budget < limit), Effort.HIGH)
    return {} if effort is None else {"reasoning_effort": effort.value}


def format_of(form: Format) -> Row:
    """
    Return the form an answer must have.

    A schema without a name gets one, for this wire wants it.
    """
    if form.schema is None:
        return {"type": "json_object"}
    schema: Row = {"name": form.name or "answer"}
    if form.description:
        schema["description"] = form.description
    schema["schema"] = form.schema
    if form.is_strict is not None:
        schema["strict"] = form.is_strict
    return {"type": "json_schema", "json_schema": schema}


def stream_of(chat: ChatRequest, candidate: Candidate) -> Row:
    """Return the fields about streaming; usage is always asked for."""
    if not chat.is_stream:
        return {}
    if NO_STREAM_OPTIONS in candidate.provider.quirks:
        return {"stream": True}
    return {"stream": True, "stream_options": USAGE_ONLY}


def add_params(body: Row, params: dict[str, object]) -> None:
    """
    Configured params are added where the body says nothing.

    Inside tables too, one level down.
    """
    for name, value in params.items():
        ours = body.get(name)
        if isinstance(ours, dict) and isinstance(value, dict) and name not in OURS:
            body[name] = {**ours, **{key: each for key, each in value.items() if key not in ours}}
    merge_params(body, params)
