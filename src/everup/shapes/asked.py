"""
What a client asked, as far as routing needs it.

What must not live here: parsing (see `wires/<name>/request_in`). The body's fields stay as raw JSON, so that
what the house does not understand passes through unchanged.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from everup.shapes.route import Needs


class Asked(Struct, frozen=True, kw_only=True):
    """
    One request: the model asked for, whether streamed, what it needs.

    And its raw top-level fields.
    """

    model: str
    is_stream: bool
    wants_usage: bool
    """Whether the client itself asked for the usage chunk of a stream."""
    needs: Needs
    fields: dict[str, msgspec.Raw]
    body_bytes: int = 0
    wire: str = "openai_chat"
    """The wire it came in: who speaks the same upstream gets its fields as they are."""
    is_plain: bool = False
    """Whether the messages hold nothing but text, images and tool calls: no reasoning part to look for."""

    def __repr__(self) -> str:
        """Return model and size only: message text is never logged."""
        return f"Asked(model={self.model!r}, is_stream={self.is_stream}, body_bytes={self.body_bytes})"
