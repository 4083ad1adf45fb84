"""
Secrets that cannot be printed by accident, and references to them.

What must not live here: resolving a reference (see `credentials`). Held by snapshots and profiles.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Secret:
    """
    A secret text whose `repr` and `str` show nothing.

    `reveal()` is the one way to it.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def reveal(self) -> str:
        """Return the secret itself, for the header it belongs in."""
        return self.text

    def __repr__(self) -> str:
        """Return a fixed text, so that no log, error or traceback shows the secret."""
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same text."""
        return isinstance(other, Secret) and other.text == self.text

    def __hash__(self) -> int:
        """Return the hash of the text."""
        return hash(self.text)


class SourceKind(StrEnum):
    """Where a secret comes from."""

    ENV = "env"
    FILE = "file"
    LITERAL = "literal"
    KEYLESS = "keyless"
    EMBEDDED = "embedded"
    """The key that everup gives its own embedded model at each start."""


class SecretRef(Struct, frozen=True):
    """
    A reference to a secret.

    `name` is the variable or path, `literal` is set for literals only.
    """

    kind: SourceKind
    name: str = ""
    literal: Secret | None = None

    def describe(self) -> str:
        """Return the reference as a person wrote it, without the secret."""
        return "literal in the config file" if self.kind is SourceKind.LITERAL else f"{self.kind}:{self.name}"
