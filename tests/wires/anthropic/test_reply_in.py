"""A whole answer of Anthropic's is read and judged as FAULTS rows 30-37 say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from everup.shapes.chat import Answer, ChatRequest, Format, StopReason, Text, Thinking, Tool, ToolCall
from everup.shapes.events import Usage
from everup.shapes.fault import FaultKind
from everup.wires.anthropic.reply_in import read_answer
from tests.wires.anthropic.upstream import BUDGET, HI, OLD, candidate

K = FaultKind
CHAT = ChatRequest(messages=(HI,))
JSON = "application/json"
HELLO = {"type": "text", "text": "Hello"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}


def message(*blocks: Any, stop: Any = "end_turn", **fields: Any) -> bytes:
    """Return a message's body."""
    usage = {"input_tokens": 9, "output_tokens": 5}
    base = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "usage": usage}
    return json.dumps({**base, "content": list(blocks), "stop_reason": stop, **fields}).encode()


def read(body: bytes, *, chat: ChatRequest | None = CHAT, to: str = BUDGET, content_type: str = JSON) -> Answer:
    """Return an answer as it is read."""
    return read_answer(content_type, body, chat, candidate(to))


def test_an_answer() -> None:
    """Text, its end, its id, its model and its usage are read."""
    answer = read(message(HELLO))
    assert (
        Answer(
            parts=(Text("Hello"),),
            stop=StopReason.END,
            usage=Usage(input_tokens=9, output_tokens=5),
            id="msg_1",
            model="claude-x",
        )
        == answer
    )


def test_all_kinds_of_blocks() -> None:
    """Thinking, hidden thinking, texts and calls are read in their order."""
    parts = read(
        message(
            {"type": "thinking", "thinking": "hm", "signature": "s=="},
            {"type": "redacted_thinking", "data": "d=="},
            HELLO,
            CALL,
            {"type": "text", "text": "!"},
            stop="tool_use",
        )
    ).parts
    assert (
        Thinking(text="hm", signature="s=="),
        Thinking(hidden="d=="),
        Text("Hello"),
        ToolCall(id="toolu_1", name="f", arguments='{"a": 1}'),
        Text("!"),
    ) == parts


def test_thinking_without_a_signature() -> None:
    """Thinking that nobody signed, as servers of other models send it, is read."""
    assert (Thinking(text="hm"), Text("Hello")) == read(message({"type": "thinking", "thinking": "hm"}, HELLO)).parts
    assert (Thinking(signature="s=="),) == read(message({"type": "thinking", "signature": "s=="})).parts


@pytest.mark.parametrize(("given", "arguments"), [({}, "{}"), (None, "{}"), ({"b": 1, "a": 2}, '{"b": 1, "a": 2}')])
def test_a_call_s_input(given: Any, arguments: str) -> None:
    """A call's input is the text of its object, byte for byte; none is an empty one."""
    (part,) = read(message({**CALL, "input": given}, stop="tool_use")).parts
    assert isinstance(part, ToolCall)
    assert arguments == part.arguments


def test_a_call_without_an_id_gets_one() -> None:
    """A call that came without an id gets one of what it is and where, always the same."""
    bare = {"type": "tool_use", "name": "f", "input": {}}
    first, second = (read(message(bare, bare, stop="tool_use")).parts for _ in range(2))
    assert first == second
    ids = [part.id for part in first if isinstance(part, ToolCall)]
    assert 2 == len(set(ids))
    assert all(each.startswith("call_") for each in ids)


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        ("end_turn", StopReason.END),
        ("max_tokens", StopReason.LENGTH),
        ("stop_sequence", StopReason.SEQUENCE),
        ("tool_use", StopReason.TOOL),
        ("pause_turn", StopReason.PAUSE),
        ("compaction", StopReason.PAUSE),
        ("refusal", StopReason.FILTER),
        ("model_context_window_exceeded", StopReason.WINDOW),
        ("a_new_one", StopReason.END),
        (None, StopReason.END),
        (7, StopReason.END),
    ],
)
def test_why_it_ended(word: Any, stop: StopReason) -> None:
    """Each reason has its meaning; one that is not known is a plain end."""
    assert stop is read(message(HELLO, stop=word)).stop


def test_an_answer_with_calls_ends_for_them() -> None:
    """Who calls a tool and says that it simply ended, ended for the call; a cut answer stays cut."""
    assert StopReason.TOOL is read(message(CALL, stop="end_turn")).stop
    assert StopReason.LENGTH is read(message(CALL, stop="max_tokens")).stop


def test_the_stop_sequence() -> None:
    """The sequence that ended an answer is told."""
    assert "END" == read(message(HELLO, stop="stop_sequence", stop_sequence="END")).sequence


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (
            {
                "input_tokens": 9,
                "output_tokens": 50,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 1000,
                "output_tokens_details": {"thinking_tokens": 30},
            },
            Usage(input_tokens=1109, output_tokens=50, cached_tokens=1000, cache_write_tokens=100, reasoning_tokens=30),
        ),
        (
            {"input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": None, "output_tokens_details": None},
            Usage(input_tokens=9, output_tokens=5),
        ),
        (
            {"input_tokens": 9, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 99}},
            Usage(input_tokens=9, output_tokens=5, reasoning_tokens=5),
        ),
        (
            {"input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": -4},
            Usage(input_tokens=9, output_tokens=5),
        ),
        ({"input_tokens": -1, "output_tokens": 5}, None),
        ({"input_tokens": 9, "output_tokens": 1e15}, None),
        ({"input_tokens": 9}, None),
        ({}, None),
        (None, None),
    ],
)
def test_usage(told: Any, usage: Usage | None) -> None:
    """The input includes what was cached and written, the output thinking; an absurd count leaves none."""
    assert usage == read(message(HELLO, usage=told)).usage


def test_server_tools_and_citations_are_not_seen() -> None:
    """What only a client of this wire could see is left out; the text around it stays."""
    cited = {**HELLO, "citations": [{"type": "web_search_result_location", "url": "https://a.example"}]}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    assert (Text("Hello"),) == read(message(SEARCH, found, cited)).parts


# Judged.


@pytest.mark.parametrize(
    ("body", "content_type", "kind", "row"),
    [
        (b"", JSON, K.EMPTY_BODY, "5.30"),
        (b" \n", JSON, K.EMPTY_BODY, "5.30"),
        (b"<html></html>", JSON, K.HTML_PAGE, "5.32"),
        (message(HELLO), "text/html", K.HTML_PAGE, "5.32"),
        (b'{"type": "message", "content": [', JSON, K.MALFORMED, "5.34"),
        (b'{"content": "\xff"}', JSON, K.MALFORMED, "5.34"),
        (message(HELLO).replace(b"Hello", b"\xff\xfe"), JSON, K.MALFORMED, "5.34"),
        (message({**CALL, "x": 1}).replace(b"toolu_1", b"\xff"), JSON, K.MALFORMED, "5.34"),
        (message(HELLO, more="QQ").replace(b"QQ", b"\xff"), JSON, K.MALFORMED, "5.34"),
        (b"[]", JSON, K.MALFORMED, "5.34"),
        (b'{"id": "msg_1"}', JSON, K.MALFORMED, "5.34"),
        (b'{"content": "Hello"}', JSON, K.MALFORMED, "5.34"),
        (b'{"content": [{"type": "text", "text": {}}]}', JSON, K.MALFORMED, "5.34"),
        (b'{"content": [[1]], "cut": ', JSON, K.MALFORMED, "5.34"),
        (b'{"content": ' + b"[" * 5000 + b"]" * 5000 + b"}", JSON, K.MALFORMED, "5.34"),
        (message({"type": "tool_use", "id": "toolu_1", "input": {}}), JSON, K.MALFORMED, "5.34"),
        (message(), JSON, K.EMPTY_ANSWER, "5.35"),
        (message(content=None), JSON, K.EMPTY_ANSWER, "5.35"),
        (message({"type": "text", "text": ""}), JSON, K.EMPTY_ANSWER, "5.35"),
        (message({"type": "text", "text": None}), JSON, K.EMPTY_ANSWER, "5.35"),
        (message({"type": "thinking", "thinking": ""}, {"type": "redacted_thinking"}), JSON, K.EMPTY_ANSWER, "5.35"),
        (message(SEARCH), JSON, K.EMPTY_ANSWER, "5.35"),
        (message(stop=None), JSON, K.EMPTY_ANSWER, "5.35"),
        (b'{"error": true}', JSON, K.SERVER_ERROR, "5.31"),
    ],
)
def test_what_is_no_answer(body: bytes, content_type: str, kind: FaultKind, row: str) -> None:
    """Each unusable body is told apart by its row of the contract."""
    fault = read(body, content_type=content_type).fault
    assert fault is not None
    assert (kind, row) == (fault.kind, fault.rule)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, K.OVERLOADED),
        ({"type": "rate_limit_error", "message": "Slow down"}, K.RATE_LIMIT),
        ({"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}, K.CONTEXT_OVERFLOW),
        ({"type": "api_error", "message": "Internal server error"}, K.SERVER_ERROR),
    ],
)
def test_an_error_with_status_200(error: dict[str, str], kind: FaultKind) -> None:
    """An error that came as an answer means what its type says."""
    fault = read(json.dumps({"type": "error", "error": error}).encode()).fault
    assert fault is not None
    assert (kind, error["message"]) == (fault.kind, fault.message)


@pytest.mark.parametrize(
    "word",
    ["max_tokens", "refusal", "tool_use", "pause_turn", "stop_sequence", "model_context_window_exceeded"],
)
def test_a_reason_explains_an_answer_without_blocks(word: str) -> None:
    """Nothing at all is an answer where the reason says why."""
    answer = read(message(stop=word))
    assert ((), None) == (answer.parts, answer.fault)


def test_a_relayed_answer_may_be_server_tools_alone() -> None:
    """Whose client speaks this wire sees every block: such an answer is not empty."""
    assert read(message(SEARCH), chat=None).fault is None
    assert read(message(), chat=None).fault is not None


def test_a_type_and_a_byte_order_mark_do_not_matter() -> None:
    """JSON under another type, or with a mark before it, is read (row 33)."""
    assert read(b"\xef\xbb\xbf" + message(HELLO), content_type="text/plain").fault is None


# Structured answers of older models.

FORM = Format(schema=Raw(b'{"type":"object"}'), name="count")
ASKED = ChatRequest(messages=(HI,), format=FORM)
ANSWERED = {"type": "tool_use", "id": "toolu_1", "name": "count", "input": {"n": 3}}


def test_the_forced_tool_is_the_answer_s_text() -> None:
    """What an older model put into the forced tool is the text of the answer, which simply ended."""
    answer = read(message(ANSWERED, stop="tool_use"), chat=ASKED, to=OLD)
    assert ((Text('{"n": 3}'),), StopReason.END) == (answer.parts, answer.stop)
    assert StopReason.END is read(message(ANSWERED, HELLO, stop="tool_use"), chat=ASKED, to=OLD).stop
    assert StopReason.LENGTH is read(message(ANSWERED, stop="max_tokens"), chat=ASKED, to=OLD).stop


def test_a_call_of_the_client_s_stays_one() -> None:
    """Where the client has tools too a call of one of them is a call."""
    asked = ChatRequest(messages=(HI,), format=FORM, tools=(Tool(name="f"),))
    answer = read(message(CALL, stop="tool_use"), chat=asked, to=OLD)
    assert ((ToolCall(id="toolu_1", name="f", arguments='{"a": 1}'),), StopReason.TOOL) == (answer.parts, answer.stop)


def test_newer_models_answer_in_text() -> None:
    """A newer model's tool of that name is the client's own."""
    answer = read(message(ANSWERED, stop="tool_use"), chat=ASKED, to=BUDGET)
    assert StopReason.TOOL is answer.stop
