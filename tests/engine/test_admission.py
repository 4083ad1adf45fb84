"""Slots: who waits where, for how long, and what a provider's refusals teach."""

from __future__ import annotations

import asyncio

import pytest

from everup.engine.admission import RELEARN_S, Admission, Gate
from everup.shapes.fault import Fault, FaultKind
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.testing.clock import JumpLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


def candidate(profile: str = "one", *, provider_slots: int = 4, profile_slots: int | None = 2) -> Candidate:
    """Return a candidate with so many slots."""
    provider = Provider(name="p", wire="openai_chat", base_url="http://p.test/v1", concurrency=provider_slots)
    mine = Profile(id=profile, provider="p", concurrency=profile_slots)
    return Candidate(index=0, provider=provider, model=Model(ref=ModelRef("p", "m")), profile=mine)


async def taken(admission: Admission, each: Candidate, wait_s: float = 0.0) -> list[Gate]:
    """Return the slots of one attempt, or fail."""
    gates = await admission.enter(each, wait_s)
    assert not isinstance(gates, Fault), gates.message
    return gates


async def test_who_waits_for_a_key_holds_no_slot_of_the_provider() -> None:
    """Requests that queue for one profile leave the provider's other slots to its other profile."""
    admission = Admission(Limits())
    held = [await taken(admission, candidate()) for _ in range(2)]
    waiting = [asyncio.create_task(admission.enter(candidate(), 10)) for _ in range(5)]
    await asyncio.sleep(0.1)
    held += [await taken(admission, candidate("two")) for _ in range(2)]
    for gates in held:
        admission.leave(gates)
    for task in waiting:
        got = await task
        assert not isinstance(got, Fault)
        admission.leave(got)
    assert [0, 0, 0] == [gate.taken for gate in admission.gates.values()]


async def test_two_queues_share_one_wait() -> None:
    """The wait for a profile's slot and the provider's together is no longer than what was allowed."""
    admission = Admission(Limits())
    mine = candidate(provider_slots=1, profile_slots=1)
    other = await taken(admission, candidate("two", provider_slots=1))
    key = admission.gates_of(mine)[0]
    key.taken = 1
    loop = asyncio.get_running_loop()
    began = loop.time()
    waiting = asyncio.create_task(admission.enter(mine, 10))
    await asyncio.sleep(6)
    key.leave()
    fault = await waiting
    assert isinstance(fault, Fault)
    assert FaultKind.QUEUE_FULL is fault.kind
    assert 10 == loop.time() - began
    admission.leave(other)
    assert [0, 0] == [gate.taken for gate in (key, *other)][:2]


async def test_a_slot_given_at_the_last_moment_is_kept_or_given_back() -> None:
    """A slot that comes together with the end of the wait is used; with a cancellation it goes on to the next."""
    admission = Admission(Limits())
    mine = candidate(provider_slots=1, profile_slots=None)
    gates = await taken(admission, mine)
    waiting = asyncio.create_task(admission.enter(mine, 10))
    await asyncio.sleep(0.1)
    admission.leave(gates)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert 0 == gates[0].taken
    gates = await taken(admission, mine)
    loop = asyncio.get_running_loop()
    late = asyncio.create_task(admission.enter(mine, 10))
    await asyncio.sleep(0)
    loop.call_at(loop.time() + 10, admission.leave, gates)
    got = await late
    if not isinstance(got, Fault):
        admission.leave(got)
    assert 0 == gates[0].taken


async def test_a_queue_is_bounded() -> None:
    """Beyond its places a queue refuses at once, in words."""
    admission = Admission(Limits(queue_max=1))
    mine = candidate(provider_slots=1, profile_slots=None)
    gates = await taken(admission, mine)
    waiting = asyncio.create_task(admission.enter(mine, 5))
    await asyncio.sleep(0.1)
    fault = await admission.enter(mine, 5)
    assert isinstance(fault, Fault)
    assert "1 requests of p are running and 1 wait" == fault.message
    assert isinstance(await waiting, Fault)
    admission.leave(gates)


async def test_refusals_lower_the_slots_and_quiet_gives_them_back() -> None:
    """Each refusal for concurrency takes a slot away, never the last; answers after a quiet minute give them back."""
    admission = Admission(Limits())
    mine = candidate(provider_slots=9, profile_slots=4)
    held = [await taken(admission, mine) for _ in range(4)]
    for expected in (3, 2, 1, 1):
        admission.learn(mine, 100.0)
        assert expected == held[0][0].capacity
    admission.relearn(mine, 100.0 + RELEARN_S - 1)
    assert 1 == held[0][0].capacity
    for n, expected in enumerate((2, 3, 4, 4), start=1):
        admission.relearn(mine, 100.0 + n * RELEARN_S)
        assert expected == held[0][0].capacity
    assert 9 == held[0][1].capacity


async def test_another_snapshot_s_concurrency_is_used_at_once() -> None:
    """When config allows more, those that wait go on; when it allows less, nobody new begins."""
    admission = Admission(Limits())
    small = candidate(provider_slots=1, profile_slots=None)
    first = await taken(admission, small)
    waiting = asyncio.create_task(admission.enter(small, 30))
    await asyncio.sleep(0.1)
    large = candidate(provider_slots=3, profile_slots=None)
    assert admission.is_free(large)
    second = await waiting
    assert not isinstance(second, Fault)
    assert not admission.is_free(small)
    admission.leave(first)
    admission.leave(second)
    assert admission.is_free(small)
