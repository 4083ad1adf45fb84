"""The short way through a relay, taken for a read that is one plain chunk, gives what the long way gives."""

from __future__ import annotations

import pytest

from everup.shapes.asked import Asked
from everup.wires.openai_chat.relay import ChatRelay
from tests.wires.support import CALL, DONE, LIMITS, ROLE, SSE, STOP, STREAMED, TEXT, USAGE, ask, candidate, delta, event

HIDDEN = ask(stream=True)
ODD_EVENTS = [
    ROLE,
    TEXT,
    CALL,
    STOP,
    USAGE,
    DONE,
    delta("tired", content="x"),
    delta(content="\u00e9\u4e2d"),
    delta(content="x").replace(b"\n\n", b"\r\n\r\n"),
    TEXT + TEXT,
    TEXT[:-1],
    TEXT.replace(b"data: ", b"data:"),
    b"data: {\n\n",
    b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"a"}}],"usage":7}\n\n',
    b'data: {"choices":null}\n\n',
    event(choices=[]),
    event(choices=[{"delta": {"content": "a"}}], error={"message": "no"}),
    event(error={"message": "no", "code": 500}),
    event(object="novelty"),
    b": ping\n\n",
    b"\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n",
]


@pytest.mark.parametrize("asked", [HIDDEN, STREAMED], ids=["usage hidden", "usage asked"])
@pytest.mark.parametrize("before", [b"", TEXT, CALL, b"data: {"], ids=["first", "text", "call", "amid"])
@pytest.mark.parametrize("data", ODD_EVENTS)
def test_the_short_way_is_the_long_way(data: bytes, before: bytes, asked: Asked) -> None:
    """A read that is one plain chunk gives what the look at every event would have given."""
    short, long = (ChatRelay(asked, candidate(), SSE, LIMITS) for _ in range(2))
    for stream in (short, long):
        stream.feed(ROLE)
        stream.feed(before)
    assert long.relay(long.splitter.feed(data)) == short.feed(data)
    kept = [
        {**vars(each), "splitter": bytes(each.splitter.buffer), "opening": vars(each.opening), "usage_seen": None}
        for each in (short, long)
    ]
    assert kept[1] == kept[0]
