"""Whole answers: failover, the race for slow ones, profiles, slots and probes."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from everup.local.embedded import EmbeddedDown
from everup.shapes.limits import Limits
from everup.shapes.route import ClockOverrides, Profile
from everup.shapes.secret import Secret
from everup.testing import scripts as s
from everup.testing.clock import JumpLoop
from tests.engine.make import Sheet, World, world

pytestmark = pytest.mark.anyio

A, B = s.reply("from a"), s.reply("from b")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


async def test_a_whole_answer_passes_byte_for_byte() -> None:
    """The provider's body is the client's, with who answered and the provider's own request id."""
    answer = s.body(200, s.chat_json("hello"), "application/json", **{"x-request-id": "req_theirs"})
    async with world(a=answer) as w:
        sheet = await w.ask(is_stream=False)
        assert s.chat_json("hello") == sheet.body
        assert sheet.is_finished
        assert ("a/m", "req_theirs") == (sheet.headers["x-everup-model"], sheet.headers["x-request-id"])


async def test_a_slow_answer_is_raced_and_the_first_complete_one_wins() -> None:
    """When the answer clock ends the next candidate begins beside; the slow one is ended when that wins."""
    async with world(a=A.after(s.Pause(500)), b=B.after(s.Pause(3)), clocks=ClockOverrides(answer_s=10)) as w:
        began = now()
        sheet = await w.ask(is_stream=False)
        assert "from b" == sheet.text
        assert 13 <= now() - began < 15
        assert "a/m=answer" in sheet.trail
        while w.providers["a"].requests[0].gone_mono_s is None:
            await asyncio.sleep(0.01)


async def test_a_slow_answer_may_still_win_its_race() -> None:
    """A slow candidate that completes first is the answer, and the one beside it is ended."""
    async with world(a=A.after(s.Pause(12)), b=B.after(s.Pause(500)), clocks=ClockOverrides(answer_s=10)) as w:
        sheet = await w.ask(is_stream=False)
        assert "from a" == sheet.text
        assert {"a": 1, "b": 1} == w.calls()


async def test_a_slow_answer_with_nobody_else_is_waited_for() -> None:
    """With no other candidate the answer clock ends nothing before the deadline."""
    async with world(a=A.after(s.Pause(400)), clocks=ClockOverrides(answer_s=10)) as w:
        sheet = await w.ask(is_stream=False)
        assert "from a" == sheet.text


async def test_the_deadline_ends_every_line_of_a_race() -> None:
    """When the deadline comes both lines end and the client gets a 504."""
    silent = s.play(s.Silence())
    async with world(a=silent, b=silent, clocks=ClockOverrides(answer_s=10)) as w:
        began = now()
        sheet = await w.ask(is_stream=False, deadline_s=30)
        assert sheet.failure is not None
        assert 504 == sheet.failure.status
        assert 30 <= now() - began < 32


async def test_profiles_of_equal_priority_take_turns_and_a_refused_one_is_passed_over() -> None:
    """Keys alternate; a refused key moves to the other one and is left alone afterwards."""
    profiles = {"a": (Profile(id="one", provider="a"), Profile(id="two", provider="a"))}
    async with world(a=A, profiles=profiles) as w:
        for _ in range(4):
            await w.ask(is_stream=False)
        assert {"sk-a-one", "sk-a-two"} == {request.key for request in w.providers["a"].requests}
        w.providers["a"].script(s.error(401, "invalid_request_error", "invalid_api_key", "no"), A)
        before = len(w.providers["a"].requests)
        sheet = await w.ask(is_stream=False)
        assert "from a" == sheet.text
        refused = w.providers["a"].requests[before].key
        for _ in range(3):
            await w.ask(is_stream=False)
        assert refused not in {request.key for request in w.providers["a"].requests[before + 1 :]}


async def test_a_missing_key_costs_no_call_and_moves_on() -> None:
    """A profile whose key cannot be had is passed over by name, without asking its provider."""
    async with world(a=A, b=B, profiles={"a": (Profile(id="gone", provider="a"),)}) as w:
        sheet = await w.ask(is_stream=False)
        assert ("from b", {"a": 0, "b": 1}) == (sheet.text, w.calls())
        assert "a/m#gone=no_credential" in sheet.trail


async def test_a_cooling_candidate_is_passed_over_and_used_again_after_its_time() -> None:
    """During a Retry-After the next model answers; after it one request probes and the first is back."""
    limited = s.error(429, "rate_limit_error", None, "slow", **{"retry-after": "30"})
    async with world(a=(limited, A), b=B) as w:
        assert "from b" == (await w.ask(is_stream=False)).text
        second = await w.ask(is_stream=False)
        assert ("from b", 1) == (second.text, w.calls()["a"])
        assert "a/m skipped (rate_limit, cooling 30 s)" in second.trail
        await asyncio.sleep(31)
        assert "from a" == (await w.ask(is_stream=False)).text
        assert "from a" == (await w.ask(is_stream=False)).text


async def many(w: World, count: int) -> list[Sheet]:
    """Return what so many clients at once were sent."""
    return await asyncio.gather(*(w.ask(is_stream=False) for _ in range(count)))


async def test_one_request_probes_while_others_use_another_candidate() -> None:
    """After a cooldown exactly one of many requests tries the failed candidate again."""
    refused = s.error(529, "overloaded_error", None, "busy")
    async with world(a=(refused, A.after(s.Pause(2))), b=B) as w:
        await w.ask(is_stream=False)
        await asyncio.sleep(26)
        sheets = await many(w, 20)
        assert 1 == sum(sheet.text == "from a" for sheet in sheets)
        assert 2 == w.calls()["a"]


async def test_requests_without_another_candidate_wait_for_the_probe() -> None:
    """With nobody else the others wait for the probe's outcome and are then served."""
    refused = s.error(529, "overloaded_error", None, "busy")
    async with world(a=(refused, A.after(s.Pause(2)), A)) as w:
        assert (await w.ask(is_stream=False)).failure is not None
        await asyncio.sleep(26)
        sheets = await many(w, 5)
        assert ["from a"] * 5 == [sheet.text for sheet in sheets]


async def test_an_unpaid_account_is_asked_once_in_thirty_seconds() -> None:
    """With nothing else left an account without credit is probed at most every 30 s, and the rest is told when."""
    unpaid = s.error(402, "billing_error", None, "no credit")
    async with world(a=unpaid) as w:
        assert (await w.ask(is_stream=False)).failure is not None
        told = (await w.ask(is_stream=False)).failure
        assert told is not None
        assert (503, True, 1) == (told.status, told.should_retry, w.calls()["a"])
        assert told.retry_after_s is not None
        assert told.retry_after_s <= 30
        await asyncio.sleep(31)
        await w.ask(is_stream=False)
        assert 2 == w.calls()["a"]


async def test_a_retry_after_beyond_the_deadline_is_a_429_that_was_not_sent() -> None:
    """A provider's own time beyond the request's deadline is answered without asking it."""
    limited = s.error(429, "rate_limit_error", None, "slow", **{"retry-after": "900"})
    async with world(a=limited) as w:
        await w.ask(is_stream=False)
        told = (await w.ask(is_stream=False)).failure
        assert told is not None
        assert (429, 1) == (told.status, w.calls()["a"])


async def test_slots_bound_how_many_run_at_once() -> None:
    """A profile's concurrency is never exceeded; those that wait are served when a slot is free."""
    profiles = {"a": (Profile(id="one", provider="a", concurrency=2),)}
    async with world(a=A.after(s.Pause(2)), profiles=profiles) as w:
        began = now()
        sheets = await many(w, 6)
        assert ["from a"] * 6 == [sheet.text for sheet in sheets]
        assert 6 <= now() - began < 7


async def test_a_full_queue_moves_on() -> None:
    """When a provider's queue is full the next candidate is asked instead."""
    profiles = {"a": (Profile(id="one", provider="a", concurrency=1),)}
    async with world(a=A.after(s.Pause(2)), b=B, profiles=profiles, limits=Limits(queue_max=1)) as w:
        sheets = await many(w, 3)
        assert ["from a", "from a", "from b"] == sorted(sheet.text for sheet in sheets)


async def test_foreign_reasoning_is_left_out_once_its_owner_is_known() -> None:
    """A signature minted by one provider is not sent to another one that would refuse it."""
    details = [{"type": "reasoning.encrypted", "data": "c2VjcmV0LXRob3VnaHRzLW9mLWE=", "id": "rs_1", "index": 0}]
    message = {"role": "assistant", "content": "from a", "reasoning_details": details}
    thinking = s.body(200, s.chat_json(None, message=message))
    async with world(a=(thinking, s.error(503)), b=B) as w:
        await w.ask(is_stream=False)
        history = [{"role": "user", "content": "hi"}, message, {"role": "user", "content": "again"}]
        sheet = await w.ask(is_stream=False, messages=history)
        assert "from b" == sheet.text
        assert b"reasoning_details" in w.providers["a"].requests[1].body
        assert b"reasoning_details" not in w.providers["b"].requests[0].body


async def test_error_text_never_reaches_a_provider() -> None:
    """What one provider says in its error is in no body that another one gets, nor in the log (it may quote us)."""
    async with world(a=s.error(500, "server_error", None, "canary-5150"), b=B) as w:
        await w.ask(is_stream=False)
        bodies = [request.body for each in w.providers.values() for request in each.requests]
        assert 3 == len(bodies)
        assert all(b"canary-5150" not in body for body in bodies)
        assert "canary-5150" not in str(w.log.lines)
        assert 1 == len(set(bodies))


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (s.body(200, b"not json"), "malformed"),
        (s.body(200, s.chat_json("")), "empty_answer"),
        (s.play(s.Send(s.head(200, {"content-length": "100"})), s.Close()), "cut"),
        (s.body(200, b" " * 3000), "oversize"),
        (s.body(503, b"x" * 3000, "text/plain"), "unavailable 503"),
        (s.play(s.Send(s.head(503, {"content-length": "100"})), s.Reset()), "unavailable 503"),
    ],
)
async def test_an_unusable_answer_moves_on(script: s.Script, kind: str) -> None:
    """What is no answer is never the client's: the next candidate is asked, and the trail says what it was."""
    small = Limits(upstream_body_bytes_max=2000, error_body_bytes_max=2000)
    async with world(a=script, b=B, limits=small) as w:
        sheet = await w.ask(is_stream=False)
        assert "from b" == sheet.text
        assert f"a/m={kind} (" in sheet.trail


class Down:
    """An embedded model that cannot start."""

    def lease(self) -> contextlib.AbstractContextManager[None]:
        """Nothing is kept alive."""
        return contextlib.nullcontext()

    async def start_if_needed(self) -> tuple[str, Secret]:
        """Fail with the cause."""
        raise EmbeddedDown("no memory left")


async def test_an_embedded_model_that_cannot_start_moves_on() -> None:
    """Its cause is in the trail, and it is left alone for a while."""
    async with world(a=A, b=B) as w:
        w.engine.parts.embedded = Down()
        providers = dict(w.snapshot.providers, a=replace(w.snapshot.providers["a"], base_url="embedded:"))
        w.snapshot = replace(w.snapshot, providers=providers)
        assert "a/m=embedded_down (" in (await w.ask(is_stream=False)).trail
        assert "a/m skipped (embedded_down, cooling " in (await w.ask(is_stream=False)).trail


async def test_loading_is_waited_for_at_home_and_not_for_ever() -> None:
    """A local server that loads its model is asked again every second; after a minute the next one answers."""
    loading = s.error(503, "unavailable_error", None, "Loading model")
    for scripts, text, calls in (((loading,) * 30 + (A,), "from a", 31), ((loading,), "from b", 61)):
        async with world(a=scripts, b=B) as w:
            providers = dict(w.snapshot.providers, a=replace(w.snapshot.providers["a"], is_local=True))
            w.snapshot = replace(w.snapshot, providers=providers)
            sheet = await w.ask(is_stream=False)
            assert (text, calls) == (sheet.text, w.calls()["a"])
            assert len(sheet.trail) <= 1024


async def test_no_request_makes_attempts_without_end() -> None:
    """Several local servers that load for ever end with an honest error, however free each attempt is."""
    loading = s.error(503, "unavailable_error", None, "Loading model")
    async with world(a=loading, b=loading, c=loading) as w:
        providers = {name: replace(each, is_local=True) for name, each in w.snapshot.providers.items()}
        w.snapshot = replace(w.snapshot, providers=providers)
        sheet = await w.ask(is_stream=False)
        assert sheet.failure is not None
        assert 503 == sheet.failure.status
        assert 128 == sum(w.calls().values())


async def test_a_header_no_request_can_carry_is_our_own_fault_and_moves_on() -> None:
    """A profile whose header cannot be sent costs no call and starts no cooldown; the next candidate answers."""
    async with world(a=A, b=B) as w:
        spoilt = replace(w.snapshot.providers["a"], headers=(("x-org", "one\r\ntwo"),))
        w.snapshot = replace(w.snapshot, providers=dict(w.snapshot.providers, a=spoilt))
        assert "from b" == (await w.ask(is_stream=False)).text
        assert 0 == w.calls()["a"]
        assert {} == w.engine.parts.health.healths


async def test_another_model_than_asked_for_is_counted() -> None:
    """A provider that answers with another model is believed and counted (row 54)."""
    async with world(a=s.body(200, s.chat_json("hi", model="other"))) as w:
        assert "hi" == (await w.ask(is_stream=False)).text
        assert 1 == w.engine.parts.metrics.numbers["everup_models_swapped_total", ("a/m",)]  # type: ignore[attr-defined]
