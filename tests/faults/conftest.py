"""What the fault tests share: one loop and one everup process for each module."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Return the loop of a whole module: its providers and its everup live as long as it does."""
    return "asyncio"
