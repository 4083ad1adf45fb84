"""The API tests run both ways: as our own server calls the application, and as any ASGI server does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from everup.surfaces.table import Application
from tests.surfaces.scene import House, Plain

BOTH_WAYS = {"test_table", "test_streams", "test_protocol"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of these modules on each way of calling the application."""
    if metafunc.module.__name__.rpartition(".")[2] in BOTH_WAYS:
        metafunc.fixturenames.append("way")
        metafunc.parametrize("way", [Application, Plain], ids=["direct", "asgi"], indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Yield while every gateway of a test is called one way."""
    House.made_of = request.param
    yield
    House.made_of = Application
