"""
The insides of uvicorn that `surfaces.turn` and `serve` lean on.

A failure here means that uvicorn changed: read its new source before widening the pin in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from importlib.metadata import version

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from everup.observe.metrics import Metrics
from everup.shapes.limits import Limits
from everup.surfaces.connections import Connections
from everup.surfaces.protocol import Bounded
from everup.surfaces.turn import Turn

pytestmark = pytest.mark.anyio

METHODS = {"run_asgi": ["app"], "send": ["message"], "receive": [], "send_500_response": []}


class Nowhere(asyncio.Transport):
    """A transport that leads nowhere."""


def test_the_version_is_the_one_read() -> None:
    """The installed uvicorn is of the minor version whose source was read."""
    assert "0.54" == ".".join(version("uvicorn").split(".")[:2])


@pytest.mark.parametrize("name", METHODS)
def test_what_we_inherit_is_there(name: str) -> None:
    """Each method of the cycle that serves ASGI applications is there, with the parameters we know, and is not ours."""
    assert METHODS[name] == list(inspect.signature(getattr(RequestResponseCycle, name)).parameters)[1:]
    assert name not in vars(Turn)


async def test_a_turn_has_all_that_a_cycle_uses() -> None:
    """Every attribute that the inherited methods read is there, although the parent's constructor was not called."""
    loop = asyncio.get_running_loop()
    state = ServerState()
    door = Connections(Limits(), state, loop, Metrics())
    connection = Bounded(door, state, loop, lambda turn: turn.run_asgi(turn.scope["app"]))
    connection.connection_made(Nowhere())
    turn = Turn(connection, "GET", b"/a%20b?c", [(b"host", b"x")], keep_alive=True, expects=False)
    used = set(re.findall(r"self\.(\w+)", inspect.getsource(RequestResponseCycle)))
    assert {"message_event", "flow", "body"} <= used
    assert ["access_logger"] == sorted(name for name in used if not hasattr(turn, name))  # used with `access_log` only
    assert not turn.access_log
    assert ("/a b", b"/a%20b", b"c") == tuple(turn.scope[name] for name in ("path", "raw_path", "query_string"))


def test_what_else_we_use_is_there() -> None:
    """The parts of uvicorn that are used as they are have what we use of them."""
    assert {"connections", "tasks", "total_requests", "default_headers"} <= vars(ServerState()).keys()
    assert {"drain", "pause_reading", "resume_reading", "pause_writing", "resume_writing"} <= vars(FlowControl).keys()
    assert b"HTTP/1.1 200 OK\r\n" == STATUS_LINE[200]
    assert HEADER_VALUE_RE.search(b"a\nb")
    assert not HEADER_VALUE_RE.search(b"a b")
