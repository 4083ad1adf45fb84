"""Streams: held until there is content, kept alive, relayed unchanged, bounded, and left when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from everup.testing.client import Conversation
from everup.testing.clock import until
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

LIMITS = {"head_hold_s": 0.5, "keep_alive_s": 0.25}
ROUTES = {
    name: [f"{name}/m"] for name in ("held", "alive", "opened", "cut", "exact", "leaves", "slow", "counted", "burst")
}
ROUTES["cut"] = ["cut/m", "spare/m"]
ROUTES["opened"] = ["opened/m", "opened2/m"]
GONE_S_MAX = 1.0
"""A generous bound on a machine with other things to do; the bar is 100 ms and the figure is printed."""
BUFFERED_BYTES_MAX = 8_000_000
"""What kernels, libraries and everup may hold of one unread stream together; the stream is 100 times longer."""


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    folder = tmp_path_factory.mktemp("streams")
    async with open_stage(folder, ROUTES, limits=LIMITS, send_buffer_bytes=65_536) as running:
        yield running


async def read_until(talk: Conversation, word: bytes) -> bytes:
    """Return what was read up to and with the read that brought a word."""
    seen = b""
    async with asyncio.timeout(10):
        while word not in seen:
            data = await talk.read_some()
            assert data, seen
            seen += data
    return seen


async def test_the_head_is_held_until_content(stage: Stage) -> None:
    """The role event alone sends nothing to the client: its head comes with the first content."""
    stage["held"].script(s.stream(s.ROLE, s.Pause(0.35), *s.chat_sse("now")))
    answer = await stage.gateway.ask("held", stream=True)
    assert ("now", True) == (answer.text, answer.is_done)
    assert answer.head_s >= 0.3


async def test_a_long_wait_is_kept_alive(stage: Stage) -> None:
    """After the hold the head goes out with comments that mean nothing, and the answer follows whole."""
    stage["alive"].script(s.reply("late").after(s.Pause(1.6)))
    answer = await stage.gateway.ask("alive", stream=True)
    assert ("late", True, True) == (answer.text, answer.is_done, answer.is_complete)
    assert answer.head_s < 1.4
    assert answer.body.startswith(b":")
    assert answer.body.count(b"\n:") >= 1


async def test_a_failure_after_the_head_moves_on(stage: Stage) -> None:
    """With only keep-alives sent another candidate may still answer, in the same stream."""
    stage["opened"].script(s.play(s.Pause(1.0), s.Reset()))
    stage["opened2"].script(s.reply("other"))
    answer = await stage.gateway.ask("opened", stream=True)
    assert ("other", True) == (answer.text, answer.is_complete)


async def test_a_total_failure_after_the_head_is_an_error_event(stage: Stage) -> None:
    """When all fail after the head went out the stream ends with an error event and not as if complete."""
    for name in ("opened", "opened2"):
        stage[name].script(s.error(403, "permission_error", "model_not_allowed", "no").after(s.Pause(0.8)))
    answer = await stage.gateway.ask("opened", stream=True)
    assert (200, False, False) == (answer.status, answer.is_complete, answer.is_done)
    assert "opened2/m" in answer.error["message"]


@pytest.mark.parametrize("last", [s.Close(), s.Reset()])
async def test_a_cut_after_content_is_told(stage: Stage, last: s.Step) -> None:
    """A cut after content ends in an error event, without the last chunk, and nobody else is asked."""
    stage["cut"].script(s.stream(s.ROLE, *s.texts("half "), s.Pause(0.1), last, is_ended=False))
    answer = await stage.gateway.ask("cut", stream=True)
    assert ("half ", False, False) == (answer.text, answer.is_complete, answer.is_done)
    assert {"message", "type"} <= set(answer.error)
    assert [0] == stage.counts("spare")


async def test_a_stream_passes_unchanged(stage: Stage) -> None:
    """A client that asks for usage gets the upstream's events byte for byte."""
    events = s.chat_sse("Grü", "ße ", "\U0001f600")
    stage["exact"].script(s.stream(*events))
    answer = await stage.gateway.ask("exact", stream=True, stream_options={"include_usage": True})
    assert b"".join(events) == answer.body


async def test_usage_is_asked_for_and_hidden(stage: Stage) -> None:
    """Usage is asked for upstream, and its extra event kept from a client that did not ask."""
    events = s.chat_sse("text")
    stage["counted"].script(s.stream(*events))
    answer = await stage.gateway.ask("counted", stream=True)
    assert {"include_usage": True} == stage["counted"].requests[-1].json["stream_options"]
    assert b"".join(event for event in events if event != s.USAGE) == answer.body


async def test_a_burst_passes(stage: Stage) -> None:
    """Ten thousand events in one write arrive all, in order."""
    words = [f"w{n} " for n in range(10_000)]
    stage["burst"].script(s.play(s.Send(s.SSE_HEAD + s.chunk(b"".join(s.chat_sse(*words))) + s.LAST_CHUNK)))
    answer = await stage.gateway.ask("burst", stream=True)
    assert ("".join(words), True) == (answer.text, answer.is_complete)


@pytest.mark.parametrize(
    ("when", "script", "stream"),
    [
        ("before the head", s.play(s.Silence()), True),
        ("before content", s.stream(s.ROLE, s.Silence()), True),
        ("after content", s.stream(s.ROLE, *s.texts("some"), s.Silence()), True),
        ("a whole answer", s.play(s.Silence()), False),
    ],
)
async def test_a_client_that_leaves_ends_the_upstream(
    stage: Stage, when: str, script: s.Script, capsys: pytest.CaptureFixture[str], *, stream: bool
) -> None:
    """When the client leaves, the request upstream is cancelled at once."""
    provider = stage["leaves"]
    provider.script(script)
    before = len(provider.requests)
    async with stage.gateway.talk() as talk:
        await stage.gateway.begin(talk, "leaves", stream=stream)
        await until(lambda: len(provider.requests) > before)
        if when == "after content":
            await talk.read_head()
            await read_until(talk, b"some")
        left = asyncio.get_running_loop().time()
        talk.leave()
        request = provider.requests[-1]
        await until(lambda: request.gone_mono_s is not None)
    gone_s = (request.gone_mono_s or 0) - left
    with capsys.disabled():
        print(f"\n  upstream left {gone_s * 1000:.1f} ms after the client ({when})")  # noqa: T201
    assert gone_s < GONE_S_MAX


async def test_a_slow_client_slows_its_upstream(stage: Stage) -> None:
    """A client that stops reading stops the upstream within a bound, and loses nothing when it reads on."""
    piece = "x" * 50_000
    count = 16_000
    event = s.event({"content": piece})
    stage["slow"].script(s.stream(s.ROLE, s.Send(s.chunk(event), times=count)))
    async with stage.gateway.talk(receive_buffer_bytes=65_536) as talk:
        await stage.gateway.begin(talk, "slow", stream=True)
        await talk.read_head()
        await read_until(talk, b"xxx")
        request = stage["slow"].requests[-1]
        held = -1
        async with asyncio.timeout(10):
            while held != request.sent_bytes:
                held = request.sent_bytes
                await asyncio.sleep(0.5)
        assert held < BUFFERED_BYTES_MAX
        await read_until(talk, b"xxx")
        for _ in range(400):
            assert await talk.read_some()
        await until(lambda: request.sent_bytes > held)
        talk.leave()
        await until(lambda: request.gone_mono_s is not None)
