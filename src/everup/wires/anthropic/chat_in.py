"""
A client's Messages request in no wire's own words.

Lives here: what its fields mean. Must not: their shapes (see `blocks`), and what routing needs (see `request_in`).
What other wires have no word for is named in `unread` where the request keeps its meaning without it; else it is
an UNSUPPORTED fault that names its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from everup.policy.faults import make_fault
from everup.shapes.chat import (
    CacheMark,
    ChatRequest,
    Document,
    Effort,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)
from everup.shapes.fault import Fault, FaultKind
from everup.wires.anthropic.blocks import (
    DECODERS,
    AnyChoice,
    AssistantTurn,
    AutoChoice,
    Base64Source,
    Body,
    CacheControl,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    NoChoice,
    RedactedBlock,
    SystemTurn,
    TextBlock,
    TextSource,
    ThinkingAdaptive,
    ThinkingBlock,
    ThinkingOff,
    ThinkingOn,
    ToolChoiceEntry,
    ToolEntry,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
    UserTurn,
)
from everup.wires.fields import EMPTY_VALUES, is_given

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everup.shapes.asked import Asked

UNREAD_MAX = 64
"""Names in `unread`: they end in a header."""
PLACE = re.compile(r"(.*) - at `\$(.*)`", re.DOTALL)
WORD = re.compile(r"Invalid value '([a-z0-9_]{1,64})'")
UNSAYABLE = ("mcp_servers",)
"""Fields that ask for tools of the provider's own."""
LEFT_OUT_OF_TOOLS = ("defer_loading", "input_examples", "allowed_callers", "eager_input_streaming")
EFFORTS = {effort.value: effort for effort in Effort if effort not in {Effort.NONE, Effort.MINIMAL}}
PASSED_ON = frozenset({"model", *DECODERS})

Block = TextBlock | ImageBlock | DocumentBlock | ToolResultBlock | ThinkingBlock | RedactedBlock | ToolUseBlock


class Unread(Struct):
    """The names that no other wire has a word for, bounded."""

    names: list[str]

    def note(self, place: str, raw: Raw) -> None:
        """A field that says something is added by its place."""
        said = bytes(raw)
        if said and said not in EMPTY_VALUES and len(self.names) < UNREAD_MAX:
            self.names.append(place)


def read_chat(asked: Asked) -> ChatRequest | Fault:
    """Return a whole request, or the fault that names what no other wire can say."""
    body = read_body(asked.fields)
    if isinstance(body, Fault):
        return body
    fault = unsayable(asked.fields, body.tools or [])
    if fault is not None:
        return fault
    unread = Unread([])
    for name, raw in asked.fields.items():
        if name not in PASSED_ON:
            unread.note(name, raw)
    return ChatRequest(
        messages=(*system_of(body.system, unread), *messages_of(body, unread)),
        tools=tuple(tool_of(entry, f"tools[{place}]", unread) for place, entry in enumerate(body.tools or ())),
        tool_choice=choice_of(body),
        is_parallel=is_parallel(body),
        sampling=Sampling(
            temperature=body.temperature,
            top_p=body.top_p,
            top_k=body.top_k,
            stop=tuple(body.stop_sequences or ()),
        ),
        output_tokens_max=body.max_tokens,
        reasoning=reasoning_of(body, unread),
        format=format_of(body),
        is_stream=asked.is_stream,
        user=(body.metadata.user_id or "") if body.metadata else "",
        unread=tuple(unread.names),
    )


def read_body(fields: dict[str, Raw]) -> Body | Fault:
    """Return the fields that other wires know, or the fault of the first misfit."""
    values = {}
    for name, decoder in DECODERS.items():
        raw = fields.get(name)
        if raw is not None:
            try:
                values[name] = decoder.decode(raw)
            except msgspec.ValidationError as misfit:
                return fault_at(name, str(misfit))
    return Body(**values)


def fault_at(name: str, complaint: str) -> Fault:
    """
    Return the fault of a field that does not fit, by the decoder's complaint.

    Of what a client wrote only a word like a block's type is repeated.
    """
    found = PLACE.fullmatch(complaint)
    words, path = (found[1], found[2]) if found else (complaint, "")
    place = f"{name}{path}"
    word = WORD.match(words)
    if word:
        return unsupported(place, f"'{place}' is '{word[1]}', which only Anthropic's own API understands")
    reason = "an unknown value" if words.startswith("Invalid value") else words[0].lower() + words[1:]
    return unsupported(place, f"'{place}' does not fit the Messages API: {reason}")


def unsupported(place: str, words: str) -> Fault:
    """Return the fault of what no other wire can say."""
    return make_fault(FaultKind.UNSUPPORTED, words, param=place)


def unsayable(fields: dict[str, Raw], tools: list[ToolEntry]) -> Fault | None:
    """Return the fault of asking for tools that the provider itself defines."""
    for name in UNSAYABLE:
        if is_given(fields, name):
            return unsupported(name, f"'{name}' asks for tools that only Anthropic's own API runs")
    for place, entry in enumerate(tools):
        if entry.type not in {None, "custom"}:
            return fault_at("tools", f"Invalid value '{entry.type}' - at `$[{place}].type`")
        if bytes(entry.input_schema)[:1] != b"{":
            return fault_at("tools", f"Expected `object` - at `$[{place}].input_schema`")
    return None


def system_of(system: str | list[TextBlock] | None, unread: Unread) -> Iterable[Message]:
    """Return the top-level instructions as the first turn, nothing without any."""
    if system:
        yield Message(Role.SYSTEM, parts_of(system, "system", unread))


def messages_of(body: Body, unread: Unread) -> Iterable[Message]:
    """
    Return the conversation.

    Tool results stand in a turn of their own, before what the user adds to them.
    """
    for place, turn in enumerate(body.messages):
        parts = parts_of(turn.content, f"messages[{place}].content", unread)
        match turn:
            case AssistantTurn():
                yield Message(Role.ASSISTANT, parts)
            case SystemTurn():
                yield Message(Role.SYSTEM, parts)
            case UserTurn():
                results = tuple(part for part in parts if isinstance(part, ToolResult))
                said = tuple(part for part in parts if not isinstance(part, ToolResult))
                if results:
                    yield Message(Role.TOOL, results)
                if said or not results:
                    yield Message(Role.USER, said)


def parts_of(content: str | Iterable[Block], place: str, unread: Unread) -> tuple[Part, ...]:
    """Return a content's parts; an empty text is none."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    parts = [part_of(block, f"{place}[{number}]", unread) for number, block in enumerate(content)]
    return tuple(part for part in parts if part != Text(""))


def part_of(block: Block, place: str, unread: Unread) -> Part:
    """Return one block as a part."""
    match block:
        case TextBlock():
            unread.note(f"{place}.citations", block.citations)
            return Text(block.text, mark_of(block.cache_control))
        case ThinkingBlock():
            return Thinking(text=block.thinking, signature=block.signature)
        case RedactedBlock():
            return Thinking(hidden=block.data)
        case ToolUseBlock():
            arguments = bytes(block.input).decode()
            return ToolCall(id=block.id, name=block.name, arguments=arguments, cache=mark_of(block.cache_control))
        case ToolResultBlock():
            return result_of(block, place, unread)
        case ImageBlock() | DocumentBlock():
            return medium_of(block, place, unread)


def medium_of(block: ImageBlock | DocumentBlock, place: str, unread: Unread) -> Image | Document:
    """Return an image or a document."""
    cache = mark_of(block.cache_control)
    if isinstance(block, ImageBlock):
        return image_of(block.source, cache)
    unread.note(f"{place}.context", block.context)
    unread.note(f"{place}.citations", block.citations)
    name = block.title or ""
    match block.source:
        case TextSource(data=text, media_type=media_type):
            return Document(name=name, media_type=media_type, text=text, cache=cache)
        case ContentSource(content=text):
            return Document(name=name, text=text, cache=cache)
        case Base64Source(media_type=media_type, data=data):
            return Document(name=name, media_type=media_type, data=data, cache=cache)
        case UrlSource(url=url):
            return Document(name=name, url=url, cache=cache)
        case FileSource(file_id=file_id):
            return Document(name=name, file_id=file_id, cache=cache)


def image_of(source: Base64Source | UrlSource | FileSource, cache: CacheMark | None) -> Image:
    """Return an image, wherever its bytes are."""
    match source:
        case Base64Source(media_type=media_type, data=data):
            return Image(media_type=media_type, data=data, cache=cache)
        case UrlSource(url=url):
            return Image(url=url, cache=cache)
        case FileSource(file_id=file_id):
            return Image(file_id=file_id, cache=cache)


def result_of(block: ToolResultBlock, place: str, unread: Unread) -> ToolResult:
    """Return what a tool gave."""
    parts = parts_of(block.content or (), f"{place}.content", unread)
    return ToolResult(
        id=block.tool_use_id,
        parts=tuple(part for part in parts if isinstance(part, Text | Image | Document)),
        is_error=block.is_error is True,
        cache=mark_of(block.cache_control),
    )


def mark_of(control: CacheControl | None) -> CacheMark | None:
    """Return a client's wish to cache."""
    return None if control is None else CacheMark(control.ttl or "")


def tool_of(entry: ToolEntry, place: str, unread: Unread) -> Tool:
    """Return a tool; its schema passes byte for byte."""
    for name in LEFT_OUT_OF_TOOLS:
        unread.note(f"{place}.{name}", getattr(entry, name))
    return Tool(
        name=entry.name,
        description=entry.description or "",
        parameters=entry.input_schema,
        is_strict=entry.strict,
        cache=mark_of(entry.cache_control),
    )


def choice_of(body: Body) -> ToolChoice | None:
    """Return which tool must be called."""
    match body.tool_choice:
        case AutoChoice():
            return ToolChoice(ToolMode.AUTO)
        case AnyChoice():
            return ToolChoice(ToolMode.REQUIRED)
        case ToolChoiceEntry(name=name):
            return ToolChoice(ToolMode.NAMED, (name,))
        case NoChoice():
            return ToolChoice(ToolMode.NONE)
        case None:
            return None


def is_parallel(body: Body) -> bool | None:
    """Return whether several calls at a time are wanted, None where not said."""
    match body.tool_choice:
        case AutoChoice(flag) | AnyChoice(flag) | ToolChoiceEntry(disable_parallel_tool_use=flag):
            return None if flag is None else not flag
        case _:
            return None


def reasoning_of(body: Body, unread: Unread) -> Reasoning | None:
    """Return what the client says about thinking; an effort unknown here is named."""
    output = body.output_config
    word = output.effort if output else None
    effort = EFFORTS.get(word or "")
    if output:
        unread.note("output_config.task_budget", output.task_budget)
    if word and (effort is None or isinstance(body.thinking, ThinkingOff)):
        unread.note("output_config.effort", Raw(b"true"))
    match body.thinking:
        case ThinkingOff():
            return Reasoning(effort=Effort.NONE)
        case ThinkingOn(budget_tokens=budget, display=display):
            return Reasoning(effort=effort, budget_tokens=budget, is_shown=display != "omitted")
        case ThinkingAdaptive(display=display):
            return Reasoning(effort=effort, is_adaptive=True, is_shown=display != "omitted")
        case None:
            return None if effort is None else Reasoning(effort=effort)


def format_of(body: Body) -> Format | None:
    """Return the structure the answer must have."""
    wanted = (body.output_config.format if body.output_config else None) or body.output_format
    return None if wanted is None else Format(schema=wanted.schema)
