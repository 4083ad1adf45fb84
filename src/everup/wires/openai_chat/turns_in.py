"""
A client's messages, in no wire's words.

Lives here: one function per role, and the calls that still lack their result. Must not: the parts of a content (see
`parts_in`). The order of the messages stays; neighbours of one role stay apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from everup.shapes.chat import Document, Image, Message, Part, Role, Text, ToolCall, ToolResult
from everup.wires.mint import mint_call_id
from everup.wires.openai_chat.parts_in import THINKING_TYPES, read_mark, read_parts, with_mark
from everup.wires.openai_chat.thoughts import read_replayed
from everup.wires.openai_chat.values import Table, kind_of, rows, table, text
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = frozenset({"text"})
USER_PARTS = frozenset({"text", "image_url", "input_image", "input_audio", "file"})
ASSISTANT_PARTS = frozenset({"text", "refusal"}) | THINKING_TYPES
RESULT_PARTS = frozenset({"text", "image_url", "input_image", "file"})
"""OpenAI's tool messages hold texts; agents send images in them all the same."""


class Turns:
    """
    The messages read so far.

    `open` are the ids and names of calls without a result, in their order.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.open: list[tuple[str, str]] = []

    def read(self, value: object, place: str) -> None:
        """Read one message and add it."""
        row = table(value, place)
        role = row.get("role")
        read = READERS.get(role) if isinstance(role, str) else None
        if read is None:
            raise Unsayable(f"{place}.role", f"is {kind_of(role)}, which no other wire knows")
        self.messages.append(read(self, row, place))

    def read_system(self, row: Table, place: str) -> Message:
        """Return instructions; `developer` is OpenAI's newer word for `system`."""
        return message_of(Role.SYSTEM, row, place, TEXTS)

    def read_user(self, row: Table, place: str) -> Message:
        """Return what the user says."""
        return message_of(Role.USER, row, place, USER_PARTS)

    def read_assistant(self, row: Table, place: str) -> Message:
        """Return a model's turn: thinking, then text, then calls."""
        if row.get("audio") is not None:
            raise Unsayable(f"{place}.audio", "is a recording that only the provider that made it holds")
        said = message_of(Role.ASSISTANT, row, place, ASSISTANT_PARTS)
        refusal = text(row.get("refusal"), f"{place}.refusal")
        refused = (Text(refusal, is_refusal=True),) if refusal else ()
        calls = self.read_calls(row, place)
        self.open += [(call.id, call.name) for call in calls]
        return Message(Role.ASSISTANT, (*read_replayed(row), *said.parts, *refused, *calls), said.name)

    def read_calls(self, row: Table, place: str) -> list[ToolCall]:
        """
        Return the calls of a turn.

        One without an id gets that which its answer's reader gave it.
        """
        calls = rows(row.get("tool_calls"), f"{place}.tool_calls")
        found = [self.read_call(each, f"{place}.tool_calls[{index}]", index) for index, each in enumerate(calls)]
        legacy = row.get("function_call")
        if legacy is not None:
            found.append(self.call_of("", table(legacy, f"{place}.function_call"), f"{place}.function_call", 0))
        return found

    def read_call(self, value: object, place: str, index: int) -> ToolCall:
        """Return one call of a function."""
        call = table(value, place)
        if call.get("type") not in {None, "function"}:
            raise Unsayable(place, "is not the call of a function")
        made = self.call_of(text(call.get("id"), f"{place}.id"), table(call.get("function"), place), place, index)
        mark = read_mark(call)
        return msgspec.structs.replace(made, cache=mark) if mark else made

    def call_of(self, call_id: str, function: Table, place: str, index: int) -> ToolCall:
        """Return the call of a function by its name and arguments."""
        name = text(function.get("name"), f"{place}.name")
        if not name:
            raise Unsayable(place, "names no function")
        given = function.get("arguments")
        # An object instead of its JSON text is a common slip, and says the same.
        arguments = (
            msgspec.json.encode(given).decode() if isinstance(given, dict) else text(given, f"{place}.arguments")
        )
        made = call_id or mint_call_id(len(self.messages), index, name, arguments)
        return ToolCall(id=made, name=name, arguments=arguments)

    def read_result(self, row: Table, place: str) -> Message:
        """Return a tool's result; `function` is the older word for the role."""
        name = text(row.get("name"), f"{place}.name")
        call_id = self.close(text(row.get("tool_call_id"), f"{place}.tool_call_id"), name)
        if not call_id:
            raise Unsayable(f"{place}.tool_call_id", "is missing, and no call is open that this could be the result of")
        parts = read_parts(row.get("content"), f"{place}.content", RESULT_PARTS)
        kept = tuple(part for part in parts if isinstance(part, Text | Image | Document))
        return Message(Role.TOOL, (ToolResult(id=call_id, parts=kept, name=name, cache=read_mark(row)),))

    def close(self, call_id: str, name: str) -> str:
        """
        Return the id of the call that a result answers.

        Its own, else the first open one of that name.
        """
        for index, (open_id, open_name) in enumerate(self.open):
            if call_id == open_id or (not call_id and name in {"", open_name}):
                del self.open[index]
                return open_id
        return call_id


READERS: dict[str, Callable[[Turns, Table, str], Message]] = {
    "system": Turns.read_system,
    "developer": Turns.read_system,
    "user": Turns.read_user,
    "assistant": Turns.read_assistant,
    "tool": Turns.read_result,
    "function": Turns.read_result,
}


def message_of(role: Role, row: Table, place: str, kinds: frozenset[str]) -> Message:
    """Return a message of a content and a name."""
    parts: tuple[Part, ...] = read_parts(row.get("content"), f"{place}.content", kinds)
    return Message(role, with_mark(parts, read_mark(row)), text(row.get("name"), f"{place}.name"))


def read_turns(messages: object) -> tuple[Message, ...]:
    """Return all messages of a request."""
    turns = Turns()
    for index, value in enumerate(rows(messages, "messages")):
        turns.read(value, f"messages[{index}]")
    return tuple(turns.messages)
