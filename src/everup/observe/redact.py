"""
Redaction of what is to be written: by a field's structure, then by pattern.

What must not live here: the patterns themselves (see `policy.redaction`). Used by the log for every value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from everup.policy.redaction import redact
from everup.shapes.secret import Secret

HIDDEN = "***"
DEPTH_MAX = 4
ITEMS_MAX = 50
TEXT_MAX = 8000
INTEGER_MAX = 2**63
SECRET_NAME = re.compile(
    r"(?i)(^|[_\-.])(key|apikey|api_key|secret|token|password|passwd|authorization|cookie|credential|bearer)s?($|[_\-.])"
)
HARMLESS = frozenset({"key_env", "max_tokens", "tokens", "input_tokens", "output_tokens"})

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


def is_secret_name(name: str) -> bool:
    """Return whether a field so named holds a secret, whatever its value."""
    return bool(SECRET_NAME.search(name)) and name.lower() not in HARMLESS


def redact_value(value: object, depth: int = 0) -> Plain:
    """Return a value that may be written: plain, bounded, without secrets."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < INTEGER_MAX else "a very large number"
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping) and depth < DEPTH_MAX:
        pairs = list(value.items())[:ITEMS_MAX]
        return {redact(str(name)): redact_field(str(name), each, depth + 1) for name, each in pairs}
    if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH_MAX:
        return [redact_value(each, depth + 1) for each in list(value)[:ITEMS_MAX]]
    # A lone surrogate is no text that could be encoded.
    return redact(str(value)[:TEXT_MAX].encode("utf-8", "backslashreplace").decode())


def redact_field(name: str, value: object, depth: int = 0) -> Plain:
    """Return a field's value, hidden if its name says that it is a secret."""
    if value and is_secret_name(name):
        return HIDDEN
    return redact_value(value, depth)
