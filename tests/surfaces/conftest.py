"""The API tests run both ways: as our own server calls the application, and as any ASGI server does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from everup.surfaces.table import Application
from tests.surfaces.scene import House, Plain


@pytest.fixture(params=[Application, Plain], ids=["direct", "asgi"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Yield while every gateway of a test is called one way."""
    House.made_of = request.param
    yield
    House.made_of = Application
