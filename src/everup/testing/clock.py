"""
A loop whose clock jumps: sockets are real, waiting is not.

What must not live here: knowledge of everup. The clock moves only when no socket is ready and no thread works
for the loop. It cannot see other processes: tests with a real child use the real clock. Used by tests as
`("asyncio", {"loop_factory": JumpLoop})`.
"""

from __future__ import annotations

import asyncio
import selectors
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

GRACE_S = 0.0005
"""Real time the kernel gets to deliver what is under way on loopback before the clock jumps."""
BUSY_POLL_S = 0.05
"""Real time between two looks while a thread works."""

type_of_events = list[tuple[selectors.SelectorKey, int]]


class JumpSelector(selectors.DefaultSelector):
    """A selector that moves its own clock instead of sleeping."""

    def __init__(self) -> None:
        super().__init__()
        self.now_mono_s = 0.0
        self.busy = 0
        """Threads whose result the loop waits for: while there are any, time is real."""
        self.jumps = 0

    def select(self, timeout: float | None = None) -> type_of_events:
        """
        Return what is ready.

        With nothing ready, move the clock on by `timeout` and return nothing.
        """
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.busy:
            return super().select(BUSY_POLL_S)
        if timeout is None:
            return super().select(None)
        ready = super().select(GRACE_S)
        if not ready and not self.busy:
            self.now_mono_s += timeout
            self.jumps += 1
        return ready


class JumpLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on a `JumpSelector`: an hour of timers costs no time."""

    def __init__(self) -> None:
        self.clock = JumpSelector()
        super().__init__(self.clock)
        # A timer is due when now + resolution reaches it: with whole jumps there is nothing to round.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return the clock's seconds since the loop was made."""
        return self.clock.now_mono_s

    def run_in_executor(  # type: ignore[override]  # typeshed spells the variadic types with private names
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Return the future of work in a thread; the clock stands still until it is done."""
        self.clock.busy += 1
        try:
            future = super().run_in_executor(executor, func, *args)
        except BaseException:
            self.clock.busy -= 1
            raise
        future.add_done_callback(self.count_down)
        return future

    def count_down(self, _done: asyncio.Future[Any]) -> None:
        """One thread fewer holds the clock."""
        self.clock.busy -= 1

    @contextmanager
    def real_time(self) -> Iterator[None]:
        """
        A block in which the clock does not jump.

        Something the loop cannot see is at work.
        """
        self.clock.busy += 1
        try:
            yield
        finally:
            self.clock.busy -= 1


async def until(claim: Callable[[], bool], within_s: float = 5.0) -> None:
    """Nothing, as soon as the claim holds; `TimeoutError` if it does not in time."""
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110  (what is waited for is in a peer or another process: no event to set)
            await asyncio.sleep(0.01)
