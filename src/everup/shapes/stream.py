"""
One streamed answer in no wire's own words, event by event.

What must not live here: reading or writing one (see `wires/<name>/stream_in`, `stream_out`). The order: `Started`
first; then blocks, each opened by its first delta or its `ToolCallStarted`, each ended by `BlockEnded` before
another begins; then `UsageSeen` and `Finished`. A fault is the last event. A reader keeps this order whatever the
provider does.
"""

from __future__ import annotations

from msgspec import Struct

from everup.shapes.chat import StopReason
from everup.shapes.events import Usage
from everup.shapes.fault import Fault


class Started(Struct, frozen=True, gc=False):
    """
    The answer begins: the provider's id for it and the model it says it uses.

    "" where not said.
    """

    id: str = ""
    model: str = ""


class TextDelta(Struct, frozen=True, gc=False):
    """More text."""

    text: str
    is_refusal: bool = False


class ThinkingDelta(Struct, frozen=True, gc=False):
    """
    More thinking, its signature.

    Whole, after its text, or opaque data of hidden thinking (whole).
    """

    text: str = ""
    signature: str = ""
    hidden: str = ""


class ToolCallStarted(Struct, frozen=True, gc=False):
    """A tool call begins; `place` counts the answer's calls from 0."""

    place: int
    id: str
    name: str


class ToolCallDelta(Struct, frozen=True, gc=False):
    """More of the arguments' JSON text of the call that is open."""

    place: int
    arguments: str


class BlockEnded(Struct, frozen=True, gc=False):
    """What was open (text, thinking or a tool call) is complete."""


class UsageSeen(Struct, frozen=True, gc=False):
    """What the answer used so far; a later one replaces an earlier one."""

    usage: Usage


class Finished(Struct, frozen=True, gc=False):
    """Why the answer ended; told once, after the last block."""

    stop: StopReason
    sequence: str = ""


class Ended(Struct, frozen=True, gc=False):
    """The provider's own end of the stream was seen: nothing follows."""


class Pinged(Struct, frozen=True, gc=False):
    """A sign of life without meaning."""


class Failed(Struct, frozen=True):
    """The answer broke; always last."""

    fault: Fault


StreamEvent = (
    Started
    | TextDelta
    | ThinkingDelta
    | ToolCallStarted
    | ToolCallDelta
    | BlockEnded
    | UsageSeen
    | Finished
    | Ended
    | Pinged
    | Failed
)
