"""
A whole answer: relayed once it is complete.

A slow one is raced by the next candidate.
What must not live here: streams. Source of the race: FAULTS ruling 2, *answer*.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from everup.engine.attempt import TOLD, Attempt, passed_on
from everup.engine.out import Headers, Out
from everup.engine.run import Exhausted, Run
from everup.errors import TransportError
from everup.policy.faults import make_fault
from everup.policy.step import Stop, Try, Why
from everup.shapes.fault import Fault, FaultKind

JSON = (b"content-type", b"application/json")


class Won(Struct, frozen=True):
    """
    A complete answer: who gave it, its bytes.

    And the provider's headers that go with it.
    """

    name: bytes
    raw: bytes
    passed: Headers


class WholeRun:
    """
    The lines of one request.

    Usually one, another beside it for each answer that is slow.
    """

    def __init__(self, run: Run, out: Out) -> None:
        self.run = run
        self.out = out
        self.stop = Stop(Why.NONE_LEFT)
        self.is_won = False

    async def answer(self) -> None:
        """Send the first complete answer; raises `Exhausted` if there is none."""
        won = await self.line()
        if won is None:
            raise Exhausted(self.run.failure(self.stop))
        headers = [JSON, (b"x-everup-model", won.name), (b"x-everup-trail", self.run.trail().encode()), *won.passed]
        await self.out.answer(200, headers, won.raw)

    async def line(self) -> Won | None:
        """
        Return the first complete answer of the candidates left.

        None when there are none left. After a race that both lost, what failed in it may be tried once more.
        """
        while True:
            step = self.run.first() or await self.run.next()
            if isinstance(step, Stop):
                self.stop = step
                return None
            slow = Slow(self, step)
            try:
                result = await self.attempt(step, slow)
                if isinstance(result, Won):
                    self.is_won = True
                    return result
                if slow.beside is not None and (won := await slow.beside) is not None:
                    return won
            finally:
                if slow.beside is not None:
                    await slow.cancel()

    async def attempt(self, step: Try, slow: Slow) -> Won | Fault:
        """Return the answer of one candidate, or its fault."""
        run = self.run
        attempt = run.make_attempt(step)
        slow.attempt = attempt
        try:
            fault = await run.open(attempt, slow.over)
            if fault is None:
                result = await self.read(attempt)
                if isinstance(result, Won):
                    return result
                fault = result
        except asyncio.CancelledError:
            if self.is_won:
                run.note_superseded(attempt)
            raise
        else:
            if attempt.place is None:
                run.note_fault(attempt, fault)
            else:
                run.note_end(attempt, fault)
            return fault
        finally:
            attempt.close()

    async def read(self, attempt: Attempt) -> Won | Fault:
        """Return a candidate's complete answer, judged, or its fault."""
        head = await attempt.head()
        if isinstance(head, Fault):
            return head
        run, exchange = self.run, attempt.sent_exchange()
        attempt.marks.first_mono_s = run.loop.time()
        try:
            body = await exchange.read_all(run.limits.upstream_body_bytes_max)
        except TransportError as error:
            return attempt.transport_fault(error)
        content_type = head.get(b"content-type").decode("latin-1")
        reply = run.talk.read_reply(attempt.wire, content_type, body, attempt.candidate)
        if reply.fault is not None:
            return reply.fault
        run.parts.health.observe(attempt.candidate, attempt.elapsed_s(), is_stream=False)
        if reply.minted:
            run.parts.minted.remember(reply.minted, attempt.candidate)
        run.note_success(attempt, reply.usage, reply.model)
        return Won(attempt.lane.name, reply.raw, passed_on(head, attempt.dropped))


class Slow:
    """
    What follows when an attempt's answer clock ends.

    The next candidate begins beside it.
    """

    def __init__(self, whole: WholeRun, step: Try) -> None:
        self.whole = whole
        self.step = step
        self.attempt: Attempt | None = None
        self.beside: asyncio.Task[Won | None] | None = None

    def over(self, kind: FaultKind) -> None:
        """
        Start the next candidate beside a slow one.

        End the attempt when it was the deadline.
        """
        attempt, run = self.attempt, self.whole.run
        assert attempt is not None, "a clock runs only for an attempt that was made"
        if kind is not FaultKind.ANSWER:
            attempt.give_up(kind)
            return
        run.note_fault(attempt, make_fault(kind, TOLD[kind].format(s=attempt.elapsed_s())))
        self.beside = run.loop.create_task(self.whole.line())
        self.beside.add_done_callback(self.settled)

    def settled(self, beside: asyncio.Task[Won | None]) -> None:
        """
        End the slow attempt when the one beside it has the answer.

        An error of our own in the line beside is told here: the slow one may still win, and then nobody asks.
        """
        if beside.cancelled():
            return
        error = beside.exception()
        if error is not None:
            self.whole.run.parts.log.event(
                "engine.line_failed",
                "error",
                exception=type(error).__name__,
                request_id=self.whole.run.arrival.request_id,
            )
        elif beside.result() is not None and self.attempt is not None:
            self.attempt.give_up(FaultKind.SUPERSEDED)

    async def cancel(self) -> None:
        """End the line beside this one, if it still runs."""
        if self.beside is not None and not self.beside.done():
            self.beside.cancel()
            await asyncio.wait([self.beside])
