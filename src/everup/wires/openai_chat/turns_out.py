"""
Messages in this wire's words.

Lives here: one JSON object per turn, its fields in a fixed order. Must not: fields beside the messages (see
`request_out`). A turn's bytes depend on nothing but the turn, so that prompt caches hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.shapes.chat import Audio, Document, Image, Part, Role, Text, Thinking, ToolCall, ToolResult
from everup.wires.openai_chat.reasoning import ALL
from everup.wires.openai_chat.thoughts import write_details
from everup.wires.unsayable import Unwritable

if TYPE_CHECKING:
    from everup.shapes.chat import CacheMark, Message

Row = dict[str, object]


class TurnsOut:
    """
    The writer of one request's turns.

    What its provider understands, and whose thinking is left out.
    """

    def __init__(self, *, has_marks: bool, foreign: frozenset[str] | None) -> None:
        self.has_marks = has_marks
        self.foreign = foreign or frozenset()

    def write(self, message: Message, place: str) -> list[Row]:
        """Return a turn as this wire's messages: each tool result is one of its own."""
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        written = [self.write_result(each, f"{place}.parts[{index}]") for index, each in enumerate(results)]
        if message.role is not Role.TOOL:
            written.append(self.write_turn(message, place))
        return written

    def write_turn(self, message: Message, place: str) -> Row:
        """Return one turn that is no tool result."""
        said = [
            self.write_part(part, f"{place}.parts[{index}]")
            for index, part in enumerate(message.parts)
            if not isinstance(part, Thinking | ToolCall | ToolResult)
        ]
        calls = [self.write_call(part) for part in message.parts if isinstance(part, ToolCall)]
        details = self.details(message)
        row: Row = {"role": message.role.value}
        if message.name:
            row["name"] = message.name
        row["content"] = None if calls and not said else shortened(said)
        if details:
            row["reasoning_details"] = details
        if calls:
            row["tool_calls"] = calls
        return row

    def details(self, message: Message) -> list[dict[str, object]]:
        """
        Return the thinking that its minter can take back.

        None unless this provider passes it there.
        """
        if not self.has_marks or ALL in self.foreign or message.role is not Role.ASSISTANT:
            return []
        thoughts = [part for part in message.parts if isinstance(part, Thinking)]
        return write_details(each for each in thoughts if self.foreign.isdisjoint((each.signature, each.hidden)))

    def write_part(self, part: Part, place: str) -> Row:
        """Return one part of a content."""
        match part:
            case Text(text=text, is_refusal=True):
                return self.marked({"type": "refusal", "refusal": text}, part.cache)
            case Text(text=text):
                return self.marked({"type": "text", "text": text}, part.cache)
            case Image():
                return self.marked({"type": "image_url", "image_url": image_of(part, place)}, part.cache)
            case Document(text=text) if text:
                return self.marked({"type": "text", "text": text}, part.cache)
            case Document():
                return self.marked({"type": "file", "file": file_of(part, place)}, part.cache)
            case Audio(data=data, format=form):
                return {"type": "input_audio", "input_audio": {"data": data, "format": form}}
            case _:
                raise Unwritable(place, "has no place in a chat completion's content")

    def write_call(self, call: ToolCall) -> Row:
        """Return one tool call."""
        function = {"name": call.name, "arguments": call.arguments}
        return self.marked({"id": call.id, "type": "function", "function": function}, call.cache)

    def write_result(self, result: ToolResult, place: str) -> Row:
        """Return one tool result; it can be nothing but text here."""
        if not all(isinstance(part, Text) for part in result.parts):
            raise Unwritable(place, "holds something else than text, which a tool's result cannot in this wire")
        row: Row = {"role": "tool", "tool_call_id": result.id}
        if result.name:
            row["name"] = result.name
        row["content"] = shortened([self.write_part(part, place) for part in result.parts])
        return self.marked(row, result.cache)

    def marked(self, row: Row, mark: CacheMark | None) -> Row:
        """Return a row with its cache mark, if this provider understands one."""
        if mark is not None and self.has_marks:
            row["cache_control"] = {"type": "ephemeral", **({"ttl": mark.ttl} if mark.ttl else {})}
        return row


def shortened(said: list[Row]) -> object:
    """Return a content: a mere text as a text, for the servers that know no parts."""
    if not said:
        return ""
    only = said[0]
    is_mere = len(said) == 1 and only["type"] == "text" and len(only) == 2
    return only["text"] if is_mere else said


def image_of(image: Image, place: str) -> Row:
    """Return an image's address, which may hold its data."""
    if not image.data and not image.url:
        raise Unwritable(place, "is an image that only another provider holds")
    url = f"data:{image.media_type};base64,{image.data}" if image.data else image.url
    return {"url": url, **({"detail": image.detail} if image.detail else {})}


def file_of(file: Document, place: str) -> Row:
    """Return a file by its provider's id, by its data or by its address."""
    name = {"filename": file.name} if file.name else {}
    if file.file_id:
        return {"file_id": file.file_id, **name}
    if not file.data and not file.url:
        raise Unwritable(place, "is a file without data")
    data = f"data:{file.media_type};base64,{file.data}" if file.media_type else file.data
    return {**name, "file_data": data if file.data else file.url}
