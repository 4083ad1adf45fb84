"""Tool calls in chunks of any order, form and number become calls one after another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.shapes.fault import FaultKind
from everup.shapes.stream import Failed, StreamEvent, TextDelta, ToolCallDelta, ToolCallStarted
from everup.wires.mint import mint_call_id
from everup.wires.openai_chat import blocks
from tests.wires.openai_chat.chats import frame
from tests.wires.openai_chat.chunks import CALLED, END, START, chunk, piece, read, reader


def test_calls_one_after_another() -> None:
    """Parallel calls in order are told as they come, a call's arguments piece by piece."""
    told = read(
        chunk(content="so"),
        piece(0, "i0", "f"),
        piece(0, arguments='{"a"'),
        piece(0, arguments=":1}"),
        piece(1, "i1", "g", '{"b":2}'),
        finish="tool_calls",
    )
    assert told == [
        START,
        TextDelta("so"),
        END,
        ToolCallStarted(0, "i0", "f"),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":1}"),
        END,
        ToolCallStarted(1, "i1", "g"),
        ToolCallDelta(1, '{"b":2}'),
        *CALLED,
    ]


def test_calls_that_interleave() -> None:
    """Pieces of a later call wait while an earlier one is not whole, and the text behind them too."""
    told = read(
        piece(0, "i0", "f"),
        piece(1, "i1", "g"),
        piece(0, arguments='{"a":'),
        piece(1, arguments='{"b":'),
        chunk(content="so"),
        piece(0, arguments="1}"),
        piece(1, arguments="2}"),
    )
    assert told == [
        START,
        ToolCallStarted(0, "i0", "f"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(0, "1}"),
        END,
        ToolCallStarted(1, "i1", "g"),
        ToolCallDelta(1, '{"b":'),
        ToolCallDelta(1, "2}"),
        END,
        TextDelta("so"),
        *CALLED,
    ]


def test_a_call_without_arguments() -> None:
    """A call that never gets arguments ends with the answer, and what waited behind it is told."""
    told = read(piece(0, "i0", "f"), piece(1, "i1", "g", "{}"))
    assert told == [
        START,
        ToolCallStarted(0, "i0", "f"),
        END,
        ToolCallStarted(1, "i1", "g"),
        ToolCallDelta(1, "{}"),
        *CALLED,
    ]


TWO = [
    START,
    ToolCallStarted(0, "i0", "f"),
    ToolCallDelta(0, '{"a":1}'),
    END,
    ToolCallStarted(1, "i1", "g"),
    ToolCallDelta(1, "{}"),
    *CALLED,
]


@pytest.mark.parametrize(
    "chunks",
    [
        [piece(None, "i0", "f", '{"a":1}'), piece(None, "i1", "g", "{}")],
        [piece(0, "i0", "f", '{"a":1}'), piece(0, "i1", "g", "{}")],
        [piece(5, "i0", "f", '{"a":1}'), piece(2, "i1", "g", "{}")],
        [piece(0, "i0", "f", {"a": 1}), piece(1, "i1", "g", {})],
        [piece(0, "i0", "f", '{"a":1}'), piece(0, "i0", "f"), piece(1, "i1", "g", "{}"), piece(1, "i1", "g")],
        [
            chunk(
                tool_calls=[
                    {"index": 0, "id": "i0", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"index": 1, "id": "i1", "function": {"name": "g", "arguments": "{}"}},
                ]
            )
        ],
    ],
)
def test_whole_calls(chunks: list[dict[str, Any]]) -> None:
    """Whole calls are two, with absent, repeated, odd or equal indices, as text or as objects."""
    assert TWO == read(*chunks)


def test_calls_without_ids_or_indices() -> None:
    """A name begins a call where nothing else tells, pieces without one go on with it, and an id is made."""
    told = read(
        piece(None, name="f", arguments='{"a"'), piece(None, arguments=":1}"), piece(None, name="f", arguments="{}")
    )
    first, second = mint_call_id(2, 0, "f", '{"a"'), mint_call_id(2, 1, "f", "{}")
    assert told == [
        START,
        ToolCallStarted(0, first, "f"),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":1}"),
        END,
        ToolCallStarted(1, second, "f"),
        ToolCallDelta(1, "{}"),
        *CALLED,
    ]
    whole = read(piece(0, name="f", arguments="{}"), piece(0, name="f", arguments="{}"))
    assert [0, 1] == [event.place for event in whole if isinstance(event, ToolCallStarted)]


def test_pieces_with_ids_and_no_indices() -> None:
    """Without indices a piece with a known id goes on with that call, wherever it stands."""
    told = read(
        piece(None, "i0", "f"),
        piece(None, "i1", "g"),
        piece(None, "i0", arguments='{"a":1}'),
        piece(None, "i1", arguments="{}"),
    )
    assert TWO == told


def test_a_name_that_comes_late() -> None:
    """A call begins once its name is known, with what was held back."""
    told = read(piece(0, "i0"), piece(0, arguments='{"a":'), piece(0, name="f"), piece(0, arguments="1}"))
    assert told == [
        START,
        ToolCallStarted(0, "i0", "f"),
        ToolCallDelta(0, '{"a":'),
        ToolCallDelta(0, "1}"),
        *CALLED,
    ]


def test_what_follows_a_whole_call_is_left_out() -> None:
    """Pieces for a call that has ended cannot break it."""
    told = read(
        piece(0, "i0", "f", '{"a":1}'), piece(1, "i1", "g", "{}"), piece(0, arguments=" "), piece(0, arguments="x")
    )
    assert TWO == told
    again = read(
        piece(0, name="f", arguments="{}"),
        chunk(content="a"),
        piece(0, arguments="x"),
        piece(0, name="g", arguments="{}"),
    )
    assert ["f", "g"] == [event.name for event in again if isinstance(event, ToolCallStarted)]


def test_the_older_form_of_calls() -> None:
    """A function call of the older form is one call."""
    told = read(
        chunk(function_call={"name": "f", "arguments": ""}),
        chunk(function_call={"arguments": '{"a"'}),
        chunk(function_call={"arguments": ":1}"}),
        finish="function_call",
    )
    begun = ToolCallStarted(0, mint_call_id(2, 0, "f", ""), "f")
    assert [START, begun, ToolCallDelta(0, '{"a"'), ToolCallDelta(0, ":1}"), *CALLED] == told


def test_a_call_without_a_name_breaks_the_answer() -> None:
    """A call that never gets a name makes the answer malformed."""
    told = read(chunk(content="a"), piece(0, "i0", arguments="{}"))
    assert [START, TextDelta("a"), END] == told[:-1]
    assert isinstance(told[-1], Failed)
    assert FaultKind.MALFORMED is told[-1].fault.kind


def test_what_is_held_back_is_bounded() -> None:
    """A call whose arguments never end breaks the answer off, and so do texts that wait behind it."""
    part = "x" * 1_000_000
    for later in (piece(0, arguments=part), chunk(content=part), chunk(reasoning=part)):
        stream = reader()
        stream.read(frame(**piece(0, "i0", "f", "{")))
        told: list[StreamEvent] = []
        for _ in range(blocks.HELD_CHARS_MAX // 1_000_000 + 1):
            told = stream.read(frame(**later)) or []
        assert isinstance(told[-1], Failed)
        assert FaultKind.OVERSIZE is told[-1].fault.kind


def test_how_many_calls_there_are_is_bounded() -> None:
    """An answer of thousands of calls is broken off."""
    rows = [{"index": n, "id": f"i{n}", "function": {"name": "f"}} for n in range(blocks.CALLS_MAX + 1)]
    told = reader().read(frame(**chunk(tool_calls=rows)))
    assert told is not None
    assert isinstance(told[-1], Failed)


ARGUMENTS = ('{"b": {"c": "}"}}', "{}", '{"a": 1}')


@given(st.lists(st.integers(0, 2), min_size=30, max_size=60), st.integers(1, 9))
def test_any_interleaving_gives_whole_calls(turns: list[int], size: int) -> None:
    """However the pieces of three calls are mixed, each call is told once and whole, in the promised order."""
    left = [[text[start : start + size] for start in range(0, len(text), size)] for text in ARGUMENTS]
    chunks = [piece(index, f"i{index}", f"f{index}") for index in range(3)]
    order = (*turns, *(index for index in range(3) for _ in range(20)))
    chunks += [piece(index, arguments=left[index].pop(0)) for index in order if left[index]]
    told = read(*chunks)
    deltas = [each for each in told if isinstance(each, ToolCallDelta)]
    spoken = ["".join(each.arguments for each in deltas if each.place == place) for place in range(3)]
    assert list(ARGUMENTS) == spoken
    assert [("i0", "f0"), ("i1", "f1"), ("i2", "f2")] == [
        (each.id, each.name) for each in told if isinstance(each, ToolCallStarted)
    ]
