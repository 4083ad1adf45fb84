"""
A streamed answer: relayed while it comes, held back until its first content.

What must not live here: when to show and when to discard (see `policy.commit`). One instance per request.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from everup.engine.attempt import passed_on
from everup.engine.run import Exhausted, Run
from everup.errors import TransportError
from everup.policy.commit import SHOWN_BITS, Action, Signal, Stage, commit, signal_of
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
    from everup.wires.base import StreamRelay

LIFE_BITS = int(Seen.PING | Seen.START | Seen.CONTENT | Seen.TOOL | Seen.USAGE | Seen.FINISH | Seen.END)
END_BIT, PING_ONLY = int(Seen.END), int(Seen.PING)
PING_SEEN, CONTENT_SEEN = Seen.PING, Seen.CONTENT
"""Members are single objects: comparing them so costs nothing, and this is asked for every chunk."""
BEGINS = Action.RELEASE, Action.RELEASE_END


class StreamRun:
    """The client's stream: what stage it is in and what is held back."""

    def __init__(self, run: Run, out: Out) -> None:
        self.run = run
        self.out = out
        self.wire = run.talk.client
        self.loop = run.loop
        self.stage = Stage.HELD
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.task = asyncio.current_task()
        self.keeper: asyncio.Task[None] | None = None
        self.is_kept = asyncio.Event()
        """Set once the client needs no comments any more."""
        self.broken: BaseException | None = None
        """An error of our own in the keeper; it ends the request."""
        self.relayed: StreamRelay | None = None
        self.passed: Headers = []

    async def answer(self) -> None:
        """
        Walk the plan until the client has an answer.

        Raises `Exhausted` while nothing has been sent.
        """
        hold = self.loop.call_later(self.run.limits.head_hold_s, self.hold_over)
        try:
            while self.stage is not Stage.ENDED:
                step = self.run.first() or await self.run.next()
                if isinstance(step, Stop):
                    await self.exhausted(step)
                    return
                await self.attempt(step)
        except asyncio.CancelledError:
            if self.broken is None:
                raise
            raise self.broken from None
        finally:
            hold.cancel()
            await self.end_keeper()

    async def attempt(self, step: Try) -> None:
        """Make one attempt and relay what it gives."""
        run = self.run
        attempt = run.make_attempt(step)
        self.relayed = None
        try:
            fault = await run.open(attempt, attempt.give_up)
            if fault is None:
                head = await attempt.head()
                fault = head if isinstance(head, Fault) else await self.relay(attempt, head)
            if fault is not None and attempt.place is None:
                run.note_fault(attempt, fault, self.relayed.usage if self.relayed is not None else None)
                await self.obey(Signal.FAULT, attempt, fault=fault)
        finally:
            attempt.close()

    async def relay(self, attempt: Attempt, head: Head) -> Fault | None:
        """Return None once the whole stream was relayed, or the fault that ended it."""
        run = self.run
        self.passed = passed_on(head, attempt.dropped)
        content_type = head.get(b"content-type").decode("latin-1")
        stream = run.talk.open_stream(attempt.wire, attempt.candidate, content_type, run.limits)
        self.relayed = stream
        is_over = False
        while not is_over:
            batch, is_over = await self.next_batch(attempt, stream)
            if self.stage is Stage.SHOWN and not is_over:
                await self.forward(attempt, batch)
                continue
            self.mark(attempt, batch)
            if batch.fault is not None and self.stage is not Stage.SHOWN:
                return batch.fault
            if batch.raw:
                signal = signal_of(batch.seen)
                if signal is Signal.CONTENT and self.stage is not Stage.SHOWN:
                    run.parts.health.heal(attempt.candidate, attempt.marks.start_mono_s, is_complete=False)
                    attempt.end_probe()
                await self.obey(signal, attempt, data=batch.raw)
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

    async def forward(self, attempt: Attempt, batch: Batch) -> None:
        """
        Send a batch on in the middle of a shown answer.

        Where nothing is left to decide.
        """
        marks, now = attempt.marks, self.loop.time()
        if batch.raw:
            marks.is_client_slow = True
            await self.out.write(batch.raw)
            marks.is_client_slow = False
            now = self.loop.time()
        marks.byte_mono_s = now
        if int(batch.seen) != PING_ONLY:
            marks.event_mono_s = now

    async def next_batch(self, attempt: Attempt, stream: StreamRelay) -> tuple[Batch, bool]:
        """Return the next batch that needs a decision, and whether the stream is over."""
        batch = await self.express(attempt, stream) if self.stage is Stage.SHOWN else None
        return self.judge(stream, batch) if batch is not None else await self.read(attempt, stream)

    async def express(self, attempt: Attempt, stream: StreamRelay) -> Batch | None:
        """
        Relay content as it arrives, in the very callback that brings it.

        While there is nothing to decide.
        Returns the first batch that needs more: an end, a fault, a client that is slow. None if the exchange ended.
        """
        left: Batch | None = None
        feed, write_now, marks, time = stream.feed, self.out.write_now, attempt.marks, self.loop.time

        def sink(data: bytes) -> bool:
            nonlocal left
            batch = feed(data)
            marks.byte_mono_s = now = time()
            seen, raw = batch.seen, batch.raw
            if seen is not PING_SEEN:
                marks.event_mono_s = now
            if (
                batch.fault is None
                and (seen is CONTENT_SEEN or not int(seen) & END_BIT)
                and (not raw or write_now(raw))
            ):
                return True
            left = batch
            return False

        await attempt.sent_exchange().relay(sink)
        return left

    async def read(self, attempt: Attempt, stream: StreamRelay) -> tuple[Batch, bool]:
        """
        Return what the next bytes hold, and whether the stream is over.

        Complete or not.
        """
        try:
            data = await attempt.sent_exchange().read()
        except TransportError as error:
            batch = stream.close()
            if batch.fault is None:  # a finish reason came: complete, whatever ended the connection (row 40)
                return batch, True
            return Batch(batch.raw, batch.seen, attempt.transport_fault(error)), True
        if not data:
            return stream.close(), True
        return self.judge(stream, stream.feed(data))

    def judge(self, stream: StreamRelay, batch: Batch) -> tuple[Batch, bool]:
        """
        Return a batch with what the end of the stream adds to it.

        And whether it is over.
        """
        if int(batch.seen) & END_BIT and batch.fault is None:
            last = stream.close()
            return Batch(batch.raw + last.raw, batch.seen | last.seen, last.fault), True
        return batch, batch.fault is not None

    def mark(self, attempt: Attempt, batch: Batch) -> None:
        """Tell the clocks what was seen."""
        marks, now, seen = attempt.marks, self.loop.time(), int(batch.seen)
        marks.byte_mono_s = now
        if seen != PING_ONLY:
            marks.event_mono_s = now
        is_new_phase = False
        if marks.first_mono_s is None and seen & LIFE_BITS:
            marks.first_mono_s = now
            is_new_phase = True
            self.run.parts.health.observe(attempt.candidate, now - marks.start_mono_s, is_stream=True)
        if marks.content_mono_s is None and seen & SHOWN_BITS:
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
        marks, began = attempt.marks, self.loop.time()
        marks.is_client_slow = True
        await self.send(action, attempt, data, fault)
        marks.is_client_slow = False
        waited_s = self.loop.time() - began
        marks.byte_mono_s += waited_s
        marks.event_mono_s += waited_s

    async def send(self, action: Action, attempt: Attempt, data: bytes, fault: Fault | None) -> None:
        """
        Send the client what an action says.

        A client that is slow to take it does not run the provider's clocks down.
        """
        await self.stop_keeper()
        if action in BEGINS:
            await self.out.begin(200, [*self.head_of(attempt), *self.passed])
        if action is Action.TELL and fault is not None:
            await self.out.fail(self.cut(attempt, attempt.masked(fault)))
            return
        if self.held or data:
            whole = b"".join((*self.held, data)) if self.held else data
            self.held, self.held_bytes = [], 0
            await self.out.write(whole)
        if action in {Action.END, Action.RELEASE_END}:
            await self.out.finish()

    def head_of(self, attempt: Attempt | None) -> Headers:
        """Return the head's headers: who answers, and the trail so far."""
        headers = [(b"content-type", self.wire.stream_type)]
        if attempt is not None:
            headers.append((b"x-everup-model", attempt.lane.name))
        headers.append((b"x-everup-trail", self.run.trail(current=attempt).encode()))
        return headers

    def hold_over(self) -> None:
        """Begin to keep the client's connection alive: the head was held long enough."""
        if self.stage is Stage.HELD:
            self.keeper = self.loop.create_task(self.keep_alive())
            self.keeper.add_done_callback(self.kept)

    async def keep_alive(self) -> None:
        """Send the head, then a comment now and then, until there is content."""
        if self.is_kept.is_set():
            return
        self.stage, _ = commit(self.stage, Signal.HOLD_OVER)
        await self.out.begin(200, self.head_of(None))
        while not self.is_kept.is_set():
            await self.out.write(self.wire.keep_alive)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.run.limits.keep_alive_s):
                    await self.is_kept.wait()

    def kept(self, keeper: asyncio.Task[None]) -> None:
        """
        End the request if its client could not be kept waiting.

        It would wait for an answer nobody can get.
        """
        if keeper is self.keeper and not keeper.cancelled() and (error := keeper.exception()) is not None:
            self.broken = error
            if self.task is not None:
                self.task.cancel()

    async def stop_keeper(self) -> None:
        """
        Stop the comments, so that nothing else writes meanwhile.

        What it is sending goes out whole: a head that was begun must not be cut off.
        """
        if self.keeper is None:
            return
        self.is_kept.set()
        await asyncio.wait([self.keeper])
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            keeper.result()

    async def end_keeper(self) -> None:
        """Stop the comments at once: the request is over."""
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
            if not keeper.cancelled():
                keeper.exception()  # seen: what ended the request is told already

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
