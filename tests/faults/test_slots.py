"""No fault and no leaving client keeps a slot: with one slot in all, the next request is always served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from everup.testing.clock import until
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

LIMITS = {"cooldown_wait_s": 0, "upstream_body_bytes_max": 1_000_000, "queue_s": 4.0}
CUT = s.stream(s.ROLE, *s.texts("half"), s.Pause(0.05), s.Reset(), is_ended=False)
JSON_HEAD = s.head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})
FAULTS: dict[str, s.Script] = {
    "refusal": s.error(400, "invalid_request_error", None, "no"),
    "server error": s.error(500, "server_error", None, "no"),
    "reset": s.play(s.Reset()),
    "cut": CUT,
    "garbage": s.body(200, b"not json"),
    "bad bytes": s.raw(b"HTTP/1.1 2OO\r\n\r\n", s.Close()),
    "endless": s.play(s.Send(JSON_HEAD), s.Send(s.chunk(b" " * 65_536), times=0)),
    "silence": s.play(s.Silence()),
    "error event": s.stream(s.ROLE, b"data: " + s.error_json("server_error", None, "no") + b"\n\n"),
}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup whose provider has one slot for everybody."""
    routes = {"one": ["one/m"], "queue": ["queue/m"]}
    tables = {name: {"concurrency": 1, "queue_max": 10} for name in ("one", "queue")}
    async with open_stage(tmp_path_factory.mktemp("slots"), routes, limits=LIMITS, tables=tables) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_gives_its_slot_back(stage: Stage, fault: str, *, stream: bool) -> None:
    """After any failed request the provider's only slot is free for the next one."""
    stage["one"].script(FAULTS[fault])
    await stage.gateway.ask("one", stream=stream, headers={"x-everup-deadline-s": "1"})
    stage["one"].script(s.reply("free"))
    answer = await stage.gateway.ask("one", stream=stream)
    assert ("free", True) == (answer.text, answer.is_complete)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_gives_its_slot_back(stage: Stage, *, stream: bool) -> None:
    """When the client that holds the only slot leaves, the one in the queue is served."""
    stage["queue"].script(s.stream(s.ROLE, *s.texts("some"), s.Silence()), s.reply("next"))
    before = len(stage["queue"].requests)
    async with stage.gateway.talk() as talk:
        await stage.gateway.begin(talk, "queue", stream=stream)
        await until(lambda: len(stage["queue"].requests) == before + 1)
        waiting = asyncio.create_task(stage.gateway.ask("queue"))
        await asyncio.sleep(0.1)
        talk.leave()
        assert "next" == (await waiting).text


async def test_a_client_that_leaves_the_queue_takes_no_slot(stage: Stage) -> None:
    """Clients that leave while they wait for a slot are forgotten: nobody is asked for them."""
    stage["queue"].script(s.reply("first").after(s.Pause(0.6)), s.reply("last"))
    before = len(stage["queue"].requests)
    first = asyncio.create_task(stage.gateway.ask("queue"))
    await until(lambda: len(stage["queue"].requests) == before + 1)
    for _ in range(4):
        async with stage.gateway.talk() as talk:
            await stage.gateway.begin(talk, "queue")
            await asyncio.sleep(0.05)
            talk.leave()
    last = await stage.gateway.ask("queue")
    assert ["first", "last"] == [(await first).text, last.text]
    assert before + 2 == len(stage["queue"].requests)


async def test_one_connection_serves_many_requests(stage: Stage) -> None:
    """Thirty requests one after the other on a client's connection are answered, failures among them."""
    good, bad = s.reply("good"), s.error(400, "invalid_request_error", None, "no")
    stage["one"].script(*[bad if n % 3 == 1 else good for n in range(30)])
    statuses = []
    async with stage.gateway.talk() as talk:
        for n in range(30):
            await stage.gateway.begin(talk, "one", stream=n % 2 == 0)
            statuses.append(await talk.read_head())
            await talk.read_rest()
            assert talk.is_complete
    assert [400 if n % 3 == 1 else 200 for n in range(30)] == statuses
