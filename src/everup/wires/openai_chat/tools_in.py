"""
A client's tools and which of them it wants called, in no wire's words.

Lives here: `tools`, `tool_choice`, and their older names `functions` and `function_call`. Must not: calls in a history
(see `turns_in`). A schema's bytes stay as they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from everup.shapes.chat import Tool, ToolChoice, ToolMode
from everup.wires.fields import decode_any
from everup.wires.openai_chat.parts_in import read_mark
from everup.wires.openai_chat.values import Table, flag, kind_of, rows, table, text
from everup.wires.unsayable import Unsayable

if TYPE_CHECKING:
    from collections.abc import Mapping

decode_rows = msgspec.json.Decoder(list[dict[str, Raw]] | None).decode
decode_table = msgspec.json.Decoder(dict[str, Raw] | None).decode
NULL = b"null"
NO_PARAMETERS = Raw(b"{}")
MODES = {
    "none": ToolMode.NONE,
    "auto": ToolMode.AUTO,
    "required": ToolMode.REQUIRED,
    "any": ToolMode.REQUIRED,
}
"""`any` is Mistral's word for `required`."""


def read_tools(fields: Mapping[str, Raw]) -> tuple[Tool, ...]:
    """Return the tools, in the client's order."""
    tools = [read_tool(row, f"tools[{index}]") for index, row in enumerate(read_rows(fields, "tools"))]
    for index, row in enumerate(read_rows(fields, "functions")):
        tools.append(read_function(row, f"functions[{index}]", row))
    return tuple(tools)


def read_rows(fields: Mapping[str, Raw], name: str) -> list[dict[str, Raw]]:
    """Return a field's list of objects, none where it is absent."""
    if name not in fields:
        return []
    try:
        return decode_rows(fields[name]) or []
    except msgspec.ValidationError:
        raise Unsayable(name, "must be a list of objects") from None


def read_tool(row: dict[str, Raw], place: str) -> Tool:
    """Return one tool, which must be a function."""
    kind = value_of(row, "type")
    if kind not in {None, "function"}:
        raise Unsayable(place, f"is of a type ({kind_of(kind)}) that other providers do not have")
    try:
        function = decode_table(row.get("function", Raw(NULL))) or {}
    except msgspec.ValidationError:
        raise Unsayable(f"{place}.function", "must be an object") from None
    return read_function(function, f"{place}.function", row)


def read_function(function: dict[str, Raw], place: str, marked: dict[str, Raw]) -> Tool:
    """Return a function; its cache mark stands on it or on the tool around it."""
    name = text(value_of(function, "name"), f"{place}.name")
    if not name:
        raise Unsayable(f"{place}.name", "is missing")
    parameters = function.get("parameters", NO_PARAMETERS)
    if bytes(parameters) == NULL:
        parameters = NO_PARAMETERS
    if bytes(parameters)[:1] != b"{":
        raise Unsayable(f"{place}.parameters", "must be an object")
    marks = (read_mark({"cache_control": value_of(row, "cache_control")}) for row in (marked, function))
    return Tool(
        name=name,
        description=text(value_of(function, "description"), f"{place}.description"),
        parameters=parameters,
        is_strict=flag(value_of(function, "strict"), f"{place}.strict"),
        cache=next((mark for mark in marks if mark), None),
    )


def value_of(row: Mapping[str, Raw], name: str) -> Any:
    """
    Return a field's value, None where it is absent.

    `Unsayable` for a number beyond any range (`1e999`): a provider of the client's own wire gets it as it is.
    """
    if name not in row:
        return None
    try:
        return decode_any(row[name])
    except ValueError:
        raise Unsayable(name, "holds a value that cannot be read") from None


def read_choice(fields: Mapping[str, Raw]) -> ToolChoice | None:
    """Return which tool the client wants called; None where it does not say."""
    choice = value_of(fields, "tool_choice")
    if choice is not None:
        return choice_of(choice)
    legacy = value_of(fields, "function_call")
    if legacy is None:
        return None
    return mode_of(legacy, "function_call") if isinstance(legacy, str) else named(legacy, "function_call")


def choice_of(choice: object) -> ToolChoice:
    """Return a tool choice, a word or an object."""
    if isinstance(choice, str):
        return mode_of(choice, "tool_choice")
    given = table(choice, "tool_choice")
    if given.get("type") == "function":
        return named(given.get("function"), "tool_choice.function")
    if given.get("type") == "allowed_tools":
        return allowed(table(given.get("allowed_tools"), "tool_choice.allowed_tools"))
    raise Unsayable("tool_choice", "does not choose among functions")


def mode_of(word: object, place: str) -> ToolChoice:
    """Return the choice that one word makes."""
    mode = MODES.get(word) if isinstance(word, str) else None
    if mode is None:
        raise Unsayable(place, "must be none, auto, required or a function")
    return ToolChoice(mode)


def named(function: object, place: str) -> ToolChoice:
    """Return the choice of one function."""
    name = text(table(function, place).get("name"), f"{place}.name")
    if not name:
        raise Unsayable(f"{place}.name", "is missing")
    return ToolChoice(ToolMode.NAMED, (name,))


def allowed(given: Table) -> ToolChoice:
    """Return the choice among some of the functions."""
    place = "tool_choice.allowed_tools"
    tools = rows(given.get("tools"), f"{place}.tools")
    names = tuple(
        named(table(tool, f"{place}.tools[{index}]").get("function"), f"{place}.tools[{index}].function").names[0]
        for index, tool in enumerate(tools)
    )
    return ToolChoice(mode_of(given.get("mode"), f"{place}.mode").mode, names)
