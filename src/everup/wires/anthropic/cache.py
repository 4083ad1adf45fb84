"""
Marks that tell the provider what to cache.

Lives here: where everup sets its own (`cache = "auto"`), three of the four that the provider allows. Must not: the
client's own marks (see `blocks_out.BlocksOut.marked`), which always stay and leave no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.shapes.chat import Role
from everup.shapes.route import CacheMode

if TYPE_CHECKING:
    from everup.shapes.chat import ChatRequest
    from everup.shapes.route import Candidate
    from everup.wires.anthropic.blocks_out import Row

EPHEMERAL = {"type": "ephemeral"}
TURNS_MIN = 2
"""From so many turns of the model on a conversation without tools is worth a cache: writing one costs more."""


def add_marks(chat: ChatRequest, candidate: Candidate, *places: list[Row], has_marks: bool) -> None:
    """The last row of each place is marked, where everup marks at all."""
    if has_marks or candidate.provider.cache is not CacheMode.AUTO or not pays(chat):
        return
    for rows in places:
        if rows:
            rows[-1]["cache_control"] = EPHEMERAL


def pays(chat: ChatRequest) -> bool:
    """Return whether a conversation is one that goes on."""
    return bool(chat.tools) or sum(message.role is Role.ASSISTANT for message in chat.messages) >= TURNS_MIN
