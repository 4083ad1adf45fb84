"""Small plans, candidates and faults for the tests of this room."""

from __future__ import annotations

from everup.policy.faults import make_fault
from everup.policy.plan import make_plan
from everup.policy.step import Tried
from everup.shapes.fault import FaultKind
from everup.shapes.route import Caps, Model, ModelRef, Needs, Plan, Profile, Provider, Route
from everup.shapes.snapshot import Snapshot

NEEDS = Needs()
NOW = 50.0


def make_provider(name: str, profiles: int = 1, *, is_local: bool = False) -> Provider:
    """Return a provider with so many profiles of equal priority."""
    return Provider(
        name=name,
        wire="openai_chat",
        base_url=f"http://{name}.test/v1",
        is_local=is_local,
        profiles=tuple(Profile(id=f"k{n}", provider=name) for n in range(profiles)),
    )


def make_snapshot(*models: str, profiles: int = 1, caps: dict[str, Caps] | None = None) -> Snapshot:
    """Return a snapshot with a route `default` over these models."""
    refs = tuple(ModelRef(*name.split("/", 1)) for name in models)
    return Snapshot(
        providers={ref.provider: make_provider(ref.provider, profiles) for ref in refs},
        models={str(ref): Model(ref=ref, caps=(caps or {}).get(str(ref), Caps())) for ref in refs},
        routes={"default": Route(name="default", chain=refs)},
    )


def plan_of(*models: str, profiles: int = 1, turn: int = 0, needs: Needs = NEEDS, deadline_s: float = 100.0) -> Plan:
    """Return the plan of a request for these models, received at 0 on the clock."""
    snapshot = make_snapshot(*models, profiles=profiles)
    return make_plan(snapshot.routes["default"], snapshot, needs, turn=turn, received_mono_s=0.0, deadline_s=deadline_s)


def tried(index: int, kind: FaultKind, **fields: object) -> Tried:
    """Return an attempt that failed so, at `NOW` on the clock."""
    return Tried(index, make_fault(kind, **fields), NOW)  # type: ignore[arg-type]
