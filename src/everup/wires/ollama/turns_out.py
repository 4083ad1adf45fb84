"""
The messages of a request as an Ollama server reads them.

Lives here: one row per turn and per tool result, in their order: nothing later changes an earlier row, so that a
longer conversation begins with the bytes of the shorter. Must not: the fields beside them (see `request_out`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from everup.shapes.chat import Audio, Document, Image, Message, Role, Text, Thinking, ToolCall, ToolResult
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from everup.shapes.chat import Part

Row = dict[str, object]

ALL = "*"
EMPTY_OBJECT = Raw(b"{}")
GAPS = {Role.ASSISTANT: ""}
"""What stands between the texts of a turn: nothing in a model's own, else `GAP`, as Ollama joins messages itself."""
GAP = "\n\n"
DETAIL_USUAL = frozenset({"", "auto"})
decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


class Turns:
    """The rows made so far; `dropped` names what they could not hold, each once."""

    def __init__(self, foreign: frozenset[str] | None) -> None:
        self.keeps_thinking = not (foreign and ALL in foreign)
        self.names: dict[str, str] = {}
        self.dropped: dict[str, None] = {}

    def rows_of(self, messages: tuple[Message, ...]) -> list[Row]:
        """Return the rows of a conversation."""
        rows: list[Row] = []
        for number, message in enumerate(messages):
            place = f"messages[{number}]"
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            rows += [self.result_row(result, place) for result in results]
            if len(results) < len(message.parts) or not results:
                rows.append(self.turn_row(message, place))
        return rows

    def turn_row(self, message: Message, place: str) -> Row:
        """Return what one speaks: texts joined, images beside them, then calls."""
        if message.name:
            self.dropped[f"{place}.name"] = None
        row: Row = {"role": message.role.value, "content": texts_of(message.parts, message.role, place)}
        thoughts = "".join(part.text for part in message.parts if isinstance(part, Thinking) and is_own(part))
        if thoughts and self.keeps_thinking and message.role is Role.ASSISTANT:
            row["thinking"] = thoughts
        self.add_images(row, message.parts, place)
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        if calls:
            row["tool_calls"] = [self.call_row(call, f"{place}.tool_calls[{each}]") for each, call in enumerate(calls)]
        return row

    def call_row(self, call: ToolCall, place: str) -> Row:
        """
        Return a call of the history.

        Its arguments are an object here, its bytes unchanged.
        """
        self.names[call.id] = call.name
        arguments = object_of(call.arguments, f"{place}.function.arguments")
        return {"id": call.id, "function": {"name": call.name, "arguments": arguments}}

    def result_row(self, result: ToolResult, place: str) -> Row:
        """
        Return a tool's result.

        Told by the tool's name, which the history knows by the call's id.
        """
        if result.is_error:
            self.dropped[f"{place}.is_error"] = None
        row: Row = {"role": Role.TOOL.value, "content": texts_of(result.parts, Role.TOOL, place)}
        self.add_images(row, result.parts, place)
        name = result.name or self.names.get(result.id, "")
        if name:
            row["tool_name"] = name
        row["tool_call_id"] = result.id
        return row

    def add_images(self, row: Row, parts: tuple[Part, ...], place: str) -> None:
        """The images of a turn stand beside its text, as base64 without a prefix."""
        images = []
        for number, part in enumerate(parts):
            if isinstance(part, Image):
                if not part.data:
                    where = f"{place}.content[{number}]"
                    raise Unsayable(where, "is an image by address: Ollama takes its bytes only, nothing is fetched")
                if part.detail not in DETAIL_USUAL:
                    self.dropped["image_url.detail"] = None
                images.append(part.data)
        if images:
            row["images"] = images


def is_own(thinking: Thinking) -> bool:
    """
    Return whether thinking may have come from an Ollama server.

    Which neither signs nor hides it.
    """
    return not thinking.signature and not thinking.hidden


def texts_of(parts: tuple[Part, ...], role: Role, place: str) -> str:
    """
    Return the texts of a turn as one.

    A document that is plain text is one of them.
    """
    texts = []
    for number, part in enumerate(parts):
        match part:
            case Text(text=text):
                texts.append(text)
            case Document(text=text) if text:
                texts.append(text)
            case Document() | Audio():
                kind = "a recording" if isinstance(part, Audio) else "a file"
                raise Unsayable(f"{place}.content[{number}]", f"is {kind}, which Ollama does not take")
    return GAPS.get(role, GAP).join(texts)


def object_of(arguments: str, place: str) -> Raw:
    """Return the JSON text of an object as it is; none is an empty object."""
    if arguments.strip() in {"", "null"}:
        return EMPTY_OBJECT
    try:
        data = arguments.encode()
        decode_object(data)
    except (ValueError, RecursionError):
        raise Unsayable(place, "is not the JSON text of an object, which Ollama needs") from None
    return Raw(data)
