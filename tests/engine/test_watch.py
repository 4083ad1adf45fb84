"""The timer of an attempt: once, at the right time, never while the client is slow, never past the deadline."""

from __future__ import annotations

import asyncio

import pytest

from everup.engine.watch import Watch
from everup.policy.clocks import Clocks, Marks
from everup.shapes.fault import FaultKind
from everup.testing.clock import JumpLoop

pytestmark = pytest.mark.anyio

CLOCKS = Clocks(first_event_s=12, opening_quiet_s=30, opening_s=120, stall_s=60, stall_pings_s=60, answer_s=90)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


class Run:
    """A watch, and what it told when."""

    def __init__(self, *, is_stream: bool = True, is_soft: bool = True, deadline_s: float = 600) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_soft = is_soft
        self.told: list[tuple[float, FaultKind]] = []
        self.marks = Marks(0.0)
        self.watch = Watch(
            self.loop,
            CLOCKS,
            self.marks,
            deadline_s,
            is_stream=is_stream,
            is_soft_over=lambda: self.is_soft,
            on_over=lambda kind: self.told.append((self.loop.time(), kind)),
        )


async def test_a_soft_clock_waits_until_somebody_else_is_ready() -> None:
    """Without another candidate the first event's clock ends nothing; within a second of one it does."""
    run = Run(is_soft=False)
    await asyncio.sleep(100)
    assert [] == run.told
    run.is_soft = True
    await asyncio.sleep(100)
    assert 1 == len(run.told)
    assert 100 <= run.told[0][0] <= 101
    assert FaultKind.FIRST_EVENT is run.told[0][1]


async def test_a_stall_is_hard_and_a_slow_client_is_none() -> None:
    """After content silence ends the attempt whoever is ready; while the client is slow only the deadline does."""
    run = Run(is_soft=False)
    run.marks.first_mono_s = run.marks.content_mono_s = 0.0
    run.marks.is_client_slow = True
    run.watch.next_phase()
    await asyncio.sleep(300)
    assert [] == run.told
    run.marks.is_client_slow = False
    await asyncio.sleep(2)
    assert [FaultKind.STALL] == [kind for _, kind in run.told]


async def test_the_deadline_is_hard_even_for_a_slow_client() -> None:
    """At the deadline everything ends, once."""
    run = Run(is_soft=False, deadline_s=40)
    run.marks.is_client_slow = True
    await asyncio.sleep(100)
    assert [(40.0, FaultKind.DEADLINE)] == run.told


async def test_a_slow_answer_is_told_once_and_then_has_until_the_deadline() -> None:
    """The answer's clock leaves the attempt running; the deadline ends it."""
    run = Run(is_stream=False)
    await asyncio.sleep(700)
    assert [(90.0, FaultKind.ANSWER), (600.0, FaultKind.DEADLINE)] == run.told


async def test_a_phase_that_goes_on_puts_its_end_off() -> None:
    """Bytes before content reset the quiet clock, but not the opening's whole time."""
    run = Run()
    run.marks.first_mono_s = 1.0
    run.watch.next_phase()
    for _ in range(30):
        run.marks.byte_mono_s = run.loop.time()
        await asyncio.sleep(5)
    assert [(121.0, FaultKind.OPENING)] == run.told


async def test_nothing_fires_after_the_end() -> None:
    """A stopped watch tells nothing any more."""
    run = Run()
    run.watch.stop()
    await asyncio.sleep(700)
    assert [] == run.told
