"""
A client's whole request, in no wire's words.

Lives here: the fields beside messages and tools (see `turns_in`, `tools_in`), and the names of those that no other
wire has a word for. Must not: checking what no upstream could understand (see `request_in`). Called through `road`,
only where the upstream speaks another wire.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from everup.shapes.chat import ChatRequest, Format, Sampling
from everup.wires.fields import EMPTY_VALUES
from everup.wires.openai_chat.effort_in import READ as REASONING_FIELDS
from everup.wires.openai_chat.effort_in import read_reasoning
from everup.wires.openai_chat.tools_in import decode_table, read_choice, read_tools, value_of
from everup.wires.openai_chat.turns_in import read_turns
from everup.wires.openai_chat.values import flag, kind_of, number, rows, text, whole
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

    from everup.shapes.asked import Asked
    from everup.shapes.fault import Fault

READ = REASONING_FIELDS | {
    "model",
    "messages",
    "stream",
    "stream_options",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "user",
    "safety_identifier",
    "modalities",
}
"""Fields with a word in `ChatRequest`; all others are named as unread."""
NATIVE = ("web_search_options", "audio")
"""Fields that ask for what only their own provider has; leaving them out would change what is asked."""
NEUTRAL = {"n": b"1"}
"""Values that ask for nothing beyond the usual."""


def read_chat(asked: Asked) -> ChatRequest | Fault:
    """Return a whole request, or the fault of what cannot be said in another wire."""
    try:
        return chat_of(asked)
    except Unsayable as broken:
        return broken.fault()


def chat_of(asked: Asked) -> ChatRequest:
    """Return a whole request; `Unsayable` for what no other wire could be told."""
    fields = asked.fields
    check_native(fields)
    return ChatRequest(
        messages=read_turns(value_of(fields, "messages")),
        tools=read_tools(fields),
        tool_choice=read_choice(fields),
        is_parallel=read_parallel(fields),
        sampling=read_sampling(fields),
        output_tokens_max=read_limit(fields),
        reasoning=read_reasoning(fields),
        format=read_format(fields),
        is_stream=asked.is_stream,
        user=read_user(fields),
        unread=tuple(name for name, raw in fields.items() if name not in READ and says_something(name, raw)),
    )


def says_something(name: str, raw: Raw) -> bool:
    """Return whether a field asks for anything: an empty or usual value does not."""
    value = bytes(raw)
    return value not in EMPTY_VALUES and value != NEUTRAL.get(name)


def check_native(fields: Mapping[str, Raw]) -> None:
    """
    `Unsayable` for what only one provider has.

    Another kind of answer than text, a provider's own tools.
    """
    for name in NATIVE:
        if name in fields and says_something(name, fields[name]):
            raise Unsayable(name, "asks for something that other providers do not have")
    for kind in rows(value_of(fields, "modalities"), "modalities"):
        if kind != "text":
            raise Unsayable("modalities", "asks for another kind of answer than text")


def read_user(fields: Mapping[str, Raw]) -> str:
    """Return who asks, by the newer name or the older."""
    names = ("safety_identifier", "user")
    return next((said for name in names if (said := text(value_of(fields, name), name))), "")


def read_sampling(fields: Mapping[str, Raw]) -> Sampling:
    """Return the numbers that steer the choice of words."""
    get = partial(value_of, fields)
    return Sampling(
        temperature=number(get("temperature"), "temperature"),
        top_p=number(get("top_p"), "top_p"),
        top_k=whole(get("top_k"), "top_k"),
        min_p=number(get("min_p"), "min_p"),
        seed=whole(get("seed"), "seed"),
        presence_penalty=number(get("presence_penalty"), "presence_penalty"),
        frequency_penalty=number(get("frequency_penalty"), "frequency_penalty"),
        stop=read_stops(get("stop")),
    )


def read_stops(stop: object) -> tuple[str, ...]:
    """Return the stop sequences; an empty one stops nothing."""
    given = [stop] if isinstance(stop, str) else rows(stop, "stop")
    return tuple(word for index, each in enumerate(given) if (word := text(each, f"stop[{index}]")))


def read_limit(fields: Mapping[str, Raw]) -> int | None:
    """
    Return the most tokens of an answer.

    The newer name counts, and -1 is what local clients call no limit.
    """
    for name in ("max_completion_tokens", "max_tokens"):
        limit = whole(value_of(fields, name), name)
        if limit is not None and limit != -1:
            if limit < 1:
                raise Unsayable(name, "must be a positive number")
            return limit
    return None


def read_parallel(fields: Mapping[str, Raw]) -> bool | None:
    """
    Return whether several calls may come at once.

    Who speaks of `functions` can read only one.
    """
    said = flag(value_of(fields, "parallel_tool_calls"), "parallel_tool_calls")
    return False if said is None and is_legacy(fields) else said


def is_legacy(fields: Mapping[str, Raw]) -> bool:
    """Return whether a client speaks of `functions`, the older form of tools."""
    return "functions" in fields and "tools" not in fields


def read_format(fields: Mapping[str, Raw]) -> Format | None:
    """Return the form an answer must have, None for plain text."""
    try:
        given = decode_table(fields["response_format"]) if "response_format" in fields else None
    except msgspec.ValidationError:
        raise Unsayable("response_format", "must be an object") from None
    kind = value_of(given, "type") if given else "text"
    if not given or kind == "text":
        return None
    if kind == "json_object":
        return Format()
    if kind != "json_schema":
        raise Unsayable("response_format", f"is of a type ({kind_of(kind)}) that other providers do not have")
    return read_schema(given)


def read_schema(given: Mapping[str, Raw]) -> Format:
    """Return the schema an answer must follow, byte for byte."""
    place = "response_format.json_schema"
    try:
        described = (decode_table(given["json_schema"]) if "json_schema" in given else None) or {}
    except msgspec.ValidationError:
        raise Unsayable(place, "must be an object") from None
    schema = described.get("schema")
    return Format(
        schema=None if schema is None or bytes(schema) == b"null" else schema,
        name=text(value_of(described, "name"), f"{place}.name"),
        description=text(value_of(described, "description"), f"{place}.description"),
        is_strict=flag(value_of(described, "strict"), f"{place}.strict"),
    )
