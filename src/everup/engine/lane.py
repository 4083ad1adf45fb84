"""
What is the same for every request of one snapshot.

Plans, and the way to each candidate.
Worked out at the first request that needs it, so that the next ones do not pay for it.
What must not live here: anything a request or the time changes (see `run`, `health`). Bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from everup.policy.clocks import make_basis
from everup.policy.plan import alike_below_tokens, allowed_s, make_plan
from everup.providers.auth import auth_headers
from everup.shapes.route import EMBEDDED_URL

if TYPE_CHECKING:
    from everup.engine.parts import Parts
    from everup.net.client import Address
    from everup.shapes.asked import Asked
    from everup.shapes.route import Candidate, Needs, Plan, Route
    from everup.shapes.snapshot import Snapshot

KEPT_MAX = 1024
"""Plans and lanes of one snapshot; beyond it they are made anew."""
USER_AGENT = b"everup"


class Lane:
    """
    The way to one candidate of one route.

    Its wire, slots, clocks, counters and request head.
    """

    __slots__ = (
        "basis",
        "candidate",
        "gates",
        "input_labels",
        "is_embedded",
        "labels",
        "name",
        "ok_labels",
        "output_labels",
        "parts",
        "profile",
        "sent_as",
        "wire",
    )

    def __init__(self, parts: Parts, route: Route, candidate: Candidate, snapshot: Snapshot) -> None:
        provider = candidate.provider
        self.parts = parts
        self.candidate = candidate
        self.profile = candidate.profile
        self.wire = parts.wires[provider.wire]
        self.gates = parts.admission.gates_of(candidate)
        self.basis = make_basis(snapshot.limits, route.clocks, candidate)
        self.is_embedded = provider.base_url == EMBEDDED_URL
        name = candidate.name
        self.name = name.encode("ascii", "replace")
        self.labels = (name,)
        self.ok_labels = (name, "ok")
        self.input_labels = (name, "input")
        self.output_labels = (name, "output")
        self.sent_as: dict[bool, tuple[str, str, Address]] = {}

    def enter(self) -> bool:
        """Return whether every slot was free and is taken now."""
        gates = self.gates
        for gate in gates:
            if gate.taken >= gate.capacity:
                return False
        for gate in gates:
            gate.taken += 1
        return True

    def address(self, base_url: str, secret: str, asked: Asked) -> Address:
        """
        Return where a request goes and its head but for its length.

        The secret is in it.
        The last one is kept for streams and for whole answers: only a new key or another target makes a new one.
        """
        target = self.wire.target(asked, self.candidate)
        kept = self.sent_as.get(asked.is_stream)
        if kept is not None and kept[1] == secret and kept[0] == target and not self.is_embedded:
            return kept[2]
        provider = self.candidate.provider
        origin, prefix = self.parts.origin(base_url, provider)
        accept = self.wire.stream_type.partition(b";")[0] if asked.is_stream else b"application/json"
        headers = (
            (b"content-type", b"application/json"),
            (b"accept", accept),
            (b"user-agent", USER_AGENT),
            *((name.encode("ascii"), value.encode("latin-1")) for name, value in auth_headers(provider, secret)),
        )
        address = self.parts.client.address(origin, b"POST", f"{prefix}{target}".encode("ascii"), headers)
        self.sent_as[asked.is_stream] = (target, secret, address)
        return address


class Outlook:
    """One snapshot's plans and lanes, kept while it is the newest."""

    def __init__(self, parts: Parts, snapshot: Snapshot) -> None:
        self.parts = parts
        self.snapshot = snapshot
        self.plans: dict[tuple[str, bool, bool, bool, bool], tuple[float, Plan]] = {}
        self.lanes: dict[tuple[str, str, str], Lane] = {}

    def plan(self, route: Route, needs: Needs, *, turn: int, received_mono_s: float, deadline_s: float | None) -> Plan:
        """
        Return the plan of one request.

        An earlier one with its own deadline where nothing else would differ.
        """
        key = (route.name, route.is_asked_by_name, needs.tools, needs.images, needs.structured)
        kept = self.plans.get(key)
        if kept is not None and needs.prompt_tokens <= kept[0]:
            plan = kept[1]
            deadline = received_mono_s + allowed_s(route, self.snapshot.limits, deadline_s)
            return structs.replace(plan, deadline_mono_s=deadline)
        plan = make_plan(route, self.snapshot, needs, turn=turn, received_mono_s=received_mono_s, deadline_s=deadline_s)
        alike_below = alike_below_tokens(route, self.snapshot)
        if needs.prompt_tokens <= alike_below and alike_below:
            if len(self.plans) >= KEPT_MAX:
                self.plans.clear()
            self.plans[key] = (alike_below, plan)
        return plan

    def lane(self, route: Route, candidate: Candidate) -> Lane:
        """Return the way to a candidate of a plan."""
        key = (route.name, candidate.model.name, candidate.profile.id)
        lane = self.lanes.get(key)
        if lane is None:
            if len(self.lanes) >= KEPT_MAX:
                self.lanes.clear()
            lane = self.lanes[key] = Lane(self.parts, route, candidate, self.snapshot)
        return lane
