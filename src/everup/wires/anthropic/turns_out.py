"""
Messages in this wire's words.

Lives here: which blocks a turn becomes, and how turns are put together: neighbours of one role merged, results first,
instructions where they may stand. Must not: single blocks (see `blocks_out`), other fields (see `request_out`).
A turn's bytes depend on nothing that comes later, but for the one exception in `TurnsOut.may_stand`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.shapes.chat import Role, Text, Thinking, ToolCall, ToolResult
from everup.wires.anthropic.blocks_out import BlocksOut, Row
from everup.wires.unsayable import Unwritable

if TYPE_CHECKING:
    from everup.shapes.chat import Message

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
ROLES = {Role.SYSTEM: SYSTEM, Role.USER: USER, Role.ASSISTANT: ASSISTANT, Role.TOOL: USER}
THOUGHTS = frozenset({"thinking", "redacted_thinking"})
NOTHING_SAID = "."
"""
The user's turn where there must be one and nothing is said.

The provider wants a turn beside the instructions; recorded clients send this one.
"""
Turn = tuple[str, list[Row]]


class TurnsOut:
    """
    The writer of one request's turns.

    `system` are the leading instructions, `turns` all that follows, each a role and its blocks.
    """

    def __init__(self, *, has_system_turns: bool, foreign: frozenset[str] | None) -> None:
        self.has_system_turns = has_system_turns
        self.blocks = BlocksOut(foreign)
        self.system: list[Row] = []
        self.turns: list[Turn] = []

    def write(self, messages: tuple[Message, ...]) -> None:
        """Write all messages; `Unwritable` names a part that this wire cannot hold."""
        said: list[Turn] = []
        is_begun = False
        for index, message in enumerate(messages):
            blocks = self.blocks_of(message, f"messages[{index}]")
            is_begun = is_begun or message.role is not Role.SYSTEM
            if not is_begun:
                self.system += blocks
            elif blocks:
                said.append((ROLES[message.role], blocks))
            elif not said and message.role is Role.USER:
                said.append((USER, [nothing()]))
        for index, (role, blocks) in enumerate(said):
            if role == SYSTEM and not self.may_stand(said[index:]):
                self.add(USER, [wrapped(block) for block in blocks])
            else:
                self.add(role, blocks)
        if not self.turns:
            self.add(USER, [nothing()])

    def blocks_of(self, message: Message, place: str) -> list[Row]:
        """
        Return a turn's blocks: what says something.

        None of thinking at the end: the provider refuses such a turn.
        """
        if message.name and message.role is not Role.TOOL:
            self.blocks.dropped.append(f"{place}.name")
        found: list[Row] = []
        contents = calls = 0
        for part in message.parts:
            if isinstance(part, Thinking):
                found += self.blocks.thinking(part) if message.role is Role.ASSISTANT else []
            elif isinstance(part, ToolCall):
                found.append(self.blocks.call(part, f"{place}.tool_calls[{calls}]"))
                calls += 1
            elif isinstance(part, ToolResult):
                found.append(self.blocks.result(part, f"{place}.content"))
            else:
                where = f"{place}.content[{contents}]"
                if message.role in {Role.SYSTEM, Role.ASSISTANT} and not isinstance(part, Text):
                    raise Unwritable(where, "is something else than text, which Anthropic takes only from a user")
                found += self.blocks.content(part, where)
                contents += 1
        while found and found[-1]["type"] in THOUGHTS:
            found.pop()
        return found

    def may_stand(self, rest: list[Turn]) -> bool:
        """
        Return whether instructions may stand here as a turn of their own.

        The provider takes them between the user's turn and the model's, or at the end ("Mid-conversation system
        messages"). So a user's turn that is added right behind them makes them a text of that turn: the one case
        in which a later turn changes the one before it.
        """
        follows = bool(self.turns) and self.turns[-1][0] != ASSISTANT
        after = next((role for role, _ in rest if role != SYSTEM), ASSISTANT)
        return self.has_system_turns and follows and after == ASSISTANT

    def add(self, role: str, blocks: list[Row]) -> None:
        """
        Add blocks to the last turn if it is of this role, else begin one.

        Results stand first in theirs.
        """
        if not self.turns or self.turns[-1][0] != role:
            self.turns.append((role, list(blocks)))
            return
        content = self.turns[-1][1]
        content += blocks
        content.sort(key=lambda block: block["type"] != "tool_result")

    def lacks_thinking(self) -> bool:
        """
        Return whether the model's last turn forbids thinking with a budget.

        "A final assistant message must start with a thinking block" where it called a tool or is not complete.
        """
        for place, (role, blocks) in enumerate(reversed(self.turns)):
            if role == ASSISTANT:
                is_open = place == 0 or any(block["type"] == "tool_use" for block in blocks)
                return is_open and blocks[0]["type"] not in THOUGHTS
        return False

    def rows(self) -> list[Row]:
        """Return the turns as the messages of a body."""
        return [{"role": role, "content": blocks} for role, blocks in self.turns]


def wrapped(block: Row) -> Row:
    """Return instructions as a text of the user's turn."""
    return {**block, "text": f"<system>\n{block['text']}\n</system>"}


def nothing() -> Row:
    """Return the block of a turn in which nothing is said."""
    return {"type": "text", "text": NOTHING_SAID}
