"""Profiles take turns, and no more requests are under way at a provider than it allows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from tests.faults.stage import Stage, most_at_once, open_stage

pytestmark = pytest.mark.anyio

ROUTES = {
    "turns": ["turns/m"],
    "order": ["order/m"],
    "queue": ["queue/m"],
    "full": ["full/m", "spare/m"],
    "full-alone": ["lone/m"],
    "per-key": ["perkey/m"],
}
TABLES: dict[str, dict[str, object]] = {
    "turns": {"profiles": [{"id": "a", "key": "key-a"}, {"id": "b", "key": "key-b"}]},
    "order": {"profiles": [{"id": "a", "key": "key-a", "priority": 2}, {"id": "b", "key": "key-b", "priority": 1}]},
    "queue": {"concurrency": 2},
    "full": {"concurrency": 1, "queue_max": 1},
    "lone": {"concurrency": 1, "queue_max": 1},
    "perkey": {"profiles": [{"id": "a", "key": "key-a", "concurrency": 1}]},
}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    async with open_stage(tmp_path_factory.mktemp("turns"), ROUTES, tables=TABLES) as running:
        yield running


async def test_equal_profiles_take_turns(stage: Stage) -> None:
    """Two keys of equal priority get every other request."""
    for _ in range(6):
        assert 200 == (await stage.gateway.ask("turns")).status
    assert Counter({"key-a": 3, "key-b": 3}) == Counter(request.key for request in stage["turns"].requests)


async def test_the_lower_priority_number_is_asked_first(stage: Stage) -> None:
    """While the first key works the second is never used."""
    for _ in range(3):
        assert 200 == (await stage.gateway.ask("order")).status
    assert {"key-b"} == {request.key for request in stage["order"].requests}


@pytest.mark.parametrize(("route", "provider", "limit"), [("queue", "queue", 2), ("per-key", "perkey", 1)])
async def test_a_queue_keeps_to_the_limit(stage: Stage, route: str, provider: str, limit: int) -> None:
    """Six requests at once are all answered, with never more under way than the config allows."""
    stage[provider].script(s.reply("ok").after(s.Pause(0.1)))
    answers = await asyncio.gather(*(stage.gateway.ask(route) for _ in range(6)))
    assert ["ok"] * 6 == [answer.text for answer in answers]
    assert limit == most_at_once(stage[provider].requests)


async def test_a_full_queue_moves_on(stage: Stage) -> None:
    """When a provider's slots and its queue are full the next candidate answers at once."""
    stage["full"].script(s.reply("full").after(s.Pause(1.0)))
    stage["spare"].script(s.reply("spare"))
    answers = await asyncio.gather(*(stage.gateway.ask("full") for _ in range(6)))
    assert {200} == {answer.status for answer in answers}
    assert 1 == most_at_once(stage["full"].requests)
    assert sum(answer.text == "spare" for answer in answers) >= 4


async def test_a_full_queue_with_nobody_else_is_told(stage: Stage) -> None:
    """With nobody else the ones that found the queue full get an error at once, and those in it an answer."""
    stage["lone"].script(s.reply("ok").after(s.Pause(0.6)))
    answers = await asyncio.gather(*(stage.gateway.ask("full-alone") for _ in range(6)))
    served = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert (2, {503}) == (len(served), {answer.status for answer in refused})
    assert max(answer.total_s for answer in refused) < 3
