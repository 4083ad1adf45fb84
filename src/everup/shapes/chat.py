"""
A conversation and its answer in no wire's own words.

What two different wires say to each other.
What must not live here: reading or writing one (see `wires/<name>`). Made by one wire's `request_in` or `reply_in`,
written by another's `request_out` or `reply_out`. Same wire on both sides never comes by here: its bytes pass.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from everup.shapes.events import Usage
from everup.shapes.fault import Fault


class Role(StrEnum):
    """
    Who speaks. A tool's results are a turn of their own.

    A writer groups them as its wire wants.
    """

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class CacheMark(Struct, frozen=True):
    """
    A client's own wish that everything up to here is cached.

    `ttl` is "" or as it wrote it (`1h`).
    """

    ttl: str = ""


class Text(Struct, frozen=True):
    """A text; `is_refusal` where the wire tells a refusal's words apart."""

    text: str
    cache: CacheMark | None = None
    is_refusal: bool = False


class Image(Struct, frozen=True, kw_only=True):
    """
    An image: base64 `data` with its media type, or a `url`.

    Or a provider's `file_id`.
    `detail` is "" where the client did not say.
    """

    media_type: str = ""
    data: str = ""
    url: str = ""
    file_id: str = ""
    detail: str = ""
    cache: CacheMark | None = None


class Document(Struct, frozen=True, kw_only=True):
    """
    A file for the model.

    Base64 `data` with its media type, plain `text`, a `url` or a provider's `file_id`.
    """

    name: str = ""
    media_type: str = ""
    data: str = ""
    text: str = ""
    url: str = ""
    file_id: str = ""
    cache: CacheMark | None = None


class Audio(Struct, frozen=True):
    """
    A recording: base64 `data`, and its format as the client wrote it.

    `wav`, `mp3`.
    """

    data: str
    format: str = ""


class Thinking(Struct, frozen=True, kw_only=True):
    """
    A model's reasoning; goes back only to whoever minted its signature.

    Exactly as it came.
    `hidden` is the opaque data of reasoning that is not shown (`redacted_thinking`); `text` is "" then.
    """

    text: str = ""
    signature: str = ""
    hidden: str = ""


class ToolCall(Struct, frozen=True, kw_only=True):
    """
    A call the model made.

    `arguments` is the JSON text of an object, as it came ("" means no arguments).
    """

    id: str
    name: str
    arguments: str = ""
    cache: CacheMark | None = None


class ToolResult(Struct, frozen=True, kw_only=True):
    """What a tool gave for the call `id`; `name` is "" where the wire does not say."""

    id: str
    parts: tuple[Text | Image | Document, ...] = ()
    is_error: bool = False
    name: str = ""
    cache: CacheMark | None = None


Part = Text | Image | Document | Audio | Thinking | ToolCall | ToolResult


class Message(Struct, frozen=True):
    """
    One turn. Neighbours of one role stay apart here.

    A writer merges them where its wire must alternate.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


class Tool(Struct, frozen=True, kw_only=True):
    """
    A function the model may call.

    `parameters` is its JSON schema as it came, byte for byte.
    """

    name: str
    description: str = ""
    parameters: msgspec.Raw = msgspec.Raw(b"{}")
    is_strict: bool | None = None
    cache: CacheMark | None = None


class ToolMode(StrEnum):
    """Whether a tool must be called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


class ToolChoice(Struct, frozen=True):
    """
    The choice of a tool.

    `names` are the one to call (NAMED) or those allowed (empty: all).
    """

    mode: ToolMode = ToolMode.AUTO
    names: tuple[str, ...] = ()


class Effort(StrEnum):
    """How much a model should think before it answers."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


class Reasoning(Struct, frozen=True, kw_only=True):
    """
    What a client says about thinking.

    An effort, or a budget in tokens, or that the model decides.
    `is_shown` False asks that the thinking is left out of the answer.
    """

    effort: Effort | None = None
    budget_tokens: int | None = None
    is_adaptive: bool = False
    is_shown: bool = True


class Format(Struct, frozen=True, kw_only=True):
    """A structured answer; `schema` None means any JSON object."""

    schema: msgspec.Raw | None = None
    name: str = ""
    description: str = ""
    is_strict: bool | None = None


class Sampling(Struct, frozen=True, kw_only=True):
    """Numbers that steer the choice of words; None where the client did not say."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()


class ChatRequest(Struct, frozen=True, kw_only=True):
    """
    A whole request.

    `unread` names the client's top-level fields that no other wire has a word for, in its order: a writer
    reports them as dropped. `is_parallel` is False where only one tool call at a time is wanted.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    is_parallel: bool | None = None
    sampling: Sampling = Sampling()
    output_tokens_max: int | None = None
    reasoning: Reasoning | None = None
    format: Format | None = None
    is_stream: bool = False
    user: str = ""
    keep_alive: str = ""
    """Ollama's own: how long the model stays loaded, as JSON."""
    unread: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return sizes only: message text is never logged."""
        return f"ChatRequest(messages={len(self.messages)}, tools={len(self.tools)}, is_stream={self.is_stream})"


class Encoded(Struct, frozen=True):
    """
    An upstream body and the client's fields it could not hold.

    By the client's names (`seed`, `messages[3].audio`).
    A fault instead where leaving something out would change what was asked (an image the wire cannot carry).
    """

    body: bytes = b""
    dropped: tuple[str, ...] = ()
    fault: Fault | None = None


class StopReason(StrEnum):
    """Why an answer ended."""

    END = "end"
    LENGTH = "length"
    TOOL = "tool"
    SEQUENCE = "sequence"
    """One of the client's stop sequences."""
    FILTER = "filter"
    """Refused or cut by a content filter."""
    PAUSE = "pause"
    """A long turn that the client should continue (Anthropic's `pause_turn`)."""
    WINDOW = "window"
    """The context window was full."""


class Answer(Struct, frozen=True, kw_only=True):
    """
    A whole answer, judged: either `fault` is set or the rest is.

    `id` is the provider's own, "" where it gives none; `sequence` the stop sequence that ended it.
    """

    parts: tuple[Text | Thinking | ToolCall, ...] = ()
    stop: StopReason = StopReason.END
    sequence: str = ""
    usage: Usage | None = None
    id: str = ""
    model: str = ""
    fault: Fault | None = None
