"""
One try of one candidate, up to the head of its answer.

What must not live here: what to do after a failure (see `policy.step`), and the body of an answer
(see `stream`, `whole`). Every way it can fail comes back as a `Fault`.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec.structs import replace

from everup.errors import CredentialError, Sent, TransportError, TransportKind
from everup.local.embedded import EmbeddedDown
from everup.policy.classify import classify_transport
from everup.policy.clocks import Marks
from everup.policy.faults import make_fault
from everup.shapes.fault import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from everup.engine.admission import Gate
    from everup.engine.lane import Lane
    from everup.engine.parts import Parts
    from everup.engine.watch import Watch
    from everup.net.exchange import Exchange, Head
    from everup.policy.step import Try
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate
    from everup.shapes.secret import Secret
    from everup.wires.road import Talk

REFUSAL_S = 5.0
"""How long the body of a refusal may take: its status alone says enough to go on."""
SETTLE_S = 0.25
"""After a complete answer: how long its connection may take to become reusable."""

MASK = "***"
DROPPED_MAX = 16
DROPPED_CHARS_MAX = 64
UNTOLD = re.compile(r"[^\x21-\x2b\x2d-\x7e]")
"""What a field's name may not have in a header: the names are the client's."""

TOLD = {
    FaultKind.FIRST_EVENT: "no first event within {s:.3g} s",
    FaultKind.OPENING: "no content within {s:.3g} s",
    FaultKind.STALL: "silent in mid-answer, after {s:.3g} s",
    FaultKind.ANSWER: "no answer within {s:.3g} s",
    FaultKind.DEADLINE: "the request's deadline came after {s:.3g} s",
}


class Attempt:
    """
    One try: its slots, its exchange, its clocks.

    `close` gives everything back, whatever happened.
    """

    # One is made for each try: what starts out the same for all stands in the class.
    watch: Watch | None = None
    exchange: Exchange | None = None
    gates: Sequence[Gate] = ()
    held: ExitStack | None = None
    secret = ""
    dropped: tuple[str, ...] = ()
    """The client's fields that this candidate's wire could not hold."""
    place: int | None = None
    """Where its run has recorded it; None until it has."""

    def __init__(  # one caller, in the order of their use
        self, parts: Parts, talk: Talk, lane: Lane, candidate: Candidate, step: Try, limits: Limits
    ) -> None:
        self.parts = parts
        self.talk = talk
        self.lane = lane
        self.candidate = candidate
        self.step = step
        self.limits = limits
        self.wire = lane.wire
        self.loop = parts.loop
        self.marks = Marks(self.loop.time())
        self.is_probing = step.is_probe
        if step.is_probe:
            parts.health.begin_probe(candidate, self.marks.start_mono_s)

    async def open(self, deadline_mono_s: float, queue_s: Callable[[], float]) -> Fault | None:
        """
        Return None once the request can be sent.

        A slot, a secret, an address and a body are there. `queue_s` says how long to wait for a slot if none is
        free.
        """
        lane, parts, candidate = self.lane, self.parts, self.candidate
        if lane.enter():
            self.gates = lane.gates
        elif isinstance(entered := await parts.admission.enter(candidate, queue_s()), Fault):
            return entered
        else:
            self.gates = entered
        try:
            secret: Secret | None
            if lane.is_embedded:
                base_url, secret = await self.reach_embedded(deadline_mono_s)
            else:
                base_url, secret = candidate.provider.base_url, parts.credentials.current(candidate.profile)
            if secret is not None:
                self.secret = secret.reveal()
            foreign = frozenset({"*"}) if self.step.is_clean else foreign_to(parts, self.talk, candidate)
            encoded = self.talk.encode(self.wire, candidate, foreign=foreign)
            if encoded.fault is None:
                self.dropped = encoded.dropped
                address = lane.address(base_url, self.secret, self.talk.asked)
                self.marks.begin(self.loop.time())
                self.exchange = parts.client.start_at(address, encoded.body, is_fresh=self.step.is_fresh)
        except CredentialError as error:
            return make_fault(FaultKind.NO_CREDENTIAL, error.reason)
        except EmbeddedDown as error:
            return make_fault(FaultKind.EMBEDDED_DOWN, str(error))
        except TransportError as error:
            return classify_transport(error)
        except TimeoutError:
            words = TOLD[FaultKind.DEADLINE].format(s=self.elapsed_s())
            return make_fault(FaultKind.DEADLINE, words, possibly_billed=False)
        return encoded.fault

    async def reach_embedded(self, deadline_mono_s: float) -> tuple[str, Secret]:
        """Return where the embedded model answers and its secret, having started it."""
        self.held = ExitStack()
        self.held.enter_context(self.parts.embedded.lease())
        async with asyncio.timeout_at(deadline_mono_s):
            return await self.parts.embedded.start_if_needed()

    async def head(self) -> Head | Fault:
        """
        Return the head of a 200.

        Or the fault that the refusal or the lack of one stands for.
        """
        exchange = self.sent_exchange()
        try:
            head = await exchange.head()
        except TransportError as error:
            return self.transport_fault(error)
        if head.status == 200:
            return head
        try:
            async with asyncio.timeout(REFUSAL_S):
                body = await exchange.read_all(self.limits.error_body_bytes_max)
        except TimeoutError:
            body = b""
        except TransportError as error:
            if error.kind is TransportKind.ABORTED:
                return self.transport_fault(error)
            body = b""
        return self.wire.read_refusal(head.status, head.as_text(), body, self.candidate)

    def transport_fault(self, error: TransportError) -> Fault:
        """
        Return the fault of a broken exchange.

        Our own clock's where it ended it, else the transport's.
        """
        over = self.watch.over if self.watch is not None else None
        if over is None:
            fault = classify_transport(error)
            return (
                replace(fault, message=f"the embedded model ended: {fault.message}") if self.lane.is_embedded else fault
            )
        is_sent = self.exchange is not None and self.exchange.sent is not Sent.NOTHING
        return make_fault(over, TOLD[over].format(s=self.elapsed_s()), possibly_billed=is_sent)

    def masked(self, fault: Fault) -> Fault:
        """
        Return a fault without the key this attempt used.

        Providers echo keys of forms nobody knows (S18).
        """
        if not self.secret or (self.secret not in fault.message and self.secret not in fault.code):
            return fault
        return replace(
            fault, message=fault.message.replace(self.secret, MASK), code=fault.code.replace(self.secret, MASK)
        )

    def give_up(self, _kind: FaultKind) -> None:
        """End the exchange now: a clock decided."""
        if self.exchange is not None:
            self.exchange.abort(TransportError(TransportKind.ABORTED, "given up", sent=self.exchange.sent))

    def sent_exchange(self) -> Exchange:
        """Return the exchange of an attempt that was opened."""
        assert self.exchange is not None, "open() comes first"
        return self.exchange

    def elapsed_s(self) -> float:
        """Return the seconds since this attempt began."""
        return self.loop.time() - self.marks.start_mono_s

    async def settle(self) -> None:
        """
        Read the last bytes of a complete answer.

        So that its connection can be used again.
        """
        if self.watch is not None:
            self.watch.stop()
        try:
            async with asyncio.timeout(SETTLE_S):
                while await self.sent_exchange().read():
                    pass
        except (TransportError, TimeoutError):
            return

    def end_probe(self) -> None:
        """Let another request probe the candidate, if this one did."""
        if self.is_probing:
            self.is_probing = False
            self.parts.health.end_probe(self.candidate)

    def close(self) -> None:
        """Give back the clock, the connection, the slots and the embedded model."""
        if self.watch is not None:
            self.watch.stop()
            self.watch = None  # it knows its run, which knows us: left as it is, every request would be a cycle
        if self.exchange is not None:
            self.exchange.close()
        for gate in self.gates:
            gate.leave()
        self.gates = ()
        if self.is_probing:
            self.end_probe()
        if self.held is not None:
            self.held.close()


def foreign_to(parts: Parts, talk: Talk, candidate: Candidate) -> frozenset[str] | None:
    """
    Return the signatures in a request that another than this candidate minted.

    None, the usual case, if there are none.
    """
    if not parts.minted.owners:
        return None
    return parts.minted.foreign(talk.client.read_signatures(talk.asked), candidate) or None


def passed_on(head: Head, dropped: tuple[str, ...]) -> list[tuple[bytes, bytes]]:
    """
    Return the headers an answer adds.

    The id that the provider's support asks for, and what was left out.
    """
    request_id = head.get(b"x-request-id")
    headers = [(b"x-request-id", request_id)] if request_id else []
    if dropped:
        headers.append((b"x-everup-dropped", told_dropped(dropped)))
    return headers


def told_dropped(names: tuple[str, ...]) -> bytes:
    """
    Return the names of fields left out as a header's value.

    Printable, bounded, the rest counted.
    """
    told = [UNTOLD.sub("?", name)[:DROPPED_CHARS_MAX] for name in names[:DROPPED_MAX]]
    more = [f"and {len(names) - DROPPED_MAX} more"] if len(names) > DROPPED_MAX else []
    return ", ".join((*told, *more)).encode("ascii")
