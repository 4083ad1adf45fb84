"""A thousand guesses at the key: FAULTS section 6, S7. A module of its own: it uses up everybody's guesses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from everup.testing.client import Answer, exchange
from everup.testing.gateway import KEY
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup that allows a hundred wrong keys a minute."""
    limits = {"key_guesses_per_minute_max": 100}
    async with open_stage(tmp_path_factory.mktemp("guesses"), {"default": ["p/m"]}, limits=limits) as running:
        yield running


async def guess(stage: Stage, key: str, more: dict[str, str]) -> Answer:
    """Return what a key is answered."""
    return await exchange(stage.gateway.port, "GET", "/v1/models", {"authorization": f"Bearer {key}", **more})


async def test_guesses_are_limited_and_the_right_key_never(stage: Stage) -> None:
    """A thousand wrong keys are soon 429, and the right key is let in among them every time (S7)."""
    statuses = []
    for n in range(40):
        forged = {"x-forwarded-for": f"10.0.0.{n}", "forwarded": f"for=10.0.0.{n}", "x-real-ip": f"10.0.0.{n}"}
        wrong = [guess(stage, f"eu-guess-{n}-{m}", forged) for m in range(25)]
        *answers, right = await asyncio.gather(*wrong, guess(stage, KEY, {}))
        statuses += [answer.status for answer in answers]
        assert 200 == right.status
    assert {401, 429} == set(statuses)
    assert statuses.count(401) <= 100
    assert {429} == set(statuses[-200:])
