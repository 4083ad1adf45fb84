"""
JSON values of a client's request, each with its place in it.

Lives here: what a value must be to be said in another wire. Must not: any field's name. Called by the files that
read a request; `chat_in.read_chat` turns the exception into a fault.
"""

from __future__ import annotations

from typing import Any

from everup.wires.unsayable import Unsayable

Table = dict[str, Any]


def text(value: object, place: str) -> str:
    """Return a text; null and nothing are ""."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise Unsayable(place, "must be a text")


def flag(value: object, place: str) -> bool | None:
    """Return a flag; null is None."""
    if value is None or isinstance(value, bool):
        return value
    raise Unsayable(place, "must be true or false")


def number(value: object, place: str) -> float | None:
    """Return a number as it came, whole or not; null is None."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise Unsayable(place, "must be a number")


def whole(value: object, place: str) -> int | None:
    """Return a whole number; null is None."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise Unsayable(place, "must be a whole number")


def table(value: object, place: str) -> Table:
    """Return an object; null is an empty one."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise Unsayable(place, "must be an object")


def rows(value: object, place: str) -> list[Any]:
    """Return a list; null is an empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise Unsayable(place, "must be a list")


def kind_of(value: object) -> str:
    """
    Return a part's type as an error can name it.

    In quotes if it is a plain word.
    """
    is_word = isinstance(value, str) and len(value) <= 64 and value.isidentifier()
    return f"'{value}'" if is_word else "unknown"
