"""What providers do in streams that they should not, and what breaks an answer, is told in the promised order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.shapes.events import Usage
from everup.shapes.fault import FaultKind
from everup.shapes.stream import (
    BlockEnded,
    Ended,
    Failed,
    Finished,
    Pinged,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageSeen,
)
from everup.wires.anthropic.stream_in import Reader
from everup.wires.framing import Frame, SseSplitter
from tests.wires.anthropic.upstream import (
    END,
    FINISH,
    LAST,
    PING,
    START,
    USED,
    begun,
    candidate,
    closed,
    delta,
    ended,
    event,
    hear,
    heard,
    opened,
    told,
    within,
)


def test_a_second_begin() -> None:
    """A message that begins twice begins once; its counts stay the larger ones."""
    found = told(begun(), begun(input_tokens=20), opened(text="x"), closed(), ended(), LAST)
    assert 1 == found.count(START)
    assert UsageSeen(Usage(input_tokens=20, output_tokens=5)) in found
    assert Pinged() == hear(begun(), event("message_start", message={}))[-1]


def test_no_begin() -> None:
    """A stream without a begin has one all the same."""
    assert [Started(), TextDelta("x"), END] == told(opened(text="x"), closed())
    assert [Started(), TextDelta("x"), END] == told(delta(text="x"), closed())
    assert [Started(), FINISH, Ended()] == told(LAST)
    assert [Started()] == told(event("message_start"))


def test_a_block_that_is_not_closed() -> None:
    """The next block, the end of the message and the end of the stream close what is open."""
    assert [TextDelta("a"), END, TextDelta("b"), END] == within(opened(0, text="a"), opened(1, text="b"))
    assert [TextDelta("a"), END, FINISH, Ended()] == told(begun(), opened(text="a"), LAST)[2:]
    assert [TextDelta("a"), END] == told(begun(), opened(text="a"))[2:]


def test_a_call_that_is_cut_gets_no_arguments() -> None:
    """The end of the connection makes up no arguments for a call that was open."""
    parts = (begun(), opened(0, "tool_use", id="toolu_1", name="f", input={}))
    assert [ToolCallStarted(0, "toolu_1", "f"), END] == told(*parts)[2:]


def test_an_end_of_a_block_that_is_not_open() -> None:
    """An end of nothing, or of another block, says nothing."""
    assert [TextDelta("a"), TextDelta("b"), END] == within(
        opened(0, text="a"), closed(7), delta(0, text="b"), closed(0)
    )
    assert [] == within(closed(0))
    assert Pinged() == hear(begun(), opened(text="x"), closed(), closed())[-1]


def test_an_end_of_a_message_that_says_nothing() -> None:
    """The end of a message may lack its counts, its reason, or both."""
    assert [FINISH] == told(begun(), event("message_delta", delta={"stop_reason": "end_turn"}))[2:]
    assert [USED] == told(begun(), event("message_delta", usage={"output_tokens": 5}))[2:]
    assert [Pinged()] == hear(begun(), event("message_delta"))[2:]


def test_a_delta_of_a_block_that_is_not_open() -> None:
    """Text and thinking that nobody announced open their block."""
    parts = (delta(0, text="a"), delta(0, text="b"), delta(3, "thinking_delta", thinking="c"), closed(3))
    assert [TextDelta("a"), TextDelta("b"), END, ThinkingDelta("c"), END] == within(*parts)
    assert [ThinkingDelta("a"), END, TextDelta("b"), END] == within(
        opened(0, "thinking", thinking="a"), delta(0, text="b")
    )


def test_a_delta_of_another_block_than_the_open_one() -> None:
    """Text and thinking of another index are another block, also of the same kind."""
    assert [TextDelta("a"), END, TextDelta("b"), END] == within(opened(0, text="a"), delta(1, text="b"))
    assert [ThinkingDelta("a"), END, ThinkingDelta("b"), END] == within(
        opened(0, "thinking", thinking="a"), delta(1, "thinking_delta", thinking="b")
    )
    unseen = opened(0, "server_tool_use", id="srvtoolu_1", name="web_search")
    assert [TextDelta("b"), END] == within(unseen, delta(1, text="b"))
    call = opened(0, "tool_use", id="toolu_1", name="f", input={})
    assert None in hear(begun(), call, delta(1, "input_json_delta", partial_json="{"))


def test_arguments_of_a_call_that_is_not_open() -> None:
    """A piece of arguments that belongs to no open call is a broken event: what it says would be lost."""
    piece = delta(5, "input_json_delta", partial_json="{")
    assert None in hear(begun(), piece)
    assert None in hear(begun(), opened(0, text="a"), delta(0, "input_json_delta", partial_json="{"))


def test_what_only_a_client_of_this_wire_sees() -> None:
    """Server tools, their results, citations and kinds of the future are signs of life, never broken."""
    parts = (
        opened(0, "server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json='{"query"'),
        closed(0),
        opened(1, "web_search_tool_result", tool_use_id="srvtoolu_1", content=[{"type": "web_search_result"}]),
        closed(1),
        opened(2, text="", citations=[]),
        delta(2, "citations_delta", citation={"type": "web_search_result_location"}),
        delta(2, text="x"),
        delta(2, "a_new_delta", something=1),
        closed(2),
        opened(3, "a_new_block", something={"text": "y"}),
        delta(3, "a_new_delta", text="y"),
        closed(3),
        event("a_new_event", index="three", delta=[]),
    )
    assert [TextDelta("x"), END] == within(*parts)
    assert None not in hear(begun(), *parts)


def test_a_relayed_server_tool_is_content() -> None:
    """Whose client speaks this wire sees server tools: their begin counts as content."""
    reader = Reader(None, candidate())
    parts = (begun(), opened(0, "server_tool_use", id="srvtoolu_1", name="web_search", input={}), closed(0))
    assert TextDelta("") in heard(reader, *parts)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"7",
        b'"x"',
        b"{",
        b"[DONE]",
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}',
        b'{"type":"content_block_delta","index":0}',
        b'{"type":"content_block_start","index":0}',
        b'{"type":"content_block_start","index":"zero","content_block":{"type":"text"}}',
        b'{"type":"message_start","message":[]}',
        b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_broken_frame(data: bytes) -> None:
    """No JSON, no object, and a known event of another shape are broken."""
    assert Reader(None, candidate()).read(Frame(b"", data)) is None


@pytest.mark.parametrize(
    "data", [b"{}", b'{"type":null}', b'{"type":7}', b'{"type":[]}', b'{"type":"x","index":"a"}', b'{"delta":[]}']
)
def test_an_object_of_no_known_type(data: bytes) -> None:
    """What is merely unknown is a sign of life."""
    assert [Pinged()] == Reader(None, candidate()).read(Frame(b"", data))


def test_the_event_s_name_stands_in_for_its_type() -> None:
    """Data without a type is known by the name of its event."""
    frame = Frame(b"", b'{"index":0,"content_block":{"type":"text","text":"x"}}', b"content_block_start")
    assert [Started(), TextDelta("x")] == Reader(None, candidate()).read(frame)


# Errors.


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, FaultKind.OVERLOADED),
        ({"type": "error", "error": {"type": "api_error", "message": "Internal"}}, FaultKind.SERVER_ERROR),
        ({"error": {"type": "rate_limit_error", "message": "x"}}, FaultKind.RATE_LIMIT),
        ({"type": "error", "error": "it broke"}, FaultKind.SERVER_ERROR),
        ({"type": "error", "error": {}}, FaultKind.SERVER_ERROR),
        ({"type": "error", "error": None}, FaultKind.SERVER_ERROR),
        ({"type": "error"}, FaultKind.SERVER_ERROR),
    ],
)
def test_an_error_anywhere(data: dict[str, Any], kind: FaultKind) -> None:
    """An error before or amid the answer breaks it, and means what its type says."""
    frame = b"event: error\ndata: " + json.dumps(data).encode() + b"\n\n"
    for before in ((), (begun(),), (begun(), opened(text="x"))):
        failed = [each for each in hear(*before, frame) if isinstance(each, Failed)]
        assert [kind] == [each.fault.kind for each in failed]


# Anything.

PIECES = st.sampled_from(
    [
        begun(),
        PING,
        LAST,
        ended(),
        ended(None),
        *(opened(index, text="a") for index in (0, 1)),
        *(opened(index, "tool_use", id="toolu_1", name="f", input={}) for index in (0, 1)),
        *(opened(index, "thinking", thinking="", signature="") for index in (0, 1)),
        opened(1, "server_tool_use", id="s", name="w", input={}),
        *(delta(index, text="b") for index in (0, 1)),
        *(delta(index, "thinking_delta", thinking="c") for index in (0, 1)),
        *(delta(index, "signature_delta", signature="s") for index in (0, 1)),
        *(delta(index, "input_json_delta", partial_json="{}") for index in (0, 1)),
        *(closed(index) for index in (0, 1)),
        b"data: broken\n\n",
    ]
)
WHAT_OPENS = {TextDelta: "text", ThinkingDelta: "thinking", ToolCallStarted: "call", ToolCallDelta: "call"}


@given(st.lists(PIECES, max_size=12))
def test_the_order_is_kept_whatever_comes(parts: list[bytes]) -> None:
    """Any sequence of events is told in the promised order: one begin, blocks one at a time, one reason."""
    events = [each for each in hear(*parts) if each is not None and not isinstance(each, Pinged | UsageSeen)]
    if events:
        assert isinstance(events[0], Started)
    assert sum(isinstance(each, Started) for each in events) <= 1
    assert sum(isinstance(each, Finished) for each in events) <= 1
    open_, places = "", -1
    for each in events[1:]:
        kind = WHAT_OPENS.get(type(each), "")
        if isinstance(each, BlockEnded):
            assert open_
            open_ = ""
        elif kind:
            assert open_ in {"", kind}
            assert open_ == "" or not isinstance(each, ToolCallStarted)
            assert open_ or not isinstance(each, ToolCallDelta)
            open_ = kind
            places += isinstance(each, ToolCallStarted)
            assert getattr(each, "place", places) == places
        else:
            assert not open_
    assert not open_


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    """Whatever a frame holds, events come out or nothing, and nothing is raised (S27)."""
    reader = Reader(None, candidate())
    reader.read(Frame(data, data))
    for frame in SseSplitter(1000).feed(data + b"\n\n"):
        reader.read(frame)
    reader.close()
