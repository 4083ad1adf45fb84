"""
The wires a provider can speak, as far as a fault can be said in them: the rows' words in each wire's bytes.

What must not live here: rows (see `rows_*`), and what a wire cannot say (see `abroad`). A row tells its fault to a
dialect (`Telling`); every dialect has the same words, so that one row is one fault in three shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from msgspec import Struct

from everup.testing import anthropic as a
from everup.testing import ollama as o
from everup.testing import scripts as s


class Complaint(Struct, frozen=True):
    """What an error says, in OpenAI's words; a dialect tells as much of it as its envelope holds."""

    kind: str | None = None
    code: str | int | None = None
    message: str = ""
    more: dict[str, Any] = {}


Noise = dict[str, tuple[bytes, ...]]
BIG = b"x" * (1 << 20)
SSE_NOISE: Noise = {
    "pings": (b": ping\n\n", b":\n\n"),
    "garbage": (b"garbage without a colon\n\n", b'data: {"half": \n\n'),
    "bytes": (b"data: \xff\xfe\x00\n\n", b": \xc3\x28\n\n"),
    "fields": (b"\xef\xbb\xbfid: 7\nretry: 10\nnovelty: x\n\n",),
    "long": (b": " + BIG + b"\n\n",),
}

ANTHROPIC_NOISE: Noise = {**SSE_NOISE, "pings": (b": ping\n\n", a.PING)}
LINE_NOISE: Noise = {
    "pings": (b"\n", b" \r\n", o.line("")),
    "garbage": (b"garbage without a colon\n", b'{"half": \n'),
    "bytes": (b"\xff\xfe\x00\n", b"\xc3\x28\n"),
    "fields": (b'\xef\xbb\xbf{"novelty": 7}\n', b'{"message": {"novelty": 7}, "done": false}\n'),
    "long": (b'{"novelty": "' + BIG + b'"}\n',),
}
STOPS = {
    "openai": {"end": "stop", "length": "length", "filter": "content_filter"},
    "anthropic": {"end": "end_turn", "length": "max_tokens", "filter": "refusal"},
    "ollama": {"end": "stop", "length": "length"},
}
ANTHROPIC_KINDS = {"insufficient_quota": "billing_error", "server_error": "api_error"}
"""The words of this wire for OpenAI's, where the status does not say."""


class Dialect(Protocol):
    """What a row can say. `finish` tells why an answer ended, `end` is the wire's own last word."""

    name: str
    wire: str
    first: s.Script
    start: tuple[bytes, ...]
    ping: bytes
    endless: bytes
    """One frame of 64 KiB without meaning."""
    unclosed: bytes
    """The beginning of a frame that never ends."""
    noise: Noise
    end: tuple[bytes, ...]
    empty: s.Script
    """An answer that ended well and says nothing."""
    unended: s.Script
    """An answer that says nothing, not even why it ended."""
    novel: s.Script
    """An answer with fields, events and an end that nobody has heard of."""
    tools: s.Script
    """Interleaved, doubled or invalid tool calls, as far as the wire can hold them."""
    other_model: bytes

    def reply(self, *pieces: str) -> s.Script:
        """Return a good answer that says these pieces."""
        ...

    def error(self, status: int, said: Complaint, **headers: str) -> s.Script:
        """Return a refusal."""
        ...

    def error_json(self, said: Complaint) -> bytes:
        """Return an error body."""
        ...

    def error_event(self, said: Complaint) -> bytes:
        """Return an error in a stream."""
        ...

    def whole(self, text: str, *, stop: str = "end") -> bytes:
        """Return a whole answer."""
        ...

    def texts(self, *pieces: str) -> tuple[bytes, ...]:
        """Return one event per piece of text."""
        ...

    def finish(self, stop: str = "end") -> tuple[bytes, ...]:
        """Return what tells why the answer ended (`end`, `length`, `filter`)."""
        ...

    def counted(self, usage: Any) -> s.Script:
        """Return a good answer with this in the place of its usage."""
        ...

    def stream(self, *events: bytes | s.Step, is_ended: bool = True, whole: Iterable[s.Step] | None = None) -> s.Script:
        """Return this stream; a whole request gets `whole`, else the same bytes."""
        ...


Telling = Callable[[Dialect], s.Script | tuple[s.Script, ...]]
"""A fault, told in whatever dialect the provider speaks: its one script, or one for each request."""


def whole(data: bytes, content_type: str = "application/json") -> tuple[s.Step, ...]:
    """Return the steps of a whole 200."""
    return (s.Send(s.sized(200, data, content_type)),)


class OpenAI:
    """Chat completions."""

    name = "openai"
    wire = "openai_chat"
    first = s.reply("first")
    start = (s.ROLE,)
    end = (s.DONE,)
    ping = b": ping\n\n"
    endless = b": " + BIG[: 1 << 16] + b"\n\n"
    unclosed = b"data: " + BIG
    noise = SSE_NOISE
    other_model = s.chat_json("first", model="cheaper-model")
    empty = s.Script(whole(s.chat_json("", choices=[])), s.sse(s.event(choices=[]), s.DONE))
    unended = s.Script(whole(s.chat_json(None, finish=None)), s.sse(s.ROLE, s.DONE))
    novel = s.Script(
        whole(s.chat_json("first", finish="tired", novelty={"a": [1]})),
        s.sse(s.ROLE, *s.texts("first"), s.event({"novelty": [1]}), s.event(finish="tired"), s.DONE),
    )

    @staticmethod
    def call(index: int, name: str = "", arguments: str = "") -> dict[str, Any]:
        """Return a tool call, or a piece of one without a name."""
        named = {"id": f"call_{name}", "type": "function"} if name else {}
        return {"index": index, **named, "function": {**({"name": name} if name else {}), "arguments": arguments}}

    @property
    def tools(self) -> s.Script:
        """Return two calls whose pieces interleave, one without an end and one that is no JSON."""
        bits = (self.call(0, "f"), self.call(1, "g"), self.call(0, "", '{"a": tru'), self.call(1, "", "}{"))
        calls = [self.call(0, "f", '{"a": tru'), self.call(1, "g", "}{}{")]
        message = {"role": "assistant", "tool_calls": [{k: v for k, v in c.items() if k != "index"} for c in calls]}
        events = [s.event({"tool_calls": [bit]}) for bit in (*bits, bits[-1])]
        return s.Script(
            whole(s.chat_json(None, finish="tool_calls", message=message)),
            s.sse(s.ROLE, *events, s.event(finish="tool_calls"), s.DONE),
        )

    def reply(self, *pieces: str) -> s.Script:
        """Return a good answer that says these pieces."""
        return s.reply(*pieces)

    def error(self, status: int, said: Complaint, **headers: str) -> s.Script:
        """Return a refusal."""
        return s.error(status, said.kind, said.code, said.message, **headers)

    def error_json(self, said: Complaint) -> bytes:
        """Return an error body."""
        return s.error_json(said.kind, said.code, said.message, **said.more)

    def error_event(self, said: Complaint) -> bytes:
        """Return an error in a stream."""
        return b"data: " + self.error_json(said) + b"\n\n"

    def whole(self, text: str, *, stop: str = "end") -> bytes:
        """Return a whole answer."""
        return s.chat_json(text or None, finish=STOPS[self.name][stop])

    def texts(self, *pieces: str) -> tuple[bytes, ...]:
        """Return one event per piece of text."""
        return s.texts(*pieces)

    def finish(self, stop: str = "end") -> tuple[bytes, ...]:
        """Return what tells why the answer ended."""
        return (s.event(finish=STOPS[self.name][stop]), s.USAGE)

    def counted(self, usage: Any) -> s.Script:
        """Return a good answer with this in the place of its usage."""
        events = (s.ROLE, *s.texts("first"), s.FINISH, s.event(choices=[], usage=usage), s.DONE)
        return s.Script(whole(s.chat_json("first", usage=usage)), s.sse(*events))

    def stream(self, *events: bytes | s.Step, is_ended: bool = True, whole: Iterable[s.Step] | None = None) -> s.Script:
        """Return this stream; a whole request gets `whole`, else the same bytes."""
        return s.stream(*events, is_ended=is_ended, whole=whole)


class Anthropic:
    """Anthropic's Messages API: its errors have a type and no code."""

    name = "anthropic"
    wire = "anthropic"
    first = a.reply("first")
    start = (a.BEGUN, a.TEXT_BEGUN)
    end = (a.STOPPED,)
    ping = a.PING
    endless = a.event("novelty", more="x" * (1 << 16))
    unclosed = b"event: content_block_delta\ndata: " + BIG
    noise = ANTHROPIC_NOISE
    other_model = a.message_json("first", model="cheaper-model")
    empty = a.stream(a.BEGUN, a.FINISHED, a.STOPPED, whole=whole(a.message_json()))
    unended = a.stream(a.BEGUN, a.STOPPED, whole=whole(a.message_json(stop=None)))
    novel = a.stream(
        *(a.BEGUN, a.TEXT_BEGUN, *a.texts("first"), a.delta("novelty_delta", novelty=[1]), a.event("novelty")),
        *(a.TEXT_ENDED, a.block_begun({"type": "novelty", "novelty": [1]}, 1), a.block_ended(1)),
        *(a.finished("tired"), a.STOPPED),
        whole=whole(a.message_json("first", {"type": "novelty", "novelty": [1]}, stop="tired", novelty={"a": [1]})),
    )

    @property
    def tools(self) -> s.Script:
        """Return two calls, in a stream one cut off and one that is no JSON; whole ones are objects."""
        calls = [a.tool_block("toolu_a", "f", {"a": True}), a.tool_block("toolu_b", "g", {})]
        first = a.tool_use("toolu_a", "f", '{"a": tru')
        second = a.tool_use("toolu_b", "g", "}{", "}{", index=1)
        events = (a.BEGUN, *first, *second, a.finished("tool_use"), a.STOPPED)
        return a.stream(*events, whole=whole(a.message_json(*calls, stop="tool_use")))

    def reply(self, *pieces: str) -> s.Script:
        """Return a good answer that says these pieces."""
        return a.reply(*pieces)

    def error(self, status: int, said: Complaint, **headers: str) -> s.Script:
        """Return a refusal; its type is the one that the API gives with this status."""
        return a.error(status, said.kind if said.kind in a.TYPES.values() else "", said.message, **headers)

    def error_json(self, said: Complaint) -> bytes:
        """Return an error body."""
        return a.error_json(ANTHROPIC_KINDS.get(said.kind or "", said.kind or "api_error"), said.message)

    def error_event(self, said: Complaint) -> bytes:
        """Return an error in a stream."""
        return a.error_event(ANTHROPIC_KINDS.get(said.kind or "", said.kind or "api_error"), said.message)

    def whole(self, text: str, *, stop: str = "end") -> bytes:
        """Return a whole answer."""
        return a.message_json(*([text] if text else []), stop=STOPS[self.name][stop])

    def texts(self, *pieces: str) -> tuple[bytes, ...]:
        """Return one event per piece of text."""
        return a.texts(*pieces)

    def finish(self, stop: str = "end") -> tuple[bytes, ...]:
        """Return what tells why the answer ended."""
        return (a.TEXT_ENDED, a.finished(STOPS[self.name][stop]))

    def counted(self, usage: Any) -> s.Script:
        """Return a good answer with this in the place of its usage, at both ends of a stream."""
        message = {"id": "msg_scripted", "type": "message", "role": "assistant", "content": [], "usage": usage}
        last = a.event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
        begun = a.event("message_start", message=message)
        events = (begun, a.TEXT_BEGUN, *a.texts("first"), a.TEXT_ENDED, last, a.STOPPED)
        return a.stream(*events, whole=whole(a.message_json("first", usage=usage)))

    def stream(self, *events: bytes | s.Step, is_ended: bool = True, whole: Iterable[s.Step] | None = None) -> s.Script:
        """Return this stream; a whole request gets `whole`, else the same bytes."""
        return a.stream(*events, is_ended=is_ended, whole=whole)


class Ollama:
    """Ollama's native API: an error is a text, a stream is lines, its last line both ends it and says why."""

    name = "ollama"
    wire = "ollama"
    first = o.reply("first")
    start = (o.line(""),)
    end = ()
    ping = o.line("")
    endless = b'{"novelty": "' + BIG[: 1 << 16] + b'"}\n'
    unclosed = b'{"novelty": "' + BIG
    noise = LINE_NOISE
    other_model = o.chat_json("first", model="cheaper-model")
    empty = o.stream(o.LAST, whole=whole(o.chat_json("")))
    unended = o.stream(o.last_line(reason=None), whole=whole(o.chat_json("", reason=None)))
    novel = o.stream(
        *(*o.lines("first"), b'{"novelty": [1]}\n', o.last_line(reason="tired", novelty=1)),
        whole=whole(o.chat_json("first", reason="tired", novelty={"a": [1]})),
    )

    @property
    def tools(self) -> s.Script:
        """Return two calls, each whole as this wire has them: one without arguments, one doubled."""
        calls = [o.tool_call("f", {}), o.tool_call("g", {"a": [True]}), o.tool_call("g", {"a": [True]})]
        message = o.message("", calls=calls)
        told = [o.line("", calls=[call]) for call in calls]
        return o.stream(*told, o.LAST, whole=whole(o.chat_json(message=message)))

    def reply(self, *pieces: str) -> s.Script:
        """Return a good answer that says these pieces."""
        return o.reply(*pieces)

    def error(self, status: int, said: Complaint, **headers: str) -> s.Script:
        """Return a refusal: only its status and its words."""
        return o.error(status, said.message, **headers)

    def error_json(self, said: Complaint) -> bytes:
        """Return an error body."""
        return o.error_json(said.message)

    def error_event(self, said: Complaint) -> bytes:
        """Return an error in a stream."""
        return o.error_line(said.message)

    def whole(self, text: str, *, stop: str = "end") -> bytes:
        """Return a whole answer."""
        return o.chat_json(text, reason=STOPS[self.name][stop])

    def texts(self, *pieces: str) -> tuple[bytes, ...]:
        """Return one line per piece of text."""
        return o.lines(*pieces)

    def finish(self, stop: str = "end") -> tuple[bytes, ...]:
        """Return the last line."""
        return (o.last_line(reason=STOPS[self.name][stop]),)

    def counted(self, usage: Any) -> s.Script:
        """Return a good answer with this in the place of both counts."""
        counts = {"prompt_eval_count": usage, "eval_count": usage}
        return o.stream(*o.lines("first"), o.last_line(**counts), whole=whole(o.chat_json("first", **counts)))

    def stream(self, *events: bytes | s.Step, is_ended: bool = True, whole: Iterable[s.Step] | None = None) -> s.Script:
        """Return this stream; a whole request gets `whole`, else the same bytes."""
        return o.stream(*events, is_ended=is_ended, whole=whole)


OPENAI: Dialect = OpenAI()
ANTHROPIC: Dialect = Anthropic()
OLLAMA: Dialect = Ollama()
DIALECTS = {each.name: each for each in (OPENAI, ANTHROPIC, OLLAMA)}


# Faults that many rows tell.


def refused(
    status: int, kind: str | None = None, code: str | int | None = None, message: str = "", **headers: str
) -> Telling:
    """Return a refusal in the provider's own envelope."""
    said = Complaint(kind, code, message)
    return lambda d: d.error(status, said, **headers)


def once(fault: Telling | s.Script) -> Telling:
    """Return a fault of the first request only: the second is answered well."""

    def tell(d: Dialect) -> tuple[s.Script, ...]:
        told = fault if isinstance(fault, s.Script) else fault(d)
        return (*(told if isinstance(told, tuple) else (told,)), d.first)

    return tell


def shown(d: Dialect) -> tuple[bytes | s.Step, ...]:
    """Return how an answer begins that is cut later: what a person has read of it, on its way."""
    return (*d.start, *d.texts("shown "), s.Pause(0.15))
