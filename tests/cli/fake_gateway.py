"""
A gateway that says what a test wants, over a real socket, with the standard library's server.

Must not: anything of everup, so that both can be wrong independently. Used by tests with `with fake(...) as it`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Said(NamedTuple):
    """One scripted answer: status, content type, body; `is_cut` announces more than it sends."""

    status: int
    body: bytes
    content_type: str = "application/json"
    is_cut: bool = False
    headers: Mapping[str, str] = {}


class Fake:
    """The answers by path, and the requests that came."""

    def __init__(self, answers: Mapping[str, Said]) -> None:
        self.answers = answers
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"


def as_json(value: object, status: int = 200, **headers: str) -> Said:
    """Return an answer in JSON; `x_everup_model` becomes the header `x-everup-model`."""
    return Said(status, json.dumps(value).encode(), headers=dashed(headers))


def as_events(*data: str, is_cut: bool = False, **headers: str) -> Said:
    """Return an event stream."""
    body = "".join(f"data: {each}\n\n" for each in data).encode()
    return Said(200, body, "text/event-stream; charset=utf-8", is_cut, dashed(headers))


def delta(text: str) -> str:
    """Return one event of a chat stream."""
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})


def dashed(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers under their real names."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def fake(answers: Mapping[str, Said]) -> Iterator[Fake]:
    """Give a gateway that listens."""
    it = Fake(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the server's own name
            size = int(self.headers.get("content-length", "0"))
            sent = json.loads(self.rfile.read(size)) if size else None
            it.requests.append((self.command, self.path, dict(self.headers.items()), sent))
            said = it.answers.get(self.path, Said(404, b'{"error": {"message": "no such path"}}'))
            self.send_response(said.status)
            self.send_header("content-type", said.content_type)
            self.send_header("content-length", str(len(said.body) + (10 if said.is_cut else 0)))
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)
            self.close_connection = True

        do_POST = do_GET  # noqa: N815  # the server's own name

        def log_message(self, *_: object) -> None:
            """A test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    it.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield it
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
