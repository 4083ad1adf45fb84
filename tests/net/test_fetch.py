"""One small GET, whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from everup.errors import Sent, TransportError, TransportKind
from everup.net.fetch import fetch
from everup.testing.clock import JumpLoop
from tests.net.servers import Do, RawServer, client_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return the loop whose clock jumps."""
    return "asyncio", {"loop_factory": JumpLoop}


async def test_a_whole_answer_comes_back() -> None:
    """Head and body are returned, and the connection is kept."""
    async with RawServer() as server, client_of() as client:
        head, body = await fetch(client, server.origin(), b"/v1/models", ((b"x", b"y"),), within_s=5.0, bytes_max=10)
        assert (200, b"hi", 1) == (head.status, body, client.view()["idle"])
        assert server.requests[0].startswith(b"GET /v1/models HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((Do.HOLD,), TransportKind.ABORTED),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", Do.HOLD), TransportKind.ABORTED),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhi", Do.HOLD), TransportKind.TOO_LARGE),
        ((Do.CLOSE,), TransportKind.RESET),
    ],
)
async def test_anything_less_is_an_error(answer: tuple[bytes | Do, ...], kind: TransportKind) -> None:
    """An answer that is late, too large or cut is an error, and its connection is closed."""
    async with RawServer(answer) as server, client_of() as client:
        with pytest.raises(TransportError) as caught:
            await fetch(client, server.origin(), b"/", (), within_s=5.0, bytes_max=10)
        assert (kind, Sent.ALL, 0) == (caught.value.kind, caught.value.sent, client.view()["idle"])
