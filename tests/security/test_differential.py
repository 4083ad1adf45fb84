"""
The same bytes to everup and to nginx: FAULTS section 6, S12.

everup may refuse what nginx takes, but it never takes what nginx refuses and never sees other requests than nginx.
Both hand what they understood to a recorder. Skipped by name without nginx.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from everup.observe.log import Log
from everup.observe.metrics import Metrics
from everup.serve import Server, open_sockets
from everup.shapes.limits import Limits
from everup.shapes.snapshot import ServerSettings
from everup.surfaces.connections import Connections
from everup.surfaces.turn import Turn
from everup.testing.client import conversation
from everup.testing.provider import closed_port
from tests.security.test_bytes import POST as KEYED_POST
from tests.security.test_bytes import SMUGGLING as WITH_BODIES
from tests.surfaces.test_protocol import SMUGGLING as ODD

NGINX = shutil.which("nginx") or ""
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not NGINX, reason="no nginx on this machine (Debian package nginx-light)"),
]

CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit; {user}
events {{ worker_connections 2000; }}
http {{
  access_log off; client_header_timeout 3s; client_body_timeout 3s; keepalive_timeout 2s; lingering_close off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_set_header x-port $remote_port; }}
  }}
}}
"""
LIMITS = Limits(head_s=3.0, body_quiet_s=3.0, keep_alive_idle_s=2.0)
AT_ONCE = 100
START_S = 10.0
END_S = 10.0
ENDED = (b"HTTP/1.1 400 ", b"HTTP/1.1 408 ", b"HTTP/1.1 431 ", b"\r\nconnection: close\r\n")
"""How everup tells that it reads no further on a connection."""

HEAD = b"POST /first?a=b HTTP/1.1\r\nHost: localhost\r\n"
NEXT = b"GET /second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CODINGS = (
    b"",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding:CHUNKED\r\n",
    b"Transfer-Encoding:\tchunked\t\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding\t: chunked\r\n",
    b" Transfer-Encoding: chunked\r\n",
    b"X: a\r\n Transfer-Encoding: chunked\r\n",
    b"X: a\nTransfer-Encoding: chunked\r\n",
    b"X: a\rTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding: chunked\x00\r\n",
    b'Transfer-Encoding: "chunked"\r\n',
    b"Transfer-Encoding: chunked;a=b\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: identity, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding:\r\n",
    b"Transfer_Encoding: chunked\r\n",
)
LENGTHS = (
    b"",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"content-length:  5 \r\n",
    b"Content-Length: 005\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length: 5.0\r\n",
    b"Content-Length: 5 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 0\r\n",
    b"Content-Length : 5\r\n",
    b"Content-Length: 18446744073709551621\r\n",
    b"Content-Length:\r\n",
    b"Content_Length: 5\r\n",
)
BODIES = (b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"")
CHUNKS = (
    b"05\r\nhello\r\n0\r\n\r\n",
    b"5;a=b\r\nhello\r\n0;c\r\n\r\n",
    b'5;a="b\r\nhello"\r\n0\r\n\r\n',
    b"5;a=b\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"\r\n5\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\rhello\r0\r\r",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n",
    b"5\r\nhello\r\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"6\r\nhello\r\n0\r\n\r\n",
    b"4\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n00000\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    b"5\r\nhello\r\n0\r\n X: y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: y\n\r\n",
    b"5\r\nhello\r\n0\r\n\n",
    b"5\r\nhello\r\n0\n\r\n",
    b"5\r\nhello\r\n0\r\n",
    b"5\r\nhello\r\n\r\n",
    b"\r\n",
)
LAWFUL = (
    NEXT,
    b"\r\n\r\n" + NEXT,
    NEXT + NEXT,
    b"GET /first HTTP/1.0\r\nHost: localhost\r\n\r\n" + NEXT,
    b"GET /first HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n" + NEXT,
    b"GET http://localhost/first?x HTTP/1.1\r\nHost: localhost\r\n\r\n" + NEXT,
    b"GET /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello" + NEXT,
    b"GET /first HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n" + NEXT,
    b"HEAD /first HTTP/1.1\r\nHost: localhost\r\n\r\n" + NEXT,
    HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" + NEXT,
    HEAD + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + NEXT,
)
# RFC 9110 section 5.6.3 counts a tab as a blank and section 9.3.7 has the target *; nginx refuses both.
LAWFUL_BEYOND_NGINX = (
    (HEAD + b"Content-Length:\t5\t\r\n\r\nhello" + NEXT, [("POST", "/first?a=b", b"hello"), ("GET", "/second", b"")]),
    (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n" + NEXT, [("OPTIONS", "*", b""), ("GET", "/second", b"")]),
)

Seen = list[tuple[str, str, bytes]]


class Recorder:
    """The requests that one server understood, by the client's port."""

    def __init__(self) -> None:
        self.seen: defaultdict[int, Seen] = defaultdict(list)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Take what everup understood, as an ASGI application; a body that did not come whole counts as nothing."""
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = scope["query_string"]
        target = (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        self.seen[scope["client"][1]].append((scope["method"], target, body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def take(self, turn: Turn) -> Coroutine[Any, Any, None]:
        """Return the taking of one request of our own server, which has no ASGI of its own."""
        return turn.run_asgi(self)  # type: ignore[arg-type]  # uvicorn's types are narrower than ASGI's

    async def upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what nginx understood, as the server behind it."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = line.split(" ")
            self.seen[int(headers["x-port"])].append((method, target, body))
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        writer.close()


@asynccontextmanager
async def everup(recorder: Recorder) -> AsyncIterator[int]:
    """Yield the port of everup's server with the recorder for an application."""
    settings, log = ServerSettings(port=0), Log(None, LIMITS)
    sockets = open_sockets(settings)
    server = Server(settings, LIMITS, log, sockets, None)
    connections = Connections(LIMITS, server.state, asyncio.get_running_loop(), Metrics())
    connections.start()
    application: Any = recorder
    listeners = await server.listen(application, connections)
    try:
        yield server.port()
    finally:
        for listener in listeners:
            listener.close()
        for connection in list(server.state.connections):
            connection.transport.abort()
        await connections.wait_empty(1.0)
        connections.stop()
        log.close()


@asynccontextmanager
async def nginx(recorder: Recorder, folder: Path) -> AsyncIterator[int]:
    """Yield the port of an nginx with the recorder behind it."""
    async with await asyncio.start_server(recorder.upstream, "127.0.0.1", 0) as behind:
        port, upstream = closed_port(), behind.sockets[0].getsockname()[1]
        user = "user root;" if os.geteuid() == 0 else ""
        file = folder / "nginx.conf"
        file.write_text(CONFIG.format(folder=folder, port=port, upstream=upstream, user=user), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(NGINX, "-e", "stderr", "-p", str(folder), "-c", str(file))
        try:
            async with asyncio.timeout(START_S):
                while not is_open(port):
                    await asyncio.sleep(0.02)
            yield port
        finally:
            process.terminate()
            await process.wait()


def is_open(port: int) -> bool:
    """Return whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def say(port: int, data: bytes, gate: asyncio.Semaphore, recorder: Recorder) -> tuple[Seen, bytes]:
    """
    Return what was understood of the data, and everything that was answered until the end.

    It is taken out of the recorder before the port it was said from is given back: the system may hand that port to
    the next case, of which there are thousands.
    """
    async with gate, conversation(port) as talk:
        own: int = talk.writer.get_extra_info("sockname")[1]
        talk.writer.write(data)
        async with asyncio.timeout(END_S):
            try:
                answer = await talk.reader.read()
            except ConnectionError:
                answer = b""
        return recorder.seen.pop(own, []), answer


async def compare(cases: Iterable[bytes], folder: Path) -> tuple[list[str], list[Seen]]:
    """Return where everup understood what nginx did not, and what everup understood of each case."""
    ours, theirs, gate = Recorder(), Recorder(), asyncio.Semaphore(AT_ONCE)
    listed = list(cases)
    async with everup(ours) as port, nginx(theirs, folder) as nginx_port:
        said = await asyncio.gather(*(say(port, each, gate, ours) for each in listed))
        said_nginx = await asyncio.gather(*(say(nginx_port, each, gate, theirs) for each in listed))
    wrong, understood = [], []
    for case, (seen, answer), (wanted, _) in zip(listed, said, said_nginx, strict=True):
        is_stricter = seen == wanted[: len(seen)] and any(end in answer for end in ENDED)
        if seen != wanted and not is_stricter:
            wrong.append(f"{case!r}\n  everup {seen}\n  nginx  {wanted}\n  answer {answer[:60]!r}")
        understood.append(seen)
    return wrong, understood


async def test_s12_the_corpora_are_read_no_wider_than_nginx_does(tmp_path: Path) -> None:
    """Of every hostile request of the other tests everup understands what nginx does, or less (S12)."""
    cases = [KEYED_POST + each for each in WITH_BODIES.values()] + list(ODD.values())
    wrong, _ = await compare(cases, tmp_path)
    assert not wrong, "\n".join(wrong)


async def test_s12_lawful_requests_are_read_as_nginx_does(tmp_path: Path) -> None:
    """Lawful oddities are the same requests to both, and everup refuses none of them (S12)."""
    wrong, understood = await compare(LAWFUL, tmp_path)
    assert not wrong, "\n".join(wrong)
    assert [] == [case for case, seen in zip(LAWFUL, understood, strict=True) if not seen]


async def test_s12_the_standard_decides_where_nginx_is_the_stricter(tmp_path: Path) -> None:
    """The two lawful things that nginx refuses are read as the standard has them (S12)."""
    _, understood = await compare([case for case, _ in LAWFUL_BEYOND_NGINX], tmp_path)
    assert [seen for _, seen in LAWFUL_BEYOND_NGINX] == understood


@pytest.mark.long
async def test_s12_every_framing_is_read_no_wider_than_nginx_does(tmp_path: Path) -> None:
    """Every coding with every length and body, every odd chunk: the same requests, or refused (S12, CVE-2025-43859)."""
    cases = [
        HEAD + fields + b"\r\n" + body + NEXT
        for coding in CODINGS
        for length in LENGTHS
        for body in BODIES
        for fields in dict.fromkeys((coding + length, length + coding))
    ]
    cases += [HEAD + CODINGS[1] + b"\r\n" + chunks + NEXT for chunks in CHUNKS]
    wrong, understood = await compare(cases, tmp_path)
    assert not wrong, "\n".join(wrong)
    assert any(len(seen) == 2 for seen in understood)
