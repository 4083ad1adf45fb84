"""
A streamed answer: relayed while it comes, held back until its first content.

What must not live here: when to show and when to discard (see `policy.commit`). One instance per request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from everup.engine.attempt import passed_on
from everup.engine.run import Exhausted, Run
from everup.engine.watch import Watch
from everup.errors import TransportError
from everup.policy.commit import Action, Signal, Stage, commit, signal_of
from everup.policy.faults import make_fault
from everup.policy.step import Stop, Try
from everup.policy.trail import tell_fault
from everup.shapes.events import Batch, Seen
from everup.shapes.failure import Failure
from everup.shapes.fault import Fault, FaultKind

if TYPE_CHECKING:
    from everup.engine.attempt import Attempt
    from everup.engine.out import Headers, Out
    from everup.net.exchange import Head
    from everup.wires.base import StreamRelay, Wire

LIFE = Seen.PING | Seen.START | Seen.CONTENT | Seen.TOOL | Seen.USAGE | Seen.FINISH | Seen.END
BEGINS = Action.RELEASE, Action.RELEASE_END


class StreamRun:
    """The client's stream: what stage it is in and what is held back."""

    def __init__(self, run: Run, out: Out, wire: Wire) -> None:
        self.run = run
        self.out = out
        self.wire = wire
        self.loop = run.loop
        self.stage = Stage.HELD
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.keeper: asyncio.Task[None] | None = None
        self.passed: Headers = []

    async def answer(self) -> None:
        """
        Walk the plan until the client has an answer.

        Raises `Exhausted` while nothing has been sent.
        """
        hold = self.loop.call_later(self.run.limits.head_hold_s, self.hold_over)
        try:
            while self.stage is not Stage.ENDED:
                step = await self.run.next()
                if isinstance(step, Stop):
                    await self.exhausted(step)
                    return
                await self.attempt(step)
        finally:
            hold.cancel()
            await self.stop_keeper()

    async def attempt(self, step: Try) -> None:
        """Make one attempt and relay what it gives."""
        run = self.run
        attempt = run.make_attempt(step)
        try:
            fault = await attempt.open(run.plan.deadline_mono_s, run.queue_s(step.index))
            if fault is None:
                attempt.watch = Watch(
                    run.clocks_of(attempt.candidate),
                    attempt.marks,
                    run.plan.deadline_mono_s,
                    is_stream=True,
                    is_soft_over=lambda: run.is_other_ready(step.index),
                    on_over=attempt.give_up,
                )
                head = await attempt.head()
                fault = head if isinstance(head, Fault) else await self.relay(attempt, head)
            if fault is not None and not attempt.is_recorded:
                run.note_fault(attempt, fault)
                await self.obey(Signal.FAULT, attempt, fault=fault)
        finally:
            attempt.close()

    async def relay(self, attempt: Attempt, head: Head) -> Fault | None:
        """Return None once the whole stream was relayed, or the fault that ended it."""
        run = self.run
        self.passed = passed_on(head)
        content_type = head.get(b"content-type").decode("latin-1")
        stream = attempt.wire.open_stream(run.asked, attempt.candidate, content_type, run.limits)
        is_over = False
        while not is_over:
            batch, is_over = await self.read(attempt, stream)
            self.mark(attempt, batch)
            if batch.fault is not None and self.stage is not Stage.SHOWN:
                return batch.fault
            if batch.raw:
                await self.obey(signal_of(batch.seen), attempt, data=batch.raw)
                if self.held_bytes > run.limits.held_bytes_max:
                    return make_fault(FaultKind.MALFORMED, f"{self.held_bytes} bytes without any content")
            if batch.fault is not None:
                return batch.fault
        run.note_success(attempt, stream.usage, stream.model)
        run.parts.minted.remember(stream.minted, attempt.candidate)
        if stream.dropped_events:
            labels = (attempt.candidate.name,)
            run.parts.metrics.count("everup_events_dropped_total", labels, stream.dropped_events)
        await self.obey(Signal.COMPLETE, attempt)
        await attempt.settle()
        return None

    async def read(self, attempt: Attempt, stream: StreamRelay) -> tuple[Batch, bool]:
        """
        Return what the next bytes hold, and whether the stream is over.

        Complete or not.
        """
        try:
            data = await attempt.sent_exchange().read()
        except TransportError as error:
            fault = attempt.transport_fault(error)
            batch = stream.close()
            is_ours = attempt.watch is not None and attempt.watch.over is not None
            return (Batch(batch.raw, batch.seen, fault) if is_ours or batch.fault is not None else batch), True
        if not data:
            return stream.close(), True
        batch = stream.feed(data)
        if Seen.END in batch.seen and batch.fault is None:
            last = stream.close()
            return Batch(batch.raw + last.raw, batch.seen | last.seen, last.fault), True
        return batch, batch.fault is not None

    def mark(self, attempt: Attempt, batch: Batch) -> None:
        """Tell the clocks what was seen."""
        marks, now = attempt.marks, self.loop.time()
        marks.byte_mono_s = now
        is_new_phase = False
        if marks.first_mono_s is None and batch.seen & LIFE:
            marks.first_mono_s = now
            is_new_phase = True
            self.run.parts.health.observe(attempt.candidate, now - marks.start_mono_s)
        if marks.content_mono_s is None and batch.seen & (Seen.CONTENT | Seen.TOOL):
            marks.content_mono_s = now
            is_new_phase = True
            labels = (attempt.candidate.name,)
            self.run.parts.metrics.observe("everup_first_content_seconds", labels, now - marks.start_mono_s)
        if is_new_phase and attempt.watch is not None:
            attempt.watch.next_phase()

    async def obey(self, signal: Signal, attempt: Attempt, *, data: bytes = b"", fault: Fault | None = None) -> None:
        """Do what the commit machine says about a signal."""
        self.stage, action = commit(self.stage, signal)
        if action is Action.HOLD:
            self.held.append(data)
            self.held_bytes += len(data)
            return
        if action is Action.DISCARD:
            self.held, self.held_bytes = [], 0
            return
        await self.stop_keeper()
        if action in BEGINS:
            await self.out.begin(200, [*self.head_of(attempt), *self.passed])
        if action is Action.TELL and fault is not None:
            await self.out.fail(self.cut(attempt, fault))
            return
        if self.held or data:
            whole = b"".join((*self.held, data)) if self.held else data
            self.held, self.held_bytes = [], 0
            await self.show(attempt, whole)
        if action in {Action.END, Action.RELEASE_END}:
            await self.out.finish()

    async def show(self, attempt: Attempt, data: bytes) -> None:
        """
        Send bytes to the client.

        A client that is slow to read does not run the provider's clocks down.
        """
        marks = attempt.marks
        marks.is_client_slow = True
        await self.out.write(data)
        marks.is_client_slow = False
        marks.byte_mono_s = self.loop.time()

    def head_of(self, attempt: Attempt | None) -> Headers:
        """Return the head's headers: who answers, and the trail so far."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        if attempt is not None:
            headers.append((b"x-everup-model", attempt.candidate.name.encode("ascii", "replace")))
        headers.append((b"x-everup-trail", self.run.trail(current=attempt).encode("ascii", "replace")))
        return headers

    def hold_over(self) -> None:
        """Begin to keep the client's connection alive: the head was held long enough."""
        if self.stage is Stage.HELD:
            self.keeper = self.loop.create_task(self.keep_alive())

    async def keep_alive(self) -> None:
        """Send the head, then a comment now and then, until there is content."""
        self.stage, _ = commit(self.stage, Signal.HOLD_OVER)
        await self.out.begin(200, self.head_of(None))
        while self.stage is Stage.OPENED:
            await self.out.write(self.wire.keep_alive)
            await asyncio.sleep(self.run.limits.keep_alive_s)

    async def stop_keeper(self) -> None:
        """Stop the comments, so that nothing else writes meanwhile."""
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    async def exhausted(self, stop: Stop) -> None:
        """
        Tell the client that nothing answered.

        As a status while that is open, else as an error event.
        """
        await self.stop_keeper()
        failure = self.run.failure(stop)
        self.stage, action = commit(self.stage, Signal.EXHAUSTED)
        if action is Action.REFUSE:
            raise Exhausted(failure)
        await self.out.fail(failure)

    def cut(self, attempt: Attempt, fault: Fault) -> Failure:
        """Return what a client is told whose answer broke off after content."""
        why = f"{tell_fault(fault)}{': ' if fault.message else ''}{fault.message}"
        return Failure(
            status=502,
            kind="unavailable",
            code="answer_cut",
            message=f"The answer of {attempt.candidate.name} broke off and is incomplete ({why}).",
            trail=self.run.trail(),
        )
