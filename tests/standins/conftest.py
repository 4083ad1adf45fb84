"""What the tests over stand-ins share: one loop for each module."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Return the loop of a whole module."""
    return "asyncio"
