"""
A request that came in another wire, as an upstream of this one gets it.

Lives here: the fields of the body, in a fixed order; before the messages stands nothing that a longer conversation
changes. Must not: turns, tools, thinking (see `turns_out`, `tools_out`, `thinking_out`), and the same wire on both
sides (see `relay_request`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from everup.shapes.chat import Encoded
from everup.wires.anthropic.cache import add_marks
from everup.wires.anthropic.models import Traits, traits_of
from everup.wires.anthropic.quirks import NO_SYSTEM_TURNS
from everup.wires.anthropic.relay_request import merge_params
from everup.wires.anthropic.thinking_out import plan_thinking
from everup.wires.anthropic.tools_out import FORCED, answer_tool, choice_of, tools_of
from everup.wires.anthropic.turns_out import TurnsOut
from everup.wires.mint import digest
from everup.wires.unsayable import Unwritable

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest
    from everup.shapes.route import Candidate
    from everup.wires.anthropic.blocks_out import Row
    from everup.wires.anthropic.thinking_out import Plan

encode = msgspec.json.Encoder().encode

FOREIGN_SAMPLING = ("min_p", "seed", "presence_penalty", "frequency_penalty")
"""Numbers that this wire has no word for."""
TOP_P_MIN = 0.95
"""While a model thinks."""
USER_CHARS_MAX = 256
PERSONAL = re.compile(r".*@.*|\+?[\d\s().-]{7,}", re.ASCII | re.DOTALL)
"""E-mail addresses and telephone numbers: the provider refuses a request that names somebody so."""


def write_chat(chat: ChatRequest, candidate: Candidate, *, foreign: frozenset[str] | None) -> Encoded:
    """Return the upstream body for one candidate, and what it could not hold."""
    model = candidate.model.ref.model
    traits = traits_of(model)
    may_stand = traits.has_system_turns and NO_SYSTEM_TURNS not in candidate.provider.quirks
    turns = TurnsOut(has_system_turns=may_stand, foreign=foreign)
    try:
        turns.write(chat.messages)
    except Unwritable as broken:
        return Encoded(fault=broken.fault())
    answer = answer_tool(chat, traits)
    tools = tools_of(chat, traits, answer, turns.blocks)
    choice = choice_of(chat, traits, answer, turns.blocks)
    limit = limit_of(chat, candidate, traits)
    plan = plan_thinking(
        chat.reasoning,
        traits,
        tokens_max=limit,
        is_forced=choice.get("type") in FORCED,
        lacks_thinking=turns.lacks_thinking(),
    )
    add_marks(chat, candidate, tools, turns.system, turns.turns[-1][1], has_marks=turns.blocks.has_marks)
    fields: Row = {"system": turns.system, "tools": tools}
    body: Row = {"model": model, **{name: rows for name, rows in fields.items() if rows}, "messages": turns.rows()}
    body["max_tokens"] = limit
    dropped = turns.blocks.dropped
    body |= steering_of(chat, traits, plan, choice, dropped)
    if chat.user:
        body["metadata"] = {"user_id": user_of(chat.user)}
    if chat.is_stream:
        body["stream"] = True
    merge_params(body, candidate.model.params)
    return Encoded(encode(body), (*dict.fromkeys(dropped), *chat.unread))


def limit_of(chat: ChatRequest, candidate: Candidate, traits: Traits) -> int:
    """
    Return the most tokens of the answer.

    The client's limit, else a configured one, else the family's; never more than the family can.
    """
    params = candidate.model.params.get("max_tokens")
    configured = params if isinstance(params, int) and params > 0 else candidate.model.output_tokens_max
    limit = chat.output_tokens_max or configured or traits.output
    return min(limit, traits.output_max or limit)


def steering_of(chat: ChatRequest, traits: Traits, plan: Plan, choice: Row, dropped: list[str]) -> Row:
    """Return the fields that steer the answer, and name what has none."""
    fields: Row = {}
    if plan.thinking:
        fields["thinking"] = plan.thinking
    output = output_of(chat, traits, plan, dropped)
    if output:
        fields["output_config"] = output
    if choice:
        fields["tool_choice"] = choice
    if plan.is_left_out:
        dropped.append("reasoning_effort")
    fields |= sampling_of(chat, traits, plan, dropped)
    stops = [each for each in chat.sampling.stop if each.strip()]
    if stops:
        fields["stop_sequences"] = stops
    if len(stops) < len(chat.sampling.stop):
        dropped.append("stop")
    if chat.keep_alive:
        dropped.append("keep_alive")
    return fields


def output_of(chat: ChatRequest, traits: Traits, plan: Plan, dropped: list[str]) -> Row:
    """Return `output_config`: the effort, and the schema of a structured answer."""
    output: Row = {"effort": plan.effort} if plan.effort else {}
    if chat.format is not None and chat.format.schema is None:
        dropped.append("response_format")
    elif chat.format is not None and traits.has_formats:
        output["format"] = {"type": "json_schema", "schema": chat.format.schema}
    return output


def sampling_of(chat: ChatRequest, traits: Traits, plan: Plan, dropped: list[str]) -> Row:
    """
    Return the numbers that the model takes.

    Temperature goes to 1 here. Where a model refuses a number, its own default says the same as none.
    """
    wanted = chat.sampling
    temperature = None if wanted.temperature is None else min(max(wanted.temperature, 0), 1)
    found = {"temperature": temperature, "top_p": wanted.top_p, "top_k": wanted.top_k}
    is_bound = plan.is_on or not traits.has_sampling
    refused = set()
    if is_bound:
        is_high = wanted.top_p is not None and wanted.top_p >= TOP_P_MIN and traits.has_sampling
        refused = {"temperature", "top_k"} if is_high else {"temperature", "top_p", "top_k"}
    elif not traits.has_both and temperature is not None and wanted.top_p is not None:
        refused = {"temperature"} if temperature == 1 else {"top_p"}
    fields: Row = {}
    for name, value in found.items():
        if value is not None and name not in refused:
            fields[name] = value
        elif value is not None and not (value == 1 and name != "top_k"):
            dropped.append(name)
    dropped += [name for name in FOREIGN_SAMPLING if getattr(wanted, name) is not None]
    return fields


def user_of(user: str) -> str:
    """Return who asks, as an opaque word where the provider would refuse it."""
    if len(user) <= USER_CHARS_MAX and not PERSONAL.fullmatch(user):
        return user
    return "user_" + digest(user.encode("utf-8", "replace"))
