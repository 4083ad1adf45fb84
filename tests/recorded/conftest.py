"""What the tests over recorded traffic share: one loop and one everup process for each module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.recorded.stage import Stage, open_stage


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Return the loop of a whole module."""
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup with a replaying provider."""
    async with open_stage(tmp_path_factory.mktemp("recorded")) as running:
        yield running
