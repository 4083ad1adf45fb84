"""What requests share: it is never another answer than one made for each alone."""

from __future__ import annotations

import pytest
from msgspec import structs

from everup.engine.lane import Outlook
from everup.policy.plan import make_plan
from everup.shapes.route import Model, ModelRef, Needs, Profile
from everup.shapes.secret import Secret
from everup.testing import scripts as s
from tests.engine.make import World, world

pytestmark = pytest.mark.anyio

GOOD = s.reply("Hello.")
TWO = (Profile(id="k1", provider="a"), Profile(id="k2", provider="a"))


def differs(w: World, outlook: Outlook, needs: Needs, turn: int) -> bool:
    """Return whether the plan of one request differs from one made for it alone."""
    snapshot = outlook.snapshot
    route = snapshot.routes["default"]
    kept = outlook.plan(route, needs, turn=turn, received_mono_s=float(turn), deadline_s=5.0)
    return kept != make_plan(route, snapshot, needs, turn=turn, received_mono_s=float(turn), deadline_s=5.0)


async def test_a_kept_plan_is_the_plan_the_request_would_get() -> None:
    """Windows, capabilities, deadlines and turns of profiles count as if each request were planned alone."""
    async with world(a=GOOD, b=GOOD) as w:
        small = Model(ref=ModelRef("a", "m"), context_tokens_max=1000)
        snapshot = structs.replace(w.snapshot, models={**w.snapshot.models, "a/m": small})
        outlook = Outlook(w.engine.parts, snapshot)
        asked = [Needs(prompt_tokens=tokens) for tokens in (10, 1200, 1300, 10, 5000, 20)]
        asked += [Needs(tools=True), Needs(images=True), Needs(structured=True, prompt_tokens=9000)]
        assert [False] * len(asked) == [differs(w, outlook, needs, turn) for turn, needs in enumerate(asked)]


async def test_profiles_take_turns_in_kept_plans_too() -> None:
    """Equal profiles are asked in turn."""
    async with world(a=GOOD, profiles={"a": TWO}) as w:
        for _ in range(4):
            await w.ask(is_stream=False)
        assert ["sk-a-k1", "sk-a-k2"] == sorted({request.key for request in w.providers["a"].requests})


async def test_another_snapshot_is_another_outlook() -> None:
    """A request with a new snapshot goes where that says, at once."""
    async with world(a=GOOD, b=GOOD) as w:
        await w.ask(is_stream=False)
        route = structs.replace(w.snapshot.routes["default"], chain=(ModelRef("b", "m"),))
        w.snapshot = structs.replace(w.snapshot, routes={"default": route})
        await w.ask(is_stream=False)
        assert {"a": 1, "b": 1} == w.calls()


class Rotated:
    """A key that changes with each request."""

    def __init__(self) -> None:
        self.count = 0

    def current(self, _profile: Profile) -> Secret:
        """Return the next key."""
        self.count += 1
        return Secret(f"sk-{self.count}")


async def test_a_rotated_key_is_used_by_the_next_request() -> None:
    """Nothing that is kept outlives the key it was made with."""
    async with world(a=GOOD) as w:
        w.engine.parts.credentials = Rotated()
        for is_stream in (False, True, False, True):
            await w.ask(is_stream=is_stream)
        assert ["sk-1", "sk-2", "sk-3", "sk-4"] == [request.key for request in w.providers["a"].requests]


async def test_a_stream_and_a_whole_answer_are_asked_for_as_what_they_are() -> None:
    """The accept header says what the client wants, whoever asked before."""
    async with world(a=GOOD) as w:
        for is_stream in (True, False, True):
            await w.ask(is_stream=is_stream)
        accepted = [request.header("accept") for request in w.providers["a"].requests]
        assert ["text/event-stream", "application/json", "text/event-stream"] == accepted
