"""
One try of one candidate, up to the head of its answer.

What must not live here: what to do after a failure (see `policy.step`), and the body of an answer
(see `stream`, `whole`). Every way it can fail comes back as a `Fault`.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec.structs import replace

from everup.errors import CredentialError, Sent, TransportError, TransportKind
from everup.local.embedded import EmbeddedDown
from everup.net.client import Outgoing
from everup.policy.classify import classify_transport
from everup.policy.clocks import Marks
from everup.policy.faults import make_fault
from everup.shapes.fault import Fault, FaultKind
from everup.shapes.route import EMBEDDED_URL

if TYPE_CHECKING:
    from everup.engine.admission import Gate
    from everup.engine.parts import Parts
    from everup.engine.watch import Watch
    from everup.net.exchange import Exchange, Head
    from everup.policy.step import Try
    from everup.shapes.asked import Asked
    from everup.shapes.limits import Limits
    from everup.shapes.route import Candidate
    from everup.shapes.secret import Secret
    from everup.wires.base import Wire

USER_AGENT = b"everup"
REFUSAL_S = 5.0
"""How long the body of a refusal may take: its status alone says enough to go on."""
SETTLE_S = 0.25
"""After a complete answer: how long its connection may take to become reusable."""

MASK = "***"
PASSED_ON = (b"x-request-id",)
"""Headers of a provider's answer that the client gets too: what its support asks for."""

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

    def __init__(self, parts: Parts, asked: Asked, candidate: Candidate, step: Try, limits: Limits) -> None:
        self.parts = parts
        self.asked = asked
        self.candidate = candidate
        self.step = step
        self.limits = limits
        self.wire: Wire = parts.wires[candidate.provider.wire]
        self.loop = asyncio.get_running_loop()
        self.marks = Marks(self.loop.time())
        self.watch: Watch | None = None
        self.exchange: Exchange | None = None
        self.gates: list[Gate] = []
        self.held: ExitStack | None = None
        self.secret = ""
        self.place: int | None = None
        """Where its run has recorded it; None until it has."""
        self.is_probing = step.is_probe
        if step.is_probe:
            parts.health.begin_probe(candidate, self.marks.start_mono_s)

    async def open(self, deadline_mono_s: float, queue_s: float) -> Fault | None:
        """
        Return None once the request can be sent.

        A slot, a secret, an address and a body are there.
        """
        entered = await self.parts.admission.enter(self.candidate, queue_s)
        if isinstance(entered, Fault):
            return entered
        self.gates = entered
        try:
            base_url, secret = await self.reach(deadline_mono_s)
        except CredentialError as error:
            return make_fault(FaultKind.NO_CREDENTIAL, error.reason)
        except EmbeddedDown as error:
            return make_fault(FaultKind.EMBEDDED_DOWN, str(error))
        except TimeoutError:
            words = TOLD[FaultKind.DEADLINE].format(s=self.elapsed_s())
            return make_fault(FaultKind.DEADLINE, words, possibly_billed=False)
        self.secret = secret.reveal() if secret is not None else ""
        origin, prefix = self.parts.origin(base_url, self.candidate.provider)
        foreign = (
            frozenset({"*"}) if self.step.is_clean else foreign_to(self.parts, self.wire, self.asked, self.candidate)
        )
        body = self.wire.encode_request(self.asked, self.candidate, foreign=foreign)
        outgoing = Outgoing(
            method=b"POST",
            target=f"{prefix}{self.wire.target}".encode("ascii"),
            headers=self.headers(self.secret),
            body=body,
        )
        self.marks = Marks(self.loop.time())
        self.exchange = self.parts.client.start(origin, outgoing, is_fresh=self.step.is_fresh)
        return None

    async def reach(self, deadline_mono_s: float) -> tuple[str, Secret | None]:
        """
        Return where the candidate answers and its secret.

        Starts the embedded model if it is that.
        """
        provider = self.candidate.provider
        if provider.base_url != EMBEDDED_URL:
            return provider.base_url, self.parts.credentials.current(self.candidate.profile)
        self.held = ExitStack()
        self.held.enter_context(self.parts.embedded.lease())
        async with asyncio.timeout_at(deadline_mono_s):
            return await self.parts.embedded.start_if_needed()

    def headers(self, secret: str) -> tuple[tuple[bytes, bytes], ...]:
        """
        Return the request's headers.

        The secret goes to this candidate's own origin only.
        """
        provider = self.candidate.provider
        accept = b"text/event-stream" if self.asked.is_stream else b"application/json"
        headers = [(b"content-type", b"application/json"), (b"accept", accept), (b"user-agent", USER_AGENT)]
        if secret:
            value = f"{provider.auth_prefix}{secret}".encode("latin-1")
            headers.append((provider.auth_header.encode("ascii"), value))
        headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in provider.headers]
        return tuple(headers)

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
            is_embedded = self.candidate.provider.base_url == EMBEDDED_URL
            return replace(fault, message=f"the embedded model ended: {fault.message}") if is_embedded else fault
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
        self.parts.admission.leave(self.gates)
        self.gates = []
        self.end_probe()
        if self.held is not None:
            self.held.close()


def foreign_to(parts: Parts, wire: Wire, asked: Asked, candidate: Candidate) -> frozenset[str] | None:
    """
    Return the signatures in a request that another than this candidate minted.

    None, the usual case, if there are none.
    """
    if not parts.minted.owners:
        return None
    return parts.minted.foreign(wire.read_signatures(asked), candidate) or None


def passed_on(head: Head) -> list[tuple[bytes, bytes]]:
    """Return the headers of a provider's answer that the client gets too."""
    return [(name, value) for name in PASSED_ON if (value := head.get(name))]
