"""One small request, whole or not at all; and many of them."""

from __future__ import annotations

from typing import Any

import pytest

from everup.errors import Sent, TransportError, TransportKind
from everup.net.fetch import fetch, fetch_each
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


async def test_a_body_makes_it_a_post() -> None:
    """With a body to send the request is a POST that carries it."""
    async with RawServer() as server, client_of() as client:
        await fetch(client, server.origin(), b"/x", (), within_s=5.0, bytes_max=10, body=b"abc")
        assert server.requests[0].startswith(b"POST /x HTTP/1.1\r\n")
        assert server.requests[0].endswith(b"\r\n\r\nabc")


async def test_many_are_answered_each_for_itself() -> None:
    """Each answer stands where its question does, and whatever is no 200 is None."""
    answers = (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")
    async with RawServer(*answers, (Do.CLOSE,), answers[0]) as server, client_of() as client:
        bodies = [b"1", b"2", b"3", b"4"]
        got = await fetch_each(client, server.origin(), b"/", (), bodies, at_once_max=1, within_s=5.0, bytes_max=10)
        assert [b"a", None, None, b"a"] == got
        assert bodies == [request[-1:] for request in server.requests]


async def test_many_are_bounded_together() -> None:
    """So many are asked at once, and what has not begun when the time is over is not asked at all."""
    async with RawServer((Do.HOLD,)) as server, client_of() as client:
        got = await fetch_each(client, server.origin(), b"/", (), [b"x"] * 5, at_once_max=2, within_s=5.0, bytes_max=10)
        assert ([None] * 5, 2) == (got, len(server.requests))
