"""Streamed answers: held, released, kept alive, cut and timed."""

from __future__ import annotations

import asyncio

import pytest

from everup.shapes.limits import Limits
from everup.shapes.route import ClockOverrides
from everup.testing import scripts as s
from everup.testing.clock import JumpLoop
from tests.engine.make import Sheet, world

pytestmark = pytest.mark.anyio

GOOD = s.reply("Hel", "lo.")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


async def test_a_good_stream_passes_byte_for_byte() -> None:
    """A stream is relayed as it came, with who answered and a trail of one."""
    async with world(a=GOOD) as w:
        sheet = await w.ask(is_stream=True, stream_options={"include_usage": True})
        sent = b"".join(s.chat_sse("Hel", "lo."))
        assert sent == sheet.body
        assert sheet.is_finished
        assert "a/m" == sheet.headers["x-everup-model"]
        assert sheet.trail.startswith("a/m=ok (")


async def test_a_refusal_is_never_seen_by_the_client() -> None:
    """A provider's error before content moves on silently, and the trail says so."""
    async with world(a=s.error(429, "rate_limit_error", None, "slow down"), b=GOOD) as w:
        sheet = await w.ask(is_stream=True)
        assert ("Hello.", True) == (sheet.text, sheet.is_finished)
        assert {"a": 1, "b": 1} == w.calls()
        assert "a/m=rate_limit 429" in sheet.trail


async def test_a_cut_before_content_is_discarded() -> None:
    """What a stream said before its first content is forgotten when it breaks off."""
    begun = s.stream(s.event({"role": "assistant", "content": ""}), s.Close(), is_ended=False)
    async with world(a=begun, b=GOOD) as w:
        sheet = await w.ask(is_stream=True)
        assert "Hello." == sheet.text
        assert 1 == sheet.body.count(b'"role"')


async def test_a_cut_after_content_is_told_and_nobody_else_is_asked() -> None:
    """After content a cut ends in an error event; it never looks complete and costs no second attempt."""
    begun = s.stream(*s.texts("Hel"), s.Close(), is_ended=False)
    async with world(a=begun, b=GOOD) as w:
        sheet = await w.ask(is_stream=True)
        assert "Hel" == sheet.text
        assert not sheet.is_finished
        assert sheet.failure is not None
        assert "answer_cut" == sheet.failure.code
        assert {"a": 1, "b": 0} == w.calls()


async def test_a_silent_provider_is_left_at_its_clock() -> None:
    """A provider that sends no first event is left when its clock ends and another one is ready."""
    async with world(a=s.play(s.Silence()), b=GOOD) as w:
        loop = asyncio.get_running_loop()
        before = loop.time()
        sheet = await w.ask(is_stream=True)
        assert "Hello." == sheet.text
        assert 12 <= loop.time() - before < 14
        assert "a/m=first_event" in sheet.trail
        assert "possibly billed" in sheet.trail


async def test_a_silent_last_candidate_has_until_the_deadline() -> None:
    """With nobody else ready only the deadline ends a silent attempt, as a 504."""
    async with world(a=s.play(s.Silence())) as w:
        loop = asyncio.get_running_loop()
        before = loop.time()
        sheet = await w.ask(is_stream=True, deadline_s=40)
        assert sheet.failure is not None
        assert 504 == sheet.failure.status
        assert 40 <= loop.time() - before < 42


async def test_the_head_goes_out_with_comments_after_the_hold() -> None:
    """After the hold time the head goes out and comments keep the client waiting; then the answer follows."""
    slow = s.reply("Hello.").after(s.Pause(100))
    async with world(a=slow) as w:
        sheet = await w.ask(is_stream=True)
        assert sheet.is_finished
        assert sheet.body.startswith(b": ")
        assert 4 == sheet.body.count(b": keep")
        assert "Hello." == sheet.text


async def test_total_failure_after_the_hold_is_an_error_event() -> None:
    """Once the head is out a total failure is told in the stream, not as a status."""
    async with world(a=s.error(500).after(s.Pause(60))) as w:
        sheet = await w.ask(is_stream=True)
        assert 200 == sheet.status
        assert not sheet.is_finished
        assert sheet.failure is not None
        assert "all_candidates_failed" == sheet.failure.code


async def test_a_stall_after_content_ends_as_a_cut() -> None:
    """A stream that falls silent after content is ended as incomplete at the stall clock."""
    stalled = s.stream(*s.texts("Hel"), s.Silence(), is_ended=False)
    async with world(a=stalled, b=GOOD, clocks=ClockOverrides(stall_s=5)) as w:
        loop = asyncio.get_running_loop()
        before = loop.time()
        sheet = await w.ask(is_stream=True)
        assert sheet.failure is not None
        assert "stall" in sheet.failure.message
        assert 5 <= loop.time() - before < 7


async def test_a_slow_client_does_not_run_the_provider_s_clocks_down() -> None:
    """While the client takes its time to read, the provider is not blamed for silence."""
    pieces = [step for piece in ("Hel", "lo", ".") for step in (*s.texts(piece), s.Pause(1))]
    async with world(a=s.stream(*pieces, s.event({}, finish="stop"), b"data: [DONE]\n\n")) as w:
        sheet = await w.ask(is_stream=True, sheet=Sheet(pause_s=90))
        assert ("Hello.", True) == (sheet.text, sheet.is_finished)


async def test_leaving_cancels_the_upstream_call() -> None:
    """When the client's task is cancelled the provider's connection is closed and every slot is free again."""
    async with world(a=s.stream(*s.texts("Hel"), s.Silence(), is_ended=False)) as w:
        sheet = Sheet()
        task = asyncio.create_task(w.ask(is_stream=True, sheet=sheet))
        while not sheet.parts:
            assert not task.done()
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert 0 == w.net.view()["open"]
        while w.providers["a"].requests[0].gone_mono_s is None:
            await asyncio.sleep(0.01)


async def test_a_stream_of_nothing_but_roles_is_bounded() -> None:
    """Endless events without content do not fill the memory: the attempt is given up."""
    endless = s.stream(s.Send(s.chunk(s.event({"role": "assistant", "content": ""})), times=20_000), is_ended=False)
    async with world(a=endless, b=GOOD, limits=Limits(held_bytes_max=10_000)) as w:
        sheet = await w.ask(is_stream=True)
        assert "Hello." == sheet.text
        assert "a/m=malformed" in sheet.trail


async def test_connections_are_used_again_after_a_stream() -> None:
    """A complete stream gives its connection back, so that the next request needs no new one."""
    async with world(a=GOOD) as w:
        for _ in range(3):
            assert (await w.ask(is_stream=True)).is_finished
        assert 1 == w.providers["a"].connections


async def test_a_finished_stream_without_its_marker_is_complete() -> None:
    """After a finish reason a provider that falls silent, or is ended by the deadline, has answered completely."""
    told = s.stream(*s.texts("Hel", "lo."), s.FINISH, s.Silence(), is_ended=False)
    for deadline_s in (600.0, 30.0):
        async with world(a=told) as w:
            sheet = await w.ask(is_stream=True, deadline_s=deadline_s)
            assert ("Hello.", True) == (sheet.text, sheet.is_finished)
            assert sheet.body.endswith(b"data: [DONE]\n\n")


async def test_a_total_failure_at_the_moment_of_the_hold_is_told_once() -> None:
    """When everybody has failed just as the head would go out, the client gets a status or an event, not both."""
    async with world(a=s.error(400, "invalid_request_error", None, "no").after(s.Pause(45))) as w:
        sheet = await w.ask(is_stream=True)
        assert sheet.failure is not None
        assert not sheet.is_finished


async def test_broken_events_are_counted() -> None:
    """An event that cannot be read is left out of an answer that goes on, and counted."""
    broken = s.stream(*s.texts("Hel"), b"data: {broken\n\n", *s.texts("lo."), s.FINISH, s.DONE)
    async with world(a=broken) as w:
        sheet = await w.ask(is_stream=True)
        assert ("Hello.", True) == (sheet.text, sheet.is_finished)
        counted = w.engine.parts.metrics.numbers  # type: ignore[attr-defined]
        assert 1 == counted["everup_events_dropped_total", ("a/m",)]


async def test_an_answer_whose_connection_never_settles_is_given_up_after() -> None:
    """A complete answer is the client's at once; a connection that does not end with it is closed, not kept."""
    open_end = s.stream(*s.texts("Hello."), s.FINISH, s.DONE, s.Silence(), is_ended=False)
    async with world(a=open_end) as w:
        began = asyncio.get_running_loop().time()
        assert (await w.ask(is_stream=True)).is_finished
        assert asyncio.get_running_loop().time() - began < 1
        assert 0 == w.net.view()["idle"]


@pytest.mark.parametrize("pause_s", [0.0, 0.5])
@pytest.mark.parametrize("slice_bytes", [1, 7, 100_000])
async def test_a_long_stream_passes_byte_for_byte_however_it_comes(pause_s: float, slice_bytes: int) -> None:
    """Quick and slow clients get the same bytes of a long stream, in whatever slices it arrives."""
    pieces = [f"word{n} " for n in range(40)]
    async with world(a=s.reply(*pieces).sliced(slice_bytes), limits=Limits(deadline_s=100_000)) as w:
        sheet = await w.ask(is_stream=True, sheet=Sheet(pause_s=pause_s), stream_options={"include_usage": True})
        assert b"".join(s.chat_sse(*pieces)) == sheet.body
        assert sheet.is_finished


async def test_a_fault_after_a_long_answer_is_told_after_its_last_byte() -> None:
    """Everything that came before a cut is shown, then the cut is told."""
    pieces = [f"word{n} " for n in range(40)]
    begun = s.stream(*s.texts(*pieces), s.Pause(1), *s.texts("end"), s.Close(), is_ended=False)
    async with world(a=begun) as w:
        sheet = await w.ask(is_stream=True)
        assert "".join([*pieces, "end"]) == sheet.text
        assert sheet.failure is not None
        assert "answer_cut" == sheet.failure.code
