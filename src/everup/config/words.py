"""
The shapes of names and references: providers, models, keys.

What must not live here: looking anything up. Every function gives the reason in words, "" when all is well,
and never repeats what it was given.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from everup.shapes.route import ModelRef
from everup.shapes.secret import Secret, SecretRef, SourceKind

if TYPE_CHECKING:
    from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
"""Opaque names (S14); they are keys of tables, never paths."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
LATER = ("exec:", "keyring:", "op:", "vault:")
"""References of other programs; refused, so that the reference itself is not sent as a key."""
MODEL_MAX = 200
KEY_MAX = 8192
DEPTH_MAX = 32


def name_fault(name: str) -> str:
    """Return what is wrong with the name of a provider, profile, route or client."""
    if NAME.fullmatch(name):
        return ""
    return "a name is 1 to 64 letters, digits, `.`, `_` or `-`, and does not begin with `.` or `-`"


def model_fault(model: str) -> str:
    """
    Return what is wrong with a model's id.

    Slashes, colons and spaces are fine (S13: control characters are not).
    """
    if 0 < len(model) <= MODEL_MAX and model.isprintable() and model == model.strip():
        return ""
    return f"a model's id is 1 to {MODEL_MAX} printable characters"


def read_ref(text: str) -> ModelRef | None:
    """Return `provider/model` taken apart at the first slash, or None."""
    provider, slash, model = text.partition("/")
    if not slash or name_fault(provider) or model_fault(model):
        return None
    return ModelRef(provider, model)


def read_key(text: str, folder: Path) -> tuple[SecretRef | None, str]:
    """
    Return the reference a key setting stands for, or None and the reason.

    Relative files are below `folder`.
    """
    kind, _, rest = text.partition(":")
    if text == "none":
        return SecretRef(SourceKind.KEYLESS), ""
    if kind == "env":
        found = SecretRef(SourceKind.ENV, rest)
        reason = "" if VARIABLE.fullmatch(rest) else "after `env:` comes the name of an environment variable"
    elif kind == "file":
        found = SecretRef(SourceKind.FILE, rest if rest.startswith("~") else str(folder / rest))
        reason = "" if rest.strip() else "after `file:` comes a path"
    else:
        found = SecretRef(SourceKind.LITERAL, literal=Secret(text))
        reason = key_fault(text)
    return (None, reason) if reason else (found, "")


def key_fault(key: str) -> str:
    """Return why a text cannot be sent as a key (S13), without the text."""
    if not key:
        return "the key is empty"
    if key.startswith(LATER):
        return "only `env:NAME`, `file:PATH`, `none` and the key itself are known here"
    if len(key) > KEY_MAX:
        return f"the key is longer than {KEY_MAX} characters"
    if any(not "!" <= char <= "~" for char in key):
        return "the key holds a space, a control character or a letter outside ASCII: no header can carry it"
    return ""


def json_fault(value: object, depth: int = 0) -> str:
    """Return why a value cannot stand in a JSON body; nothing if it can."""
    if depth > DEPTH_MAX:
        return f"nested deeper than {DEPTH_MAX}"
    match value:
        case dict() | list():
            items = value.values() if isinstance(value, dict) else value
            return next(filter(None, (json_fault(item, depth + 1) for item in items)), "")
        case float():
            return "" if math.isfinite(value) else "JSON has no infinity and no NaN"
        case int():
            return "" if -(2**63) <= value < 2**64 else "a whole number beyond 64 bits"
        case str():
            return ""
    return "JSON has no dates or times: write them as text"
