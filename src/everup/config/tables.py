"""
One table of the config file to one value of `schema`, or all its faults.

What must not live here: what a setting means. msgspec stops at the first fault and says no key (BUILDING 9),
so each setting is converted alone. Called by the modules that build.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct

from everup.config.problem import nearest

if TYPE_CHECKING:
    from msgspec.structs import FieldInfo

    from everup.config.problem import Report, Where

T = TypeVar("T", bound=Struct)

WORDS = {
    "str": "text",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
    "datetime": "a date and time",
    "date": "a date",
    "time": "a time",
}
"""msgspec's names of types, as people say them."""
TYPE_NAME = re.compile(r"`(\w+)( \| null)?`")


def read_table(schema: type[T], raw: object, where: Where, report: Report) -> T | None:
    """
    Return a table as a value, or None after reporting every fault.

    Unknown settings are only warned of.
    """
    values, is_good = read_settings(schema, raw, where, report)
    return schema(**values) if is_good else None


def read_settings(schema: type[T], raw: object, where: Where, report: Report) -> tuple[dict[str, object], bool]:
    """Return the good settings of a table by field name, and whether all were good."""
    if not isinstance(raw, dict):
        report.error(where, f"expected a table, got {word_for(raw)}")
        return {}, False
    fields = fields_of(schema)
    values: dict[str, object] = {}
    is_good = True
    for key, value in raw.items():
        if key not in fields:
            report.warn((*where, key), f"unknown setting, ignored{nearest(key, fields)}")
            continue
        fault = fault_of(value, fields[key].type)
        if fault:
            is_good = False
            report.error((*where, key), fault)
        else:
            values[fields[key].name] = msgspec.convert(value, fields[key].type)
    for key, field in fields.items():
        if field.default is NODEFAULT and field.default_factory is NODEFAULT and key not in raw:
            is_good = False
            report.error(where, f"`{key}` is missing")
    return values, is_good


@cache  # a hundred providers would read the same annotations a hundred times (0.4 s)
def fields_of(schema: type[Struct]) -> dict[str, FieldInfo]:
    """Return the fields of a schema by the name they have in the file."""
    return {field.encode_name: field for field in msgspec.structs.fields(schema)}


def fault_of(value: object, kind: object) -> str:
    """Return why a value is not of a type, without the value; nothing if it is."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return say(str(error))
    if has_control(value):
        return "control characters are not allowed"
    return ""


def say(message: str) -> str:
    """
    Return a message of msgspec as a person would put it.

    Ours hold types and bounds, never values.
    """
    text, _, place = message.partition(" - at `$")
    text = TYPE_NAME.sub(lambda match: WORDS.get(match[1], match[1]), text)
    place = place.rstrip("`")
    return text[:1].lower() + text[1:] + (f" (at {place})" if place else "")


def word_for(value: object) -> str:
    """Return what kind of value TOML gave, in words."""
    names = {str: "str", bool: "bool", int: "int", float: "float", list: "array", dict: "object"}
    return WORDS[names.get(type(value), "datetime")]


def has_control(value: object) -> bool:
    """
    Return whether a text holds a control character.

    What is inside lists and tables is judged where it is used.
    """
    return isinstance(value, str) and any(ord(char) < 32 or 127 <= ord(char) < 160 for char in value)
