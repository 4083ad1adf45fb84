"""
Where two values differ, in few words.

pytest shows the difference of two long texts by an algorithm that takes minutes for some recordings. Must not: know
what is compared.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs

SHOWN = 60
"""So much of a text is shown, from a little before where it differs."""


def differences(expected: Any, got: Any, place: str = "") -> list[str]:
    """Return one line for each place where two values differ, none if they are equal."""
    if isinstance(expected, Struct) and isinstance(got, Struct):
        expected, got = structs.asdict(expected), structs.asdict(got)
    if isinstance(expected, dict) and isinstance(got, dict):
        names = [*expected, *(name for name in got if name not in expected)]
        return [
            line
            for name in names
            for line in differences(expected.get(name, ...), got.get(name, ...), f"{place}.{name}")
        ]
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple) and len(expected) == len(got):
        return [
            line
            for index, (one, other) in enumerate(zip(expected, got, strict=True))
            for line in differences(one, other, f"{place}[{index}]")
        ]
    return [] if expected == got and type(expected) is type(got) else [f"{place}: {told(expected, got)}"]


def told(expected: object, got: object) -> str:
    """Return two different values as a person reads them; of texts the part where they differ."""
    if isinstance(expected, str | bytes) and type(expected) is type(got):
        pairs = zip(expected, got, strict=False)  # type: ignore[call-overload]
        at = next((index for index, (one, other) in enumerate(pairs) if one != other), min(len(expected), len(got)))  # type: ignore[arg-type]
        start = max(at - SHOWN // 4, 0)
        return f"at {at} {expected[start : start + SHOWN]!r}, got {got[start : start + SHOWN]!r}"  # type: ignore[index]
    return f"{str(expected)[: SHOWN * 4]}, got {str(got)[: SHOWN * 4]}"
