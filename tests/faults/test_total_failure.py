"""Row 58 and ruling 5: when nothing answers, one honest error."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
MANY = [f"many{n:02}" for n in range(12)]
ROUTES = {
    "limited": ["lim1/m", "lim2/m"],
    "limited-stream": ["lim3/m", "lim4/m"],
    "mixed": ["mix1/m", "mix2/m", "mix3/m"],
    "mixed-stream": ["mix4/m", "mix5/m", "mix6/m"],
    "many": [f"{name}/m" for name in MANY],
    "fussy": ["fussy1/m", "fussy2/m"],
    "named": ["named/m"],
    "silent": ["silent/m"],
    "later": ["later/m"],
    "toolless": ["plain/m"],
    "tools": ["plain/m", "able/m"],
}
TABLES: dict[str, dict[str, object]] = {"plain": {"tools": False}}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    async with open_stage(tmp_path_factory.mktemp("total"), ROUTES, tables=TABLES) as running:
        yield running


@pytest.mark.parametrize(("route", "one", "two"), [("limited", "lim1", "lim2"), ("limited-stream", "lim3", "lim4")])
async def test_all_rate_limits_are_a_429(stage: Stage, route: str, one: str, two: str) -> None:
    """When every candidate is rate-limited the client gets 429 with the smallest Retry-After."""
    stage[one].script(s.error(429, "rate_limit_error", None, "slow down", retry_after="40"))
    stage[two].script(s.error(429, "rate_limit_error", None, "slow down", retry_after="25"))
    answer = await stage.gateway.ask(route, stream=route.endswith("stream"), headers={"x-everup-deadline-s": "20"})
    assert (429, [1, 1]) == (answer.status, stage.counts(one, two))
    assert 24 <= float(answer.headers["retry-after"]) <= 25
    assert {f"{one}/m", f"{two}/m"} <= set(answer.error["message"].replace(":", " ").split())


@pytest.mark.parametrize(("route", "first"), [("mixed", 1), ("mixed-stream", 4)])
async def test_a_mixture_is_a_503(stage: Stage, route: str, first: int) -> None:
    """A limit, a bad key and an overload together are 503, never the upstream's 401."""
    names = [f"mix{n}" for n in range(first, first + 3)]
    stage[names[0]].script(s.error(429, "rate_limit_error", None, "slow down", retry_after="40"))
    stage[names[1]].script(s.error(401, None, "invalid_api_key", "no such key"))
    stage[names[2]].script(s.error(529, "overloaded_error", None, "Overloaded"))
    answer = await stage.gateway.ask(route, stream=route.endswith("stream"))
    assert (503, [1, 1, 1]) == (answer.status, stage.counts(*names))
    assert [] == [name for name in names if f"{name}/m" not in answer.error["message"]]
    assert not answer.is_stream


async def test_twelve_candidates_fit_in_two_kib(stage: Stage) -> None:
    """An error names each of twelve candidates in at most 2 KiB, however much each of them had to say."""
    for name in MANY:
        stage[name].script(s.error(502, "x" * 200, None, "the dog ate it " * 40))
    answer = await stage.gateway.ask("many")
    assert 503 == answer.status
    assert len(answer.body) <= 2048
    assert len(answer.trail) <= 1024
    assert [] == [name for name in MANY if f"{name}/m" not in answer.error["message"]]
    assert [1] * 12 == stage.counts(*MANY)


async def test_the_first_refusal_is_told(stage: Stage) -> None:
    """When all refuse a parameter the client reads the first provider's words, with its 400."""
    stage["fussy1"].script(s.error(400, None, "unsupported_parameter", "Unsupported parameter: 'alpha'"))
    stage["fussy2"].script(s.error(400, None, "unsupported_parameter", "Unsupported parameter: 'beta'"))
    answer = await stage.gateway.ask("fussy")
    assert 400 == answer.status
    assert "alpha" in answer.error["message"]


async def test_a_missing_model_asked_for_by_name_is_a_404(stage: Stage) -> None:
    """Only a model asked for by its own name may be a 404."""
    stage["named"].script(s.error(404, "invalid_request_error", "model_not_found", "The model `x` does not exist"))
    answer = await stage.gateway.ask("named/x")
    assert (404, 1) == (answer.status, len(stage["named"].requests))


@pytest.mark.parametrize("header", ["x-everup-deadline-s", "x-stainless-read-timeout"])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_deadline_is_a_504(stage: Stage, header: str, *, stream: bool) -> None:
    """A client's own deadline ends the request with 504, in about that time."""
    stage["silent"].script(s.play(s.Silence()))
    answer = await stage.gateway.ask("silent", stream=stream, headers={header: "0.7"})
    assert 504 == answer.status
    assert "false" == answer.headers["x-should-retry"]
    assert 0.6 <= answer.total_s <= 5


async def test_a_limit_beyond_the_deadline_is_answered_unsent(stage: Stage) -> None:
    """A provider's own Retry-After beyond the deadline is answered 429 without asking again, and says when."""
    stage["later"].script(s.error(429, "rate_limit_error", None, "slow down", retry_after="50"))
    first = await stage.gateway.ask("later", headers={"x-everup-deadline-s": "5"})
    second = await stage.gateway.ask("later", headers={"x-everup-deadline-s": "5"})
    assert [429, 429] == [first.status, second.status]
    assert ["false", "true"] == [first.headers["x-should-retry"], second.headers["x-should-retry"]]
    assert 40 <= float(second.headers["retry-after"]) <= 50
    assert 1 == len(stage["later"].requests)
    assert second.total_s < 2


async def test_a_missing_capability_is_named(stage: Stage) -> None:
    """A request with tools asks nobody who has none; with nothing else left the error says what is missing."""
    answer = await stage.gateway.ask("toolless", tools=TOOLS)
    assert 503 == answer.status
    assert "plain/m" in answer.error["message"]
    assert "no tools" in answer.error["message"]
    assert [0] == stage.counts("plain")


async def test_a_candidate_without_the_capability_is_skipped_by_name(stage: Stage) -> None:
    """The next capable candidate answers, and the trail says who was left out and why."""
    answer = await stage.gateway.ask("tools", tools=TOOLS)
    assert (200, "able/m") == (answer.status, answer.headers["x-everup-model"])
    assert "plain/m" in answer.trail
    assert "no tools" in answer.trail
    assert [0] == stage.counts("plain")


async def test_an_unknown_model_is_a_404_with_neighbours(stage: Stage) -> None:
    """A name nobody knows is 404 with the nearest names, and nobody is asked."""
    answer = await stage.gateway.ask("limitet")
    assert 404 == answer.status
    assert "limited" in answer.error["message"]
