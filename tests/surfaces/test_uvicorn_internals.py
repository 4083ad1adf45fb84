"""
The insides of uvicorn that `surfaces.protocol` and `serve` lean on.

A failure here means that uvicorn changed: read its new source before widening the pin in pyproject.toml.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from everup.surfaces.protocol import Bounded

PROTOCOL_FIELDS = [
    "client",
    "connections",
    "cycle",
    "expect_100_continue",
    "flow",
    "headers",
    "loop",
    "parser",
    "pipeline",
    "scope",
    "server_state",
    "tasks",
    "transport",
    "url",
]
CYCLE_FIELDS = [
    "disconnected",
    "keep_alive",
    "message_event",
    "more_body",
    "response_complete",
    "response_started",
    "scope",
    "on_response",
]
OVERRIDDEN = {
    "connection_made": ["transport"],
    "connection_lost": ["exc"],
    "eof_received": [],
    "data_received": ["data"],
    "send_400_response": ["msg"],
    "on_message_begin": [],
    "on_header": ["name", "value"],
    "on_headers_complete": [],
    "on_body": ["body"],
    "on_message_complete": [],
    "_start_asgi_task": ["cycle", "app"],
    "on_response_complete": [],
    "shutdown": [],
    "pause_writing": [],
    "resume_writing": [],
}


def test_the_version_is_the_one_read() -> None:
    """The installed uvicorn is of the minor version whose source was read."""
    assert "0.54" == ".".join(version("uvicorn").split(".")[:2])


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_we_override_is_there(name: str) -> None:
    """Each method we override exists upstream with the parameters we know."""
    theirs = list(inspect.signature(getattr(HttpToolsProtocol, name)).parameters)[1:]
    assert OVERRIDDEN[name] == theirs
    assert name in vars(Bounded)


def test_the_fields_we_use_are_there() -> None:
    """Every attribute of protocol and cycle that we read or write is set by uvicorn's own constructors."""
    protocol = inspect.getsource(HttpToolsProtocol)
    cycle = inspect.getsource(RequestResponseCycle.__init__)
    assert [] == [name for name in PROTOCOL_FIELDS if f"self.{name}" not in protocol]
    assert [] == [name for name in CYCLE_FIELDS if f"self.{name} =" not in cycle]
    assert {"connections", "tasks", "total_requests", "default_headers"} <= vars(ServerState()).keys()


def test_nothing_else_was_overridden() -> None:
    """Callbacks of the parser that uvicorn adds later are noticed."""
    theirs = {name for name in vars(HttpToolsProtocol) if name.startswith("on_")}
    assert theirs == {name for name in OVERRIDDEN if name.startswith("on_")} | {"on_url"}


def test_the_keep_alive_timer_is_started_only_where_we_replaced_it() -> None:
    """The timer of an idle connection is started in the one method that we replace."""
    source = inspect.getsource(httptools_impl)
    assert 1 == source.count("call_later(")
    assert "call_later(" in inspect.getsource(HttpToolsProtocol.on_response_complete)
