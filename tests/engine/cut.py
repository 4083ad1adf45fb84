"""A request that is cancelled at a chosen await, and what must be left of it: nothing."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any

from everup.testing.clock import until
from tests.engine.make import World

OURS = ("WholeRun.", "StreamRun.", "Attempt.", "Dialer.")
AWAITS_MAX = 400


@types.coroutine
def step_through(coro: Coroutine[Any, Any, Any], nth: int, *, is_late: bool) -> Generator[Any, Any, bool]:
    """
    Return whether a coroutine was over before its `nth` await; there its task is cancelled.

    Late means: when what it awaits is done already, but it has not gone on yet.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    count = 0
    resume: Any = lambda: coro.send(None)  # noqa: E731  # replaced by a throw below
    while True:
        try:
            awaited = resume()
        except StopIteration:
            return count < nth
        count += 1
        assert count < AWAITS_MAX
        if count == nth and is_late and awaited is not None:
            awaited.add_done_callback(lambda _: task.cancel())
        elif count == nth:
            loop.call_soon(task.cancel)
        try:
            yield awaited
            resume = lambda: coro.send(None)  # noqa: E731
        except BaseException as error:  # noqa: BLE001  # handed on as it is
            resume = lambda thrown=error: coro.throw(thrown)  # noqa: E731


async def cut(coro: Coroutine[Any, Any, Any], nth: int, *, is_late: bool) -> bool:
    """Return whether the request was over before its `nth` await; else it was cancelled there."""

    async def stepped() -> bool:
        return await step_through(coro, nth, is_late=is_late)

    task = asyncio.create_task(stepped())
    await asyncio.wait([task])
    return not task.cancelled() and task.result()


async def nothing_left(w: World) -> None:
    """Fail unless every connection, slot, probe, timer and task of a request is gone."""
    view, parts = w.net.view, w.engine.parts
    await until(lambda: view()["open"] == view()["idle"])
    assert [] == [gate for gate in parts.admission.gates.values() if gate.taken or gate.waiting]
    assert [] == [key for key, health in parts.health.healths.items() if health.is_probing]
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    assert [] == [name for name in names if name.startswith(OURS)]
    timers = [repr(handle) for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
    assert [] == [timer for timer in timers if "Watch" in timer or "StreamRun" in timer]
