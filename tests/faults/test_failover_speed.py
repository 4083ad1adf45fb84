"""Bar L8 in small: what a dead first provider costs, and that it is asked once and then left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

REFUSALS = {
    "auth": s.error(401, None, "invalid_api_key", "no such key"),
    "credit": s.error(402, "billing_error", None, "Insufficient balance"),
    "limit": s.error(429, "rate_limit_error", None, "slow down", retry_after="60"),
    "crowd": s.error(529, "overloaded_error", None, "Overloaded"),
    "gone": s.error(404, None, "model_not_found", "The model `m` does not exist"),
    "blocked": s.body(403, b"<html>blocked</html>", "text/html"),
    "gateway": s.body(502, b"<html>bad gateway</html>", "text/html"),
    "page": s.body(200, b"<html>log in</html>", "text/html"),
}
ROUNDS = 6
ROUTES = {
    "calm": ["good/m"],
    **{f"{name}{n}": [f"{name}{n}/m", "good/m"] for name in REFUSALS for n in range(ROUNDS)},
}
ADDED_S_MAX = 0.5
"""Ten times the bar: a test machine does other things; the measured figure is printed."""


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    async with open_stage(tmp_path_factory.mktemp("speed"), ROUTES) as running:
        yield running


async def test_a_refusal_costs_little(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A definite refusal adds little time, and a provider that refused is not asked by the next requests."""
    calm = sorted([(await stage.gateway.ask("calm")).total_s for _ in range(30)])
    added = []
    for name, script in REFUSALS.items():
        for n in range(ROUNDS):
            stage[f"{name}{n}"].script(script)
            answer = await stage.gateway.ask(f"{name}{n}")
            assert (200, "good/m") == (answer.status, answer.headers["x-everup-model"])
            added.append(answer.total_s - calm[len(calm) // 2])
    added.sort()
    with capsys.disabled():
        print(  # noqa: T201
            f"\n  failover after a refusal adds {added[len(added) // 2] * 1000:.1f} ms (median), "
            f"{added[-1] * 1000:.1f} ms (most of {len(added)}); bar L8: 50 ms"
        )
    assert added[-1] < ADDED_S_MAX


@pytest.mark.parametrize("name", [name for name in REFUSALS if name != "gateway"])
async def test_a_dead_provider_is_left_alone(stage: Stage, name: str) -> None:
    """After one refusal the next requests do not ask again while another candidate is ready."""
    route = f"{name}0"
    stage[route].script(REFUSALS[name])
    before = len(stage[route].requests)
    answers = [await stage.gateway.ask(route) for _ in range(4)]
    assert {200} == {answer.status for answer in answers}
    assert len(stage[route].requests) - before <= 1
