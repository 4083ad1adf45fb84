"""Rulings 4, 6 and 7 and the walk over profiles: what one request leaves behind for the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from everup.testing.clock import until
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

LIMITS = {"cooldown_wait_s": 1.8, "blocked_probe_every_s": 1.5, "cheap_cooldown_max_s": 1.0, "probe_wait_s": 5.0}
TWO_KEYS = {"profiles": [{"id": "a", "key": "key-a"}, {"id": "b", "key": "key-b", "priority": 1}]}
ROUTES: dict[str, object] = {
    "stale": ["stale/m"],
    "ambiguous": ["ambiguous/m"],
    "waits": ["waits/m"],
    "least": ["least1/m", "least2/m"],
    "billing": ["billing/m"],
    "skips": ["skips1/m", "skips2/m"],
    "half": ["half1/m", "half2/m"],
    "half-alone": ["half1/m"],
    "beside": {"try": ["beside1/m", "beside2/m"], "answer": 0.5},
    "models": ["models/m1", "models/m2"],
    "keys": ["keys/m"],
    "crowd": ["crowd1/m", "crowd2/m"],
    "broke": ["broke/m"],
}
TABLES = {"keys": TWO_KEYS, "crowd1": TWO_KEYS, "broke": TWO_KEYS}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    folder = tmp_path_factory.mktemp("rulings")
    async with open_stage(folder, ROUTES, limits=LIMITS, tables=TABLES) as running:  # type: ignore[arg-type]
        yield running


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stale_connection_is_not_a_failure(stage: Stage, *, stream: bool) -> None:
    """A pooled connection that ends before any response byte costs one retry on a fresh one (ruling 4)."""
    stage["stale"].script(s.reply("one"), s.play(s.Close()), s.reply("two"))
    before = len(stage["stale"].requests)
    answers = [await stage.gateway.ask("stale", stream=stream) for _ in range(2)]
    assert ["one", "two"] == [answer.text for answer in answers]
    _, stale, fresh = stage["stale"].requests[before:]
    assert stale.nth_on_connection > 1
    assert 1 == fresh.nth_on_connection
    assert "stale" in answers[1].trail


async def test_an_ambiguous_attempt_is_repeated_once_on_a_new_connection(stage: Stage) -> None:
    """With nobody else left, an attempt that may have been billed is tried once more, elsewhere, and told so."""
    stage["ambiguous"].script(s.play(s.Reset()), s.reply("again"))
    answer = await stage.gateway.ask("ambiguous")
    assert "again" == answer.text
    assert 2 == len({request.connection for request in stage["ambiguous"].requests})
    assert "possibly billed" in answer.trail


async def test_the_soonest_recovery_is_waited_for(stage: Stage) -> None:
    """When all are cooling and one is back within the wait, the request waits for it and is answered."""
    stage["waits"].script(s.error(429, None, None, "slow down", retry_after="1.5"), s.reply("rested"))
    first = await stage.gateway.ask("waits", headers={"x-everup-deadline-s": "0.9"})
    second = await stage.gateway.ask("waits")
    assert [429, 200] == [first.status, second.status]
    assert ("rested", 2) == (second.text, len(stage["waits"].requests))
    assert 0.5 <= second.total_s <= 6


async def test_the_least_bad_is_tried_once(stage: Stage) -> None:
    """When all are cooling for longer than the wait, the one that is soonest back is tried at once."""
    stage["least1"].script(s.error(404, None, "model_not_found", "The model does not exist"), s.reply("one"))
    stage["least2"].script(s.body(403, b"<html>blocked</html>", "text/html"), s.reply("two"))
    first, second = [await stage.gateway.ask("least") for _ in range(2)]
    assert [503, 200] == [first.status, second.status]
    assert ("two", [1, 2]) == (second.text, stage.counts("least1", "least2"))


async def test_a_blocked_candidate_is_probed_when_nothing_else_is_left(stage: Stage) -> None:
    """An account without credit is asked again at most once per probe time, and one success serves everybody."""
    stage["billing"].script(s.error(402, "billing_error", None, "Insufficient balance"))
    refused = await stage.gateway.ask("billing")
    unsent = await stage.gateway.ask("billing")
    assert [503, 503] == [refused.status, unsent.status]
    assert 1 == len(stage["billing"].requests)
    assert "true" == unsent.headers["x-should-retry"]
    assert float(unsent.headers["retry-after"]) <= 60
    stage["billing"].script(s.reply("paid").after(s.Pause(0.4)))
    began = stage["billing"].requests[0].arrived_mono_s
    await until(lambda: asyncio.get_running_loop().time() > began + LIMITS["blocked_probe_every_s"] + 0.2)
    answers = await asyncio.gather(*(stage.gateway.ask("billing") for _ in range(5)))
    assert {"paid"} == {answer.text for answer in answers}
    probe, *others = stage["billing"].requests[1:]
    assert probe.answered_mono_s is not None
    assert all(other.arrived_mono_s >= probe.answered_mono_s for other in others)


async def test_a_cooling_candidate_is_left_out_while_another_is_ready(stage: Stage) -> None:
    """After a refused key the next request goes straight to the other candidate."""
    stage["skips1"].script(s.error(401, None, "invalid_api_key", "no such key"))
    answers = [await stage.gateway.ask("skips") for _ in range(3)]
    assert [200] * 3 == [answer.status for answer in answers]
    assert [1, 3] == stage.counts("skips1", "skips2")


async def test_a_recovering_candidate_is_probed_by_one(stage: Stage) -> None:
    """After a cheap cooldown one request probes, others use the next, those without another wait for the outcome."""
    overloaded = s.error(529, "overloaded_error", None, "Overloaded")
    stage["half1"].script(overloaded, s.reply("back").after(s.Pause(0.5)), s.reply("back"))
    stage["half2"].script(s.reply("other"))
    assert "other" == (await stage.gateway.ask("half")).text
    failed_at = stage["half1"].requests[0].arrived_mono_s
    await until(lambda: asyncio.get_running_loop().time() > failed_at + LIMITS["cheap_cooldown_max_s"] + 0.3)
    probe = asyncio.create_task(stage.gateway.ask("half"))
    await until(lambda: len(stage["half1"].requests) == 2)
    pairs = [stage.gateway.ask("half") for _ in range(5)]
    alone = [stage.gateway.ask("half-alone") for _ in range(3)]
    told = [answer.text for answer in await asyncio.gather(*pairs, *alone)]
    assert ["other"] * 5 + ["back"] * 3 == told
    assert "back" == (await probe).text
    _, probing, *later = stage["half1"].requests
    assert probing.answered_mono_s is not None
    assert all(request.arrived_mono_s >= probing.answered_mono_s for request in later)
    assert "back" == (await stage.gateway.ask("half")).text


async def test_the_next_starts_beside_a_slow_answer(stage: Stage) -> None:
    """When the answer's clock ends the next begins beside it; the first complete answer wins, the other is left."""
    stage["beside1"].script(s.reply("slow").after(s.Pause(1.2)))
    stage["beside2"].script(s.play(s.Silence()))
    answer = await stage.gateway.ask("beside")
    assert ("slow", "beside1/m") == (answer.text, answer.headers["x-everup-model"])
    assert [1, 1] == stage.counts("beside1", "beside2")
    await until(lambda: stage["beside2"].requests[0].gone_mono_s is not None)


async def test_a_limit_of_one_model_leaves_the_other(stage: Stage) -> None:
    """A rate limit counts for a profile and model; another model of the same provider answers."""
    stage["models"].scripts["m1"] = (s.error(429, "rate_limit_error", None, "slow down", retry_after="30"),)
    answers = [await stage.gateway.ask("models") for _ in range(2)]
    assert ["models/m2"] * 2 == [answer.headers["x-everup-model"] for answer in answers]
    assert ["m1", "m2", "m2"] == [request.model for request in stage["models"].requests]


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("keys", s.error(401, None, "invalid_api_key", "no such key")),
        ("broke", s.error(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota")),
    ],
)
async def test_another_key_of_the_same_model_comes_first(stage: Stage, name: str, refusal: s.Script) -> None:
    """A refused account is followed by the provider's next profile, at once, and stays left out."""
    stage[name].scripts["key-a"] = (refusal,)
    answers = [await stage.gateway.ask(name) for _ in range(2)]
    assert [200, 200] == [answer.status for answer in answers]
    assert ["key-a", "key-b", "key-b"] == [request.key for request in stage[name].requests]
    assert f"{name}/m#a=" in answers[0].trail


async def test_overload_is_for_all_accounts(stage: Stage) -> None:
    """After 529 the provider's other key is not tried: the next provider is."""
    stage["crowd1"].script(s.error(529, "overloaded_error", None, "Overloaded"))
    answer = await stage.gateway.ask("crowd")
    assert "crowd2/m" == answer.headers["x-everup-model"]
    assert [1, 1] == stage.counts("crowd1", "crowd2")
