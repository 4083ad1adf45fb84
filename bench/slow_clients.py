"""
Clients that hardly move: a head, a body or a reader that goes on by a byte a second.

Lives here: the slow crowd of L11, in a thread of the bench. Must not: judge. Called by load_bars.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from contenders import Server

STEP_S = 1.0
PARTS = 50
DIALS_PER_PART = 10
"""At most 500 connections a second: the bar is about holding them, not about a storm."""
SETTLE_S = 2.0
READER_CHUNKS = 400
RECEIVE_BUFFER_BYTES = 4096
"""So small that what a reader leaves unread stays with the server."""


@dataclass(slots=True)
class SlowClient:
    """One slow client: what it still has to send, at a byte a step, after the part it sends at once."""

    at_once: bytes
    slowly: bytes
    link: socket.socket | None = None
    sent: int = 0

    def dial(self, port: int) -> None:
        """Nothing; the connection is open and its first part sent, or it stays closed until the next step."""
        self.sent = 0
        try:
            self.link = socket.socket()
            self.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            self.link.settimeout(1)
            self.link.connect(("127.0.0.1", port))
            self.link.settimeout(0)
            self.link.send(self.at_once)
        except OSError:
            self.drop()

    def drop(self) -> None:
        """Nothing; the connection is closed."""
        if self.link is not None:
            self.link.close()
        self.link = None

    def step(self) -> None:
        """Nothing; one more byte is on its way, or the connection was found closed."""
        if self.link is None:
            return
        try:
            if self.sent < len(self.slowly):
                self.link.send(self.slowly[self.sent : self.sent + 1])
                self.sent += 1
            if self.link.recv(1) == b"":
                self.drop()
        except BlockingIOError:
            return
        except OSError:
            self.drop()


@dataclass
class SlowCrowd:
    """All slow clients of one server, moved by one thread."""

    port: int
    clients: list[SlowClient]
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Nothing until it is over: a step a second for each; whoever was thrown out comes back, as attackers do."""
        parts = [self.clients[first::PARTS] for first in range(PARTS)]
        while not self.is_over.is_set():
            for part in parts:
                began_s = time.monotonic()
                absent = [client for client in part if client.link is None]
                for client in absent[:DIALS_PER_PART]:
                    client.dial(self.port)
                for client in part:
                    client.step()
                self.is_over.wait(max(0.0, STEP_S / PARTS - (time.monotonic() - began_s)))

    def open_count(self) -> int:
        """Return how many connections are held right now."""
        return sum(client.link is not None for client in self.clients)


def kinds(server: Server) -> tuple[SlowClient, ...]:
    """Return one of each kind: its head never ends, its body never ends, it never reads on."""
    json, stream = server.request(), server.request(stream=True, chunks=READER_CHUNKS)
    body_at = json.index(b"\r\n\r\n") + 4
    return (
        SlowClient(at_once=json[:40], slowly=json[40:]),
        SlowClient(at_once=json[: body_at + 10], slowly=json[body_at + 10 :]),
        SlowClient(at_once=stream, slowly=b""),
    )


@contextmanager
def slow_clients(server: Server, count: int) -> Iterator[SlowCrowd]:
    """Yield the crowd once it stands, a third of each kind; afterwards all of it is gone."""
    rows = kinds(server)
    clients = [
        SlowClient(at_once=row.at_once, slowly=row.slowly) for row in (rows[n % len(rows)] for n in range(count))
    ]
    crowd = SlowCrowd(port=server.port, clients=clients)
    thread = threading.Thread(target=crowd.run, name="slow-clients")
    thread.start()
    time.sleep(count * STEP_S / (PARTS * DIALS_PER_PART) + SETTLE_S)
    try:
        yield crowd
    finally:
        crowd.is_over.set()
        thread.join()
        for client in clients:
            client.drop()
