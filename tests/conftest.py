"""
What every test may use, and the order they run in.

Lives here: the event loop, the folder of recorded traffic, fast tests before long ones.
Must not: fixtures of one room (they stand in that room's conftest), or fakes (everup.testing has them).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONG_S_MAX = 300


@pytest.fixture
def anyio_backend() -> str:
    """Return the loop that async tests run on; a module overrides it to get the clock-jumping one."""
    return "asyncio"


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the clone."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded traffic and fault samples beside the clone, or skip by name."""
    folder = Path(os.environ.get("EVERUP_TEST_SHARED", ROOT.parent / "shared"))
    if not (folder / "traffic").is_dir():
        pytest.skip("no recorded traffic: neither ../shared/traffic nor $EVERUP_TEST_SHARED/traffic exists")
    return folder


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come last (after pytest-randomly has shuffled) and get their own time limit."""
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_S_MAX))
    items.sort(key=lambda item: item.get_closest_marker("long") is not None)
