"""
A client's `/api/chat` request in no wire's own words.

Lives here: what its fields mean. Must not: what routing needs (see `request_in`). What other wires have no word for is
named in `unread` where the request keeps its meaning without it; else it is an UNSUPPORTED fault that names its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from everup.shapes.chat import (
    ChatRequest,
    Effort,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from everup.wires.fields import EMPTY_VALUES
from everup.wires.mint import mint_call_id
from everup.wires.ollama.quirks import media_type_of
from everup.wires.ollama.reply_in import Call, arguments_of
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.shapes.asked import Asked
    from everup.shapes.fault import Fault

UNREAD_MAX = 64
"""Names in `unread`: they end in a header."""
PLACE = re.compile(r"(.*) - at `\$(.*)`", re.DOTALL)
ROLES = {role.value: role for role in Role}
EFFORTS: dict[bool | str, Effort] = {
    True: Effort.MEDIUM,
    False: Effort.NONE,
    **{effort.value: effort for effort in Effort},
}
NULL = Raw(b"null")
ANY_OBJECT = b'"json"'
"""The format of any JSON object."""


class Turn(Struct):
    """One message."""

    role: str
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[Call] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class FunctionEntry(Struct):
    """A function's name, words and schema."""

    name: str
    description: str | None = None
    parameters: Raw = NULL


class ToolEntry(Struct):
    """A tool."""

    function: FunctionEntry
    type: str | None = None


class Options(Struct):
    """The options that other wires have a word for."""

    num_predict: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: list[str] | str | None = None


DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "messages": msgspec.json.Decoder(list[Turn]),
    "tools": msgspec.json.Decoder(list[ToolEntry] | None),
    "options": msgspec.json.Decoder(Options | None),
    "think": msgspec.json.Decoder(bool | str | None),
}
READ = frozenset({"model", "stream", "format", "keep_alive", *DECODERS})
decode_table = msgspec.json.Decoder(dict[str, Raw]).decode


def read_chat(asked: Asked) -> ChatRequest | Fault:
    """Return a whole request, or the fault that names what no other wire can say."""
    try:
        return chat_of(asked)
    except Unsayable as broken:
        return broken.fault()


def chat_of(asked: Asked) -> ChatRequest:
    """Return a whole request; `Unsayable` for what no other wire could be told."""
    fields = asked.fields
    options: Options = field_of(fields, "options") or Options()
    think: bool | str | None = field_of(fields, "think")
    limit = options.num_predict
    return ChatRequest(
        messages=Turns().read(field_of(fields, "messages")),
        tools=tuple(tool_of(entry, f"tools[{place}]") for place, entry in enumerate(field_of(fields, "tools") or ())),
        sampling=sampling_of(options),
        output_tokens_max=limit if limit is not None and limit > 0 else None,
        reasoning=Reasoning(effort=EFFORTS[think]) if think in EFFORTS else None,
        format=format_of(fields.get("format", NULL)),
        is_stream=asked.is_stream,
        keep_alive=bytes(fields.get("keep_alive", b"")).decode(),
        unread=unread_in(fields, knows_think=think is None or think in EFFORTS),
    )


def field_of(fields: Mapping[str, Raw], name: str) -> Any:
    """Return one field's value, None where it is absent."""
    if name not in fields:
        return None
    try:
        return DECODERS[name].decode(fields[name])
    except msgspec.ValidationError as misfit:
        found = PLACE.fullmatch(str(misfit))
        words, path = (found[1], found[2]) if found else (str(misfit), "")
        raise Unsayable(f"{name}{path}", f"does not fit /api/chat: {words[0].lower()}{words[1:]}") from None


def unread_in(fields: Mapping[str, Raw], *, knows_think: bool) -> tuple[str, ...]:
    """Return the names of what no other wire has a word for."""
    names = [name for name, raw in fields.items() if name not in READ and bytes(raw) not in EMPTY_VALUES]
    if not knows_think:
        names.append("think")
    raw = fields.get("options", NULL)
    options = decode_table(raw) if bytes(raw) != b"null" else {}
    names += [f"options.{name}" for name in options if name not in Options.__struct_fields__]
    return tuple(names[:UNREAD_MAX])


def sampling_of(options: Options) -> Sampling:
    """Return the numbers that steer the choice of words."""
    stop = [options.stop] if isinstance(options.stop, str) else options.stop or []
    return Sampling(
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        min_p=options.min_p,
        seed=options.seed,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        stop=tuple(word for word in stop if word),
    )


def tool_of(entry: ToolEntry, place: str) -> Tool:
    """Return a tool; its schema passes byte for byte."""
    if entry.type not in {None, "", "function"}:
        raise Unsayable(f"{place}.type", "is not 'function'")
    function = entry.function
    schema = bytes(function.parameters)
    if schema != b"null" and schema[:1] != b"{":
        raise Unsayable(f"{place}.function.parameters", "is not an object")
    parameters = Raw(b"{}") if schema == b"null" else function.parameters
    return Tool(name=function.name, description=function.description or "", parameters=parameters)


def format_of(raw: Raw) -> Format | None:
    """Return the structure the answer must have, byte for byte."""
    value = bytes(raw)
    if value in EMPTY_VALUES:
        return None
    if value == ANY_OBJECT:
        return Format()
    if value[:1] != b"{":
        raise Unsayable("format", 'is neither "json" nor a schema')
    return Format(schema=raw)


class Turns:
    """
    The messages read so far.

    `open` are the ids and names of calls without a result, in their order.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.open: list[tuple[str, str]] = []

    def read(self, turns: list[Turn]) -> tuple[Message, ...]:
        """Return all messages."""
        for number, turn in enumerate(turns):
            role = ROLES.get(turn.role.lower())
            if role is None:
                raise Unsayable(f"messages[{number}].role", "is not one that other wires know")
            self.messages.append(self.result(turn) if role is Role.TOOL else self.said(role, turn))
        return tuple(self.messages)

    def said(self, role: Role, turn: Turn) -> Message:
        """Return what one speaks: thinking, then text, images, calls."""
        parts: list[Part] = [Thinking(text=turn.thinking)] if turn.thinking else []
        parts += parts_of(turn)
        for place, each in enumerate(turn.tool_calls or ()):
            call = self.call(each, place)
            self.open.append((call.id, call.name))
            parts.append(call)
        return Message(role, tuple(parts))

    def call(self, call: Call, place: int) -> ToolCall:
        """Return a call; one without an id gets that which its answer's reader gave it."""
        name, arguments = call.function.name, arguments_of(call.function.arguments)
        made = call.id or mint_call_id(len(self.messages), place, name, arguments)
        return ToolCall(id=made, name=name, arguments=arguments)

    def result(self, turn: Turn) -> Message:
        """Return what a tool gave."""
        name = turn.tool_name or ""
        call_id = self.close(turn.tool_call_id or "", name)
        if not call_id:
            where = f"messages[{len(self.messages)}].tool_name"
            raise Unsayable(where, "names no call without a result, and there is no 'tool_call_id'")
        return Message(Role.TOOL, (ToolResult(id=call_id, parts=parts_of(turn), name=name),))

    def close(self, call_id: str, name: str) -> str:
        """
        Return the id of the call that a result answers.

        Its own, else the first open one of that name.
        """
        for place, (open_id, open_name) in enumerate(self.open):
            if call_id == open_id or (not call_id and name in {"", open_name}):
                del self.open[place]
                return open_id
        return call_id


def parts_of(turn: Turn) -> tuple[Text | Image, ...]:
    """Return a message's text and its images; an empty text is none."""
    text = (Text(turn.content),) if turn.content else ()
    return text + tuple(Image(media_type=media_type_of(data), data=data) for data in turn.images or ())
