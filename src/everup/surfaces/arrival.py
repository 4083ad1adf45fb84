"""
A request on the client's side: what came, and whether its client is there.

What must not live here: answering (see `reply`) and the meaning of a body (see `wires`). Made by `table` for
each request, handed to one endpoint.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from everup.errors import EverupError, RequestError

if TYPE_CHECKING:
    from everup.shapes.failure import Failure
    from everup.shapes.snapshot import Client, Snapshot
    from everup.surfaces.turn import Turn

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DEADLINE_HEADERS = (b"x-everup-deadline-s", b"x-stainless-read-timeout")
HEADER_NUMBER_MAX = 32


class ClientLeft(EverupError):
    """The client is gone: nothing more to answer, nothing to log."""


async def nothing() -> Message:
    """Return that the client is gone: there is none."""
    return {"type": "http.disconnect"}


async def nowhere(_message: Message) -> None:
    """Send to nobody."""


class Call:
    """One request in the house; `client` is set once its key was found valid."""

    __slots__ = (
        "began_mono_s",
        "client",
        "cors",
        "ending",
        "endpoint",
        "headers",
        "is_gone",
        "listed",
        "method",
        "path",
        "peer",
        "receive",
        "request_id",
        "route",
        "send",
        "snapshot",
        "status",
        "task",
        "turn",
        "watcher",
    )

    def __init__(
        self,
        method: str,
        path: bytes,
        listed: list[tuple[bytes, bytes]],
        peer: str,
        *,
        request_id: str,
        snapshot: Snapshot,
        began_mono_s: float,
        turn: Turn | None = None,
        receive: Receive = nothing,
        send: Send = nowhere,
    ) -> None:
        """
        `listed` are the headers as they came.

        Either `turn` is where the request came from and the answer goes, or ASGI's `receive` and `send` are.
        """
        self.method = method
        self.path = path
        self.listed = listed
        self.headers: dict[bytes, bytes] = dict(listed)
        self.peer = peer
        """The client's address, "" where it has none."""
        self.request_id = request_id
        self.snapshot = snapshot
        self.began_mono_s = began_mono_s
        self.turn = turn
        self.receive = receive
        self.send = send
        self.endpoint = "none"
        self.route = ""
        self.status = 0
        self.cors: tuple[tuple[bytes, bytes], ...] = ()
        self.client: Client | None = None
        self.ending: Failure | None = None
        """Why everup itself ended this request (a revoked key, the end of a drain), None otherwise."""
        self.is_gone = False
        self.task: asyncio.Task[Any] | None = None
        self.watcher: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """
        Begin to cancel this task when the client leaves; the body has been read.

        Errors: `ClientLeft` if it has left already.
        """
        turn = self.turn
        if turn is not None:
            if turn.disconnected:
                raise ClientLeft
            self.task = turn.task
            turn.connection.gone = self.leave
        else:
            self.task = asyncio.current_task()
            self.watcher = asyncio.create_task(self.wait_gone())

    def unwatch(self) -> None:
        """Stop watching, before the last send: after it a disconnect is reported."""
        if self.task is None:
            return
        self.task = None
        if self.turn is not None:
            self.turn.connection.gone = None
        elif self.watcher is not None:
            self.watcher.cancel()

    async def wait_gone(self) -> None:
        """Wait until the client is gone and say so."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.leave()

    def leave(self) -> None:
        """Note that the client is gone, and cancel what works for it."""
        if self.task is not None and self.ending is None:
            self.is_gone = True
            self.task.cancel()

    def end(self, why: Failure) -> None:
        """End the request from our side: its client is told why, once."""
        if self.task is not None and self.ending is None and not self.is_gone:
            self.ending = why
            self.task.cancel()


def read_deadline_s(headers: dict[bytes, bytes]) -> float | None:
    """Return the seconds a client allows in all, None where it does not say."""
    for name in DEADLINE_HEADERS:
        text = headers.get(name, b"")
        if not text or len(text) > HEADER_NUMBER_MAX:
            continue
        try:
            value = float(text)
        except ValueError:
            continue
        if math.isfinite(value) and value > 0:
            return value
    return None


def check_json(headers: dict[bytes, bytes]) -> None:
    """Raise 415 unless the body is declared as JSON that is not compressed (S3, S15)."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise RequestError(
            415,
            "unsupported_media_type",
            "The body must be JSON.",
            hint="Send the header content-type: application/json.",
        )
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise RequestError(415, "unsupported_encoding", "Compressed request bodies are not read.")


def too_large(bytes_max: int) -> RequestError:
    """Return the 413 of a body over the limit."""
    return RequestError(
        413,
        "body_too_large",
        f"The body is larger than {bytes_max} bytes.",
        hint="The limit is the setting limits.body_bytes_max.",
    )


async def read_body(call: Call, bytes_max: int) -> bytes:
    """Return the whole body; 413 if it is too large, `ClientLeft` if it never ends."""
    declared = call.headers.get(b"content-length")
    # The parser has refused anything but digits; more than 18 of them are too many in any case.
    if declared is not None and (len(declared) > 18 or int(declared) > bytes_max):
        raise too_large(bytes_max)
    turn = call.turn
    if turn is not None and not turn.more_body and isinstance(turn.body, bytes) and not turn.disconnected:
        parts, more = [turn.body], False  # the usual one: all of it came with the head
        turn.body = b""
    else:
        parts, more = [], True
    size = len(parts[0]) if parts else 0
    while more and size <= bytes_max:
        piece, more = await read_piece(call)
        parts.append(piece)
        size += len(piece)
    if size > bytes_max:
        raise too_large(bytes_max)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def read_piece(call: Call) -> tuple[bytes, bool]:
    """Return the next piece of a body and whether more follow."""
    turn = call.turn
    if turn is not None:
        data = await turn.read()
        if data is None:
            raise ClientLeft
        return data, turn.more_body
    message = await call.receive()
    if message["type"] != "http.request":
        raise ClientLeft
    return message.get("body", b""), message.get("more_body", False)
