"""The walk as a client sees it: who is asked, what the trail says, what is left for the next request."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from everup.shapes.limits import Limits
from everup.shapes.route import ClockOverrides, ModelRef, Profile
from everup.testing import scripts as s
from everup.testing.clock import JumpLoop
from tests.engine.make import Sheet, World, world

pytestmark = pytest.mark.anyio

A, B, C = s.reply("from a"), s.reply("from b"), s.reply("from c")
BUSY = s.error(529, "overloaded_error", None, "busy")
RACE = ClockOverrides(answer_s=10)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def numbers(w: World, name: str) -> dict[tuple[str, ...], float]:
    """Return the series of one counter."""
    metrics = w.engine.parts.metrics
    return {labels: value for (metric, labels), value in metrics.numbers.items() if metric == name}  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_the_last_of_three_is_asked_though_the_others_are_repeated(*, is_stream: bool) -> None:
    """Two providers that answer 500 twice do not use up the attempt of the third."""
    async with world(a=s.error(500), b=s.error(500), c=C) as w:
        sheet = await w.ask(is_stream=is_stream)
        assert "from c" == sheet.text
        assert {"a": 2, "b": 1, "c": 1} == w.calls()


async def test_a_stream_s_first_content_ends_its_probe() -> None:
    """While the probing stream still goes on, its candidate is everybody's again."""
    long = s.stream(*s.texts("Hel"), s.Pause(40), *s.texts("lo."), s.FINISH, s.DONE)
    async with world(a=(BUSY, long, A)) as w:
        await w.ask(is_stream=True)
        await asyncio.sleep(60)
        probe = asyncio.create_task(w.ask(is_stream=True))
        await asyncio.sleep(1)
        began = now()
        assert "from a" == (await w.ask(is_stream=False)).text
        assert now() - began < 1
        assert (await probe).is_finished


async def test_a_long_probe_is_not_waited_for_without_end() -> None:
    """Who has nobody else tries a candidate too whose probe takes longer than the wait; nobody is refused."""
    async with world(a=(BUSY, A.after(s.Pause(90)), A)) as w:
        await w.ask(is_stream=False)
        await asyncio.sleep(26)
        probe = asyncio.create_task(w.ask(is_stream=False))
        await asyncio.sleep(1)
        began = now()
        assert "from a" == (await w.ask(is_stream=False)).text
        assert 10 <= now() - began < 12
        assert (await probe).is_finished


async def test_a_client_that_leaves_its_probe_lets_the_next_one_probe() -> None:
    """A probe whose client has left decides nothing and keeps nobody out."""
    async with world(a=(BUSY, s.play(s.Silence()), A)) as w:
        await w.ask(is_stream=False)
        await asyncio.sleep(26)
        probe = asyncio.create_task(w.ask(is_stream=False))
        await asyncio.sleep(1)
        waiting = asyncio.create_task(w.ask(is_stream=False))
        await asyncio.sleep(1)
        probe.cancel()
        began = now()
        assert "from a" == (await waiting).text
        assert now() - began < 1


async def test_an_old_success_does_not_end_a_newer_cooldown() -> None:
    """A long answer that began before a provider's 429 says nothing about the time it asked for since."""
    long = s.stream(*s.texts("Hel"), s.Pause(20), *s.texts("lo."), s.FINISH, s.DONE)
    limited = s.error(429, "rate_limit_error", None, "slow", **{"retry-after": "300"})
    async with world(a=(long, limited, A), b=B) as w:
        first = asyncio.create_task(w.ask(is_stream=True))
        await asyncio.sleep(5)
        assert "from b" == (await w.ask(is_stream=False)).text
        assert (await first).is_finished
        assert "from b" == (await w.ask(is_stream=False)).text
        assert 2 == w.calls()["a"]


async def test_many_limits_at_once_are_one_cooldown() -> None:
    """Twenty requests that are refused together put their candidate out for one pause, not for twenty."""
    limited = s.error(429, "rate_limit_error", None, "slow")
    async with world(a=(*(limited for _ in range(20)), A), b=B) as w:
        await asyncio.gather(*(w.ask(is_stream=False) for _ in range(20)))
        await asyncio.sleep(16)
        assert "from a" == (await w.ask(is_stream=False)).text


async def test_three_limited_models_put_their_profile_out_but_leave_a_request_its_last_hope() -> None:
    """After three models of a key are limited the fourth is passed over, yet asked when nothing else is left."""
    limited = s.error(429, "rate_limit_error", None, "slow", **{"retry-after": "9000"})
    async with world(a=limited, b=B) as w:
        route = w.snapshot.routes["default"]
        chains = {"all": [f"m{n}" for n in range(3)], "last": ["m9"]}
        routes = {
            name: replace(route, name=name, chain=tuple(ModelRef("a", model) for model in chain))
            for name, chain in chains.items()
        }
        w.snapshot = replace(w.snapshot, routes={**routes, "default": routes["all"]})
        await w.ask(is_stream=False)
        both = replace(route, chain=(ModelRef("a", "m9"), ModelRef("b", "m")))
        w.snapshot = replace(w.snapshot, routes={"default": both})
        passed = await w.ask(is_stream=False)
        assert ("from b", 3) == (passed.text, w.calls()["a"])
        assert "a/m9 skipped (rate_limit" in passed.trail
        w.providers["a"].script(A)
        w.snapshot = replace(w.snapshot, routes={"default": routes["last"]})
        assert "from a" == (await w.ask(is_stream=False)).text


async def test_a_race_tells_each_of_its_lines_once() -> None:
    """When the slow one wins after all, the trail says so, and that the other was called, left and maybe billed."""
    async with world(a=A.after(s.Pause(12)), b=B.after(s.Pause(500)), clocks=RACE) as w:
        sheet = await w.ask(is_stream=False)
        first, second = sheet.trail.split("; ")
        assert first.startswith("a/m=ok (12")
        assert second.startswith("b/m=superseded (2")
        assert "possibly billed" in second
        assert 1 == numbers(w, "everup_attempts_total")["b/m", "superseded"]


async def test_a_race_that_the_deadline_ends_is_a_504_and_repeats_nobody() -> None:
    """While a slow answer runs it is not sent again; when the deadline ends it, the status says so."""
    async with world(a=s.play(s.Silence()), b=s.error(401), clocks=RACE) as w:
        sheet = await w.ask(is_stream=False, deadline_s=100)
        assert sheet.failure is not None
        assert 504 == sheet.failure.status
        assert {"a": 1, "b": 1} == w.calls()


async def test_a_slow_answer_that_breaks_is_repeated_when_its_race_is_lost() -> None:
    """A slow one that ends in a reset is tried once more, on a new connection, after the other has failed."""
    async with world(a=(s.play(s.Pause(30), s.Reset()), A), b=s.error(401), clocks=RACE) as w:
        sheet = await w.ask(is_stream=False)
        assert "from a" == sheet.text
        assert sheet.trail.startswith("a/m=reset (30")
        assert {"a": 2, "b": 1} == w.calls()


async def test_a_slow_answer_that_is_a_refusal_is_told_as_one() -> None:
    """What a slow one said in the end is its line in the error, not that it was slow."""
    async with world(
        a=s.error(402, "billing_error", None, "no credit").after(s.Pause(30)), b=s.error(401), clocks=RACE
    ) as w:
        sheet = await w.ask(is_stream=False)
        assert sheet.failure is not None
        assert "a/m=billing 402" in sheet.failure.trail


async def test_an_error_of_our_own_beside_does_not_spoil_a_good_answer() -> None:
    """A bug in the line beside a slow answer is logged, and the slow one still answers."""
    async with world(a=A.after(s.Pause(30)), b=B, clocks=RACE) as w:
        start = w.net.start_at

        def explode(address: object, body: object, **fields: object) -> object:
            if w.providers["a"].requests:
                raise KeyError("ours")
            return start(address, body, **fields)  # type: ignore[arg-type]

        w.net.start_at = explode  # type: ignore[assignment,method-assign]
        assert "from a" == (await w.ask(is_stream=False)).text
        assert ["KeyError"] == [line["exception"] for name, line in w.log.lines if name == "engine.line_failed"]


async def test_an_error_of_our_own_beside_is_raised_when_nothing_answers() -> None:
    """If the slow one fails too, the bug beside it reaches the caller."""
    async with world(a=s.error(503).after(s.Pause(30)), b=B, clocks=RACE) as w:
        start = w.net.start_at

        def explode(address: object, body: object, **fields: object) -> object:
            if w.providers["a"].requests:
                raise KeyError("ours")
            return start(address, body, **fields)  # type: ignore[arg-type]

        w.net.start_at = explode  # type: ignore[assignment,method-assign]
        with pytest.raises(KeyError):
            await w.ask(is_stream=False)


async def test_a_cut_answer_s_tokens_are_counted() -> None:
    """What a broken stream used is counted, as far as it is known."""
    begun = s.stream(*s.texts("Hello there"), s.Close(), is_ended=False)
    async with world(a=begun) as w:
        assert (await w.ask(is_stream=True)).failure is not None
        assert numbers(w, "everup_tokens_total")["a/m", "output"] > 0


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_refusal_without_an_end_is_judged_by_its_status(*, is_stream: bool) -> None:
    """A refusal whose body never comes costs five seconds, not the request, and is told as what it is."""
    head = s.head(401, {"content-type": "application/json", "content-length": "100"})
    async with world(a=s.play(s.Send(head), s.Silence()), b=B) as w:
        began = now()
        sheet = await w.ask(is_stream=is_stream)
        assert "from b" == sheet.text
        assert "a/m=auth 401" in sheet.trail
        assert now() - began < 6


REFUSED = s.error(400, "invalid_request_error", None, "messages.1: Invalid `signature` in `thinking` block")
DETAILS = [{"type": "reasoning.encrypted", "data": "c2VjcmV0LXRob3VnaHRzLW9mLWE=", "id": "rs_1", "index": 0}]
HISTORY = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello", "reasoning_details": DETAILS},
    {"role": "user", "content": "again"},
]


async def test_foreign_reasoning_is_removed_once() -> None:
    """A candidate that refuses foreign reasoning is asked once more without it, and once only."""
    async with world(a=(REFUSED, A)) as w:
        sheet = await w.ask(is_stream=False, messages=HISTORY)
        assert "from a" == sheet.text
        with_it, without = (request.body for request in w.providers["a"].requests)
        assert b"reasoning_details" in with_it
        assert b"reasoning_details" not in without
        assert {} == w.engine.parts.health.healths
    async with world(a=REFUSED, b=B) as w:
        assert "from b" == (await w.ask(is_stream=False, messages=HISTORY)).text
        assert {"a": 2, "b": 1} == w.calls()


async def test_a_repair_that_would_change_nothing_is_not_sent() -> None:
    """A request without any reasoning part is not repeated as it was."""
    async with world(a=REFUSED, b=B) as w:
        assert "from b" == (await w.ask(is_stream=False)).text
        assert {"a": 1, "b": 1} == w.calls()


async def test_the_trail_says_why_one_was_passed_over_though_it_is_back_since() -> None:
    """A candidate that was cooling when its turn came is told as that, even if the answer took longer."""
    limited = s.error(429, "rate_limit_error", None, "slow", **{"retry-after": "100"})
    async with world(a=(limited, A), b=B.after(s.Pause(60))) as w:
        await w.ask(is_stream=False)
        assert "a/m skipped (rate_limit, cooling 40 s)" in (await w.ask(is_stream=False)).trail


async def test_an_error_names_everyone_who_was_not_tried() -> None:
    """A total failure says of every candidate what became of it, also of one that was pointless to ask."""
    async with world(a=s.play(s.Reset()), b=B) as w:
        route = w.snapshot.routes["default"]
        w.snapshot = replace(w.snapshot, routes={"default": replace(route, attempts_max=1)})
        told = (await w.ask(is_stream=False)).failure
        assert told is not None
        assert "b/m: not tried, the request's attempts were used up" in told.lines


@pytest.mark.parametrize("ping", [b": ping\n\n", b"data: {}\n\n"])
async def test_pings_do_not_keep_a_dead_stream_open(ping: bytes) -> None:
    """A stream of nothing but pings after its content ends as a stall, a minute after its last event."""
    pings = [step for _ in range(60) for step in (s.Pause(5), ping)]
    pinging = s.stream(*s.texts("Hel"), *pings, s.Silence(), is_ended=False)
    async with world(a=pinging) as w:
        began = now()
        sheet = await w.ask(is_stream=True)
        assert sheet.failure is not None
        assert "stall" in sheet.failure.message
        assert 60 <= now() - began < 62


class Sticky(Sheet):
    """A client to whom a head takes long to send."""

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send it, slowly."""
        await asyncio.sleep(200)
        await super().begin(status, headers)


async def test_a_head_that_is_slow_to_leave_is_not_the_provider_s_silence() -> None:
    """A client that takes long even to take the head does not run the provider's clocks down."""
    paced = s.stream(*s.texts("Hel"), s.Pause(1), *s.texts("lo."), s.FINISH, s.DONE)
    async with world(a=paced, limits=Limits(head_hold_s=500)) as w:
        assert (await w.ask(is_stream=True, sheet=Sticky())).is_finished


async def test_a_full_candidate_is_no_reason_to_leave_a_slow_one() -> None:
    """A candidate all of whose slots are taken does not count as one that could begin at once."""
    profiles = {"b": (Profile(id="one", provider="b", concurrency=1),)}
    async with world(a=A.after(s.Pause(40)), b=B.after(s.Pause(100)), profiles=profiles) as w:
        whole = w.snapshot.routes["default"]
        w.snapshot = replace(w.snapshot, routes={"default": replace(whole, chain=whole.chain[1:])})
        holder = asyncio.create_task(w.ask(is_stream=False))
        await asyncio.sleep(1)
        w.snapshot = replace(w.snapshot, routes={"default": whole})
        assert "from a" == (await w.ask(is_stream=True)).text
        assert (await holder).is_finished
