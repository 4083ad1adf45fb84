"""
What a Messages request is made of, as far as another wire has words for it.

Lives here: the shapes alone; what does not fit one has no counterpart, and the decoder says where. Must not: what
a shape means elsewhere (see `chat_in`). `Raw` fields hold what is only passed on or only named.
Source: the Messages API as the provider's SDK 2.13 types it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

NOTHING = Raw(b"")


class CacheControl(Struct, frozen=True):
    """A prompt-cache mark."""

    ttl: str | None = None


class Base64Source(Struct, tag="base64", tag_field="type"):
    """Bytes in the request itself."""

    media_type: str
    data: str


class UrlSource(Struct, tag="url", tag_field="type"):
    """An address that the provider fetches."""

    url: str


class FileSource(Struct, tag="file", tag_field="type"):
    """A file that the provider keeps."""

    file_id: str


class TextSource(Struct, tag="text", tag_field="type"):
    """A document's plain text."""

    data: str
    media_type: str = "text/plain"


class ContentSource(Struct, tag="content", tag_field="type"):
    """A document given as content; blocks of their own have no counterpart."""

    content: str


class TextBlock(Struct, tag="text", tag_field="type"):
    """A text."""

    text: str
    cache_control: CacheControl | None = None
    citations: Raw = NOTHING


class ImageBlock(Struct, tag="image", tag_field="type"):
    """An image."""

    source: Base64Source | UrlSource | FileSource
    cache_control: CacheControl | None = None


class DocumentBlock(Struct, tag="document", tag_field="type"):
    """A document."""

    source: Base64Source | UrlSource | FileSource | TextSource | ContentSource
    title: str | None = None
    context: Raw = NOTHING
    citations: Raw = NOTHING
    cache_control: CacheControl | None = None


class ThinkingBlock(Struct, tag="thinking", tag_field="type"):
    """A model's thinking."""

    thinking: str
    signature: str = ""


class RedactedBlock(Struct, tag="redacted_thinking", tag_field="type"):
    """A model's thinking that is not shown."""

    data: str


class ToolUseBlock(Struct, tag="tool_use", tag_field="type"):
    """A call of a client's tool; its input stays raw."""

    id: str
    name: str
    input: Raw = NOTHING
    cache_control: CacheControl | None = None


class ToolResultBlock(Struct, tag="tool_result", tag_field="type"):
    """What a tool gave."""

    tool_use_id: str
    content: str | list[TextBlock | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class UserTurn(Struct, tag="user", tag_field="role"):
    """A turn of the user, tool results included."""

    content: str | list[TextBlock | ImageBlock | DocumentBlock | ToolResultBlock]


class AssistantTurn(Struct, tag="assistant", tag_field="role"):
    """A turn of the model."""

    content: str | list[TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock]


class SystemTurn(Struct, tag="system", tag_field="role"):
    """Instructions amid the conversation."""

    content: str | list[TextBlock]


class ToolEntry(Struct):
    """A tool; one with another type than `custom` is the provider's own."""

    name: str
    type: str | None = None
    description: str | None = None
    input_schema: Raw = NOTHING
    strict: bool | None = None
    cache_control: CacheControl | None = None
    defer_loading: Raw = NOTHING
    input_examples: Raw = NOTHING
    allowed_callers: Raw = NOTHING
    eager_input_streaming: Raw = NOTHING


class AutoChoice(Struct, tag="auto", tag_field="type"):
    """The model decides."""

    disable_parallel_tool_use: bool | None = None


class AnyChoice(Struct, tag="any", tag_field="type"):
    """Any tool, but one must be called."""

    disable_parallel_tool_use: bool | None = None


class ToolChoiceEntry(Struct, tag="tool", tag_field="type"):
    """One tool that must be called."""

    name: str
    disable_parallel_tool_use: bool | None = None


class NoChoice(Struct, tag="none", tag_field="type"):
    """No tool may be called."""


class ThinkingOn(Struct, tag="enabled", tag_field="type"):
    """The model thinks within a budget."""

    budget_tokens: int
    display: str | None = None


class ThinkingAdaptive(Struct, tag="adaptive", tag_field="type"):
    """The model decides how much it thinks."""

    display: str | None = None


class ThinkingOff(Struct, tag="disabled", tag_field="type"):
    """The model does not think."""


class SchemaFormat(Struct, tag="json_schema", tag_field="type"):
    """The schema of a structured answer."""

    schema: Raw


class OutputConfig(Struct):
    """How the answer should be."""

    effort: str | None = None
    format: SchemaFormat | None = None
    task_budget: Raw = NOTHING


class Metadata(Struct):
    """Whom the request is for."""

    user_id: str | None = None


class Body(Struct, kw_only=True):
    """The top-level fields that other wires have words for."""

    messages: list[UserTurn | AssistantTurn | SystemTurn]
    system: str | list[TextBlock] | None = None
    tools: list[ToolEntry] | None = None
    tool_choice: AutoChoice | AnyChoice | ToolChoiceEntry | NoChoice | None = None
    max_tokens: int | None = None
    thinking: ThinkingOn | ThinkingAdaptive | ThinkingOff | None = None
    output_config: OutputConfig | None = None
    output_format: SchemaFormat | None = None
    """The older name of `output_config.format`."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    metadata: Metadata | None = None
    stream: bool | None = None


DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    field.name: msgspec.json.Decoder(field.type) for field in msgspec.structs.fields(Body)
}
"""One decoder for each top-level field."""
