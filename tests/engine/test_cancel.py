"""A client may leave at any moment: whatever its request was waiting for, nothing of it stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec import Struct
from msgspec.structs import replace

from everup.policy.cooldown import Health
from everup.shapes.fault import FaultKind
from everup.shapes.limits import Limits
from everup.shapes.route import ClockOverrides, Profile
from everup.shapes.secret import Secret
from everup.testing import scripts as s
from everup.testing.clock import JumpLoop
from tests.engine.cut import AWAITS_MAX, cut, nothing_left
from tests.engine.make import Sheet, World, world

pytestmark = pytest.mark.anyio

GOOD = s.reply("Hel", "lo.")
LIMITED = s.error(429, "rate_limit_error", None, "slow down", retry_after="2")
SLOW = s.reply("slow").after(s.Pause(30))
LATE = s.reply("late").after(s.Pause(70))
CUT = s.stream(*s.texts("Hel"), s.Close(), is_ended=False, whole=(s.Reset(),))
NARROW = {"a": (Profile(id="one", provider="a", concurrency=1),)}


class Scene(Struct, frozen=True, kw_only=True):
    """What providers do, and what is known of them when the request comes."""

    scripts: dict[str, tuple[s.Script, ...]]
    limits: Limits = Limits()
    clocks: ClockOverrides = ClockOverrides()
    profiles: dict[str, tuple[Profile, ...]] = {}
    cooling_s: float | None = None
    """For how long the first candidate still cools down; 0 means that it is due to be probed."""


SCENES = {
    "good": Scene(scripts={"a": (GOOD,)}),
    "server error, then another": Scene(scripts={"a": (s.error(500),), "b": (GOOD,)}),
    "a limit that is waited for": Scene(scripts={"a": (LIMITED, GOOD), "b": (GOOD,)}),
    "all fail": Scene(scripts={"a": (s.error(503),), "b": (s.play(s.Reset()),)}),
    "cut": Scene(scripts={"a": (CUT,), "b": (GOOD,)}),
    "silence": Scene(scripts={"a": (s.play(s.Silence()),), "b": (GOOD,)}, clocks=ClockOverrides(answer_s=20)),
    "a race that the second wins": Scene(scripts={"a": (LATE,), "b": (GOOD,)}, clocks=ClockOverrides(answer_s=20)),
    "a race that the first wins": Scene(scripts={"a": (SLOW,), "b": (LATE,)}, clocks=ClockOverrides(answer_s=20)),
    "a head that is held too long": Scene(scripts={"a": (LATE,)}),
    "a cooldown that is waited for": Scene(scripts={"a": (GOOD,)}, cooling_s=5),
    "a probe": Scene(scripts={"a": (GOOD,), "b": (GOOD,)}, cooling_s=0),
    "a probe that fails": Scene(scripts={"a": (s.error(503),), "b": (GOOD,)}, cooling_s=0),
    "a taken slot": Scene(scripts={"a": (SLOW, GOOD)}, profiles=NARROW),
}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


def set_scene(w: World, scene: Scene) -> None:
    """Put providers and health back to where the scene begins."""
    for name, scripts in scene.scripts.items():
        w.providers[name].script(*scripts)
    health = w.engine.parts.health
    health.healths.clear()
    if scene.cooling_s is not None:
        until = asyncio.get_running_loop().time() + scene.cooling_s
        key = ("endpoint+model", "a", "\nm")
        health.healths[key] = Health(level=1, until_mono_s=until, kind=FaultKind.OVERLOADED)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("name", SCENES)
async def test_a_request_cut_at_any_await_leaves_nothing(name: str, *, is_stream: bool, is_late: bool) -> None:
    """Cancelled at each of its awaits in turn, a request leaves no connection, slot, probe, timer or task."""
    scene = SCENES[name]
    async with world(limits=scene.limits, clocks=scene.clocks, profiles=scene.profiles, **scene.scripts) as w:
        for nth in range(1, AWAITS_MAX):
            set_scene(w, scene)
            holder = asyncio.create_task(w.ask(is_stream=False)) if scene.profiles else None
            await asyncio.sleep(0.1)
            is_over = await cut(w.ask(is_stream=is_stream), nth, is_late=is_late)
            if holder is not None:
                holder.cancel()
                await asyncio.wait([holder])
            await nothing_left(w)
            if is_over:
                break
        assert nth > 2


class Slug:
    """An embedded model that takes its time to start."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.leases = 0

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Count who needs it."""
        self.leases += 1
        yield
        self.leases -= 1

    async def start_if_needed(self) -> tuple[str, Secret]:
        """Return where it is, after a while."""
        await asyncio.sleep(8)
        return self.base_url, Secret("sk-embedded")


def embedded(w: World) -> Slug:
    """Return the slow embedded model that is now the only candidate of the route."""
    slug = Slug(w.providers["a"].base_url)
    w.engine.parts.embedded = slug
    provider = replace(w.snapshot.providers["a"], base_url="embedded:")
    w.snapshot = replace(w.snapshot, providers={"a": provider})
    return slug


@pytest.mark.parametrize("is_stream", [False, True])
async def test_leaving_while_the_embedded_model_starts_gives_its_lease_back(*, is_stream: bool) -> None:
    """The embedded model is needed by nobody any more once the client that waited for it has left."""
    async with world(a=GOOD) as w:
        slug = embedded(w)
        for nth in range(1, AWAITS_MAX):
            is_over = await cut(w.ask(is_stream=is_stream), nth, is_late=False)
            await nothing_left(w)
            assert 0 == slug.leases
            if is_over:
                break


async def test_a_deadline_while_the_embedded_model_starts_bills_nobody() -> None:
    """When the deadline ends the wait for a start, the answer is 504 and nothing was sent that could be billed."""
    async with world(a=GOOD) as w:
        embedded(w)
        sheet = await w.ask(is_stream=False, deadline_s=3)
        assert sheet.failure is not None
        assert 504 == sheet.failure.status
        assert "possibly billed" not in sheet.failure.trail
        assert {"a": 0} == w.calls()


class Broken(Sheet):
    """A client whose connection breaks at its nth write."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.left = nth

    async def write(self, data: bytes) -> None:
        """Fail at the nth write."""
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError
        await super().write(data)


@pytest.mark.parametrize("nth", [0, 2])
async def test_an_error_while_the_client_is_kept_waiting_ends_its_request(nth: int) -> None:
    """An error of our own side in a keep-alive ends the request at once and reaches its caller, with nothing left."""
    async with world(a=s.play(s.Silence())) as w:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionResetError):
            await w.ask(is_stream=True, sheet=Broken(nth))
        assert 45 <= asyncio.get_running_loop().time() - began < 90
        await nothing_left(w)


class Sticky(Sheet):
    """A client to whom a head takes long to send."""

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send it, slowly."""
        await asyncio.sleep(20)
        await super().begin(status, headers)


async def test_a_head_that_was_begun_is_sent_once_and_whole() -> None:
    """Content that comes while the early head is still being sent waits for it, instead of cutting it off."""
    async with world(a=s.reply("Hello.").after(s.Pause(50))) as w:
        sheet = await w.ask(is_stream=True, sheet=Sticky())
        assert ("Hello.", True) == (sheet.text, sheet.is_finished)


async def test_an_error_of_our_own_moves_no_fallback() -> None:
    """A bug in the engine reaches the caller; it neither costs a second call nor starts a cooldown."""

    def explode(*_: object) -> None:
        raise KeyError("ours")

    for is_stream in (False, True):
        async with world(a=GOOD, b=GOOD) as w:
            bug: Callable[..., None] = explode
            w.engine.parts.health.record_success = bug  # type: ignore[method-assign]
            with pytest.raises(KeyError):
                await w.ask(is_stream=is_stream)
            assert {"a": 1, "b": 0} == w.calls()
            assert {} == w.engine.parts.health.healths
            await nothing_left(w)


async def test_an_attempt_that_was_ended_while_it_refused_is_told_by_its_clock() -> None:
    """A deadline inside the body of a refusal is the deadline, not a refusal nobody has read."""
    head = s.head(401, {"content-type": "application/json", "content-length": "100"})
    for is_stream in (False, True):
        async with world(a=s.play(s.Send(head), s.Silence())) as w:
            sheet = await w.ask(is_stream=is_stream, deadline_s=2)
            assert sheet.failure is not None
            assert 504 == sheet.failure.status
