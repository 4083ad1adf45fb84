"""
The table of routes, and the application that leads a request through it.

What must not live here: an endpoint's work. Order: Host, Origin, route by raw path, key, scope, load. Everything
that goes wrong below is encoded here, in the client's wire; nothing escapes to the server. Built by `app`.
"""

from __future__ import annotations

import asyncio
import secrets
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from everup.errors import RequestError
from everup.shapes.failure import Failure
from everup.shapes.snapshot import Client, ClientScope
from everup.surfaces.arrival import Call, ClientLeft, Receive, Scope, Send
from everup.surfaces.connections import UNKNOWN_ADDRESS, canonical_address
from everup.surfaces.control import Control
from everup.surfaces.guard import Guard, check_single, preflight_headers
from everup.surfaces.health import Health
from everup.surfaces.keys import Guesses, presented_key
from everup.surfaces.models import PREFIX, Models
from everup.surfaces.openai_chat import ChatCompletions
from everup.surfaces.reply import Denied, failure_of, internal_failure, send_failure, send_whole
from everup.wires.table import WIRES

if TYPE_CHECKING:
    from everup.observe.log import Log
    from everup.observe.metrics import Metrics
    from everup.shapes.snapshot import Snapshot
    from everup.surfaces.keys import KeyRing
    from everup.surfaces.openai_chat import Catalogue, Engine
    from everup.surfaces.turn import Turn

Endpoint = Callable[[Call], Awaitable[None]]

ONE_MODEL = PREFIX + b"{id}"
FRAMES_MAX = 20
SHED_RETRY_AFTER_S = 1.0
CHALLENGE = (b"www-authenticate", b'Bearer realm="everup"')


class Row(Struct, frozen=True):
    """One line of the table: a GET row answers HEAD too; scope None needs no key."""

    method: str
    path: str
    scope: ClientScope | None
    name: str


ROWS: tuple[Row, ...] = (
    Row("POST", "/v1/chat/completions", ClientScope.INFERENCE, "chat"),
    Row("GET", "/v1/models", ClientScope.INFERENCE, "models"),
    Row("GET", "/v1/models/{id}", ClientScope.INFERENCE, "model"),
    Row("GET", "/healthz", None, "healthz"),
    Row("GET", "/readyz", None, "readyz"),
    Row("GET", "/metrics", ClientScope.ADMIN, "metrics"),
    Row("GET", "/status", ClientScope.ADMIN, "status"),
)

DRAINED = Failure(
    status=503,
    kind="unavailable",
    code="shutting_down",
    message="everup is shutting down and ended this request; send it again.",
    should_retry=True,
    retry_after_s=SHED_RETRY_AFTER_S,
)


class Holder(Protocol):
    """Where the snapshot of now is."""

    @property
    def current(self) -> Snapshot:
        """Return the running snapshot."""
        ...


class Application:
    """The gateway as an ASGI application."""

    def __init__(
        self,
        *,
        holder: Holder,
        keys: KeyRing,
        engine: Engine,
        catalogue: Catalogue,
        status: Callable[[], dict[str, Any]],
        metrics: Metrics,
        log: Log,
        names_of_machine: Iterable[str] = (),
    ) -> None:
        self.holder = holder
        self.keys = keys
        self.metrics = metrics
        self.log = log
        self.guard = Guard(names_of_machine)
        self.guesses = Guesses(holder.current.limits)
        self.wire = WIRES["openai_chat"]
        self.is_draining = False
        self.requests_open = 0
        # Unique by the process's own part: 12 random bytes for each request would cost more than its route.
        self.request_ids = count(1)
        self.request_prefix = f"req_{secrets.token_hex(6)}"
        self.connections_open: Callable[[], int] = lambda: 0
        """Set by the server that runs this application."""
        chat = ChatCompletions(engine, catalogue, keys, self.wire, metrics)
        models = Models(catalogue)
        health = Health(lambda: self.is_draining)
        control = Control(status, metrics, log, self.counts)
        self.endpoints: dict[str, Endpoint] = {
            "chat": chat,
            "models": models.list,
            "model": models.one,
            "healthz": health.alive,
            "readyz": health.ready,
            "metrics": control.tell_metrics,
            "status": control.tell_status,
        }
        self.by_path: dict[bytes, dict[str, Row]] = {}
        for row in ROWS:
            self.by_path.setdefault(row.path.encode(), {})[row.method] = row

    def counts(self) -> dict[str, int]:
        """Return how many connections and requests are open."""
        return {"connections": self.connections_open(), "requests": self.requests_open}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of an ASGI server."""
        if scope["type"] == "http":
            client = scope.get("client")
            call = Call(
                scope["method"],
                scope.get("raw_path") or b"",
                scope["headers"],
                client[0] if client else "",
                request_id=self.next_id(),
                snapshot=self.holder.current,
                began_mono_s=asyncio.get_running_loop().time(),
                receive=receive,
                send=send,
            )
            await self.answer(call)

    def take(self, turn: Turn) -> Coroutine[Any, Any, None]:
        """Return the answering of one request of our own server, without ASGI."""
        connection = turn.connection
        call = Call(
            turn.method,
            turn.target.partition(b"?")[0],
            turn.headers,
            connection.client[0] if connection.client else "",
            request_id=self.next_id(),
            snapshot=self.holder.current,
            began_mono_s=connection.loop.time(),
            turn=turn,
        )
        return self.answer(call)

    def next_id(self) -> str:
        """Return the id of a new request."""
        return f"{self.request_prefix}{next(self.request_ids):012x}"

    async def answer(self, call: Call) -> None:
        """Answer one request; never raises for anything but a cancel from outside."""
        loop = asyncio.get_running_loop()
        self.requests_open += 1
        try:
            await self.admit(call)(call)
        except ClientLeft:
            pass
        except asyncio.CancelledError:
            if not self.is_draining:
                raise
            if not call.status:
                await self.refuse(call, DRAINED)
        except Denied as error:
            await self.refuse(call, error.failure)
        except RequestError as error:
            await self.refuse(call, failure_of(error))
        except Exception as error:  # noqa: BLE001  # the boundary: our own error, told to the log, mapped to a 500
            await self.crash(call, error)
        finally:
            self.requests_open -= 1
            self.metrics.count("everup_requests_total", (call.endpoint, str(call.status or "none")))
            self.metrics.observe("everup_request_seconds", (call.endpoint,), loop.time() - call.began_mono_s)

    def admit(self, call: Call) -> Endpoint:
        """Return the endpoint that may answer; raises what refuses the request."""
        server = call.snapshot.server
        headers = call.headers
        self.guard.check_host(headers.get(b"host", b""), server)
        if len(headers) != len(call.listed):
            check_single(call.listed)
        if b"origin" in headers or b"sec-fetch-site" in headers:
            call.cors = self.guard.check_origin(headers, call.method)
            if call.cors and call.method == "OPTIONS":
                return self.preflight
        row = self.row_of(call)
        call.endpoint = row.name
        call.client = self.identify(call, row)
        if row.scope is ClientScope.INFERENCE and self.requests_open > call.snapshot.limits.requests_max:
            self.metrics.count("everup_requests_shed_total")
            raise Denied(shed(call.snapshot.limits.requests_max))
        return self.endpoints[row.name]

    def row_of(self, call: Call) -> Row:
        """Return the row of a method and raw path; a closing slash is forgiven."""
        path = call.path
        rows = self.by_path.get(path) or self.by_path.get(path.removesuffix(b"/"))
        if rows is None and path.startswith(PREFIX):
            rows = self.by_path[ONE_MODEL]
        if rows is None:
            raise RequestError(404, "unknown_path", "There is nothing at this path.", hint=path_hint(path))
        row = rows.get("GET" if call.method == "HEAD" else call.method)
        if row is None:
            allowed = ", ".join([*rows, *(["HEAD"] if "GET" in rows else [])])
            raise Denied(
                Failure(
                    status=405,
                    kind="invalid_request",
                    code="method_not_allowed",
                    message=f"This path answers {allowed}.",
                    headers=((b"allow", allowed.encode()),),
                )
            )
        return row

    def identify(self, call: Call, row: Row) -> Client | None:
        """Return whose key this is; 401, 403 or 429 where the row needs another."""
        key = presented_key(call.headers)
        client = self.keys.verify(key) if key is not None else None
        if client is not None:
            if row.scope is None or row.scope in client.scopes or ClientScope.ADMIN in client.scopes:
                return client
            self.metrics.count("everup_keys_refused_total", ("scope",))
            raise RequestError(403, "scope_missing", f"This key does not have the scope {row.scope}.")
        wait_s = self.guesses.note(self.address(call), call.began_mono_s) if key is not None else None
        if row.scope is None:
            return None
        why = "limited" if wait_s is not None else "absent" if key is None else "wrong"
        self.metrics.count("everup_keys_refused_total", (why,))
        raise Denied(unauthorized(why, wait_s))

    def address(self, call: Call) -> str:
        """Return who the other end is, for counting guesses."""
        return canonical_address(call.peer) if call.peer else UNKNOWN_ADDRESS

    async def preflight(self, call: Call) -> None:
        """Answer the preflight of an allowed origin."""
        call.endpoint = "preflight"
        await send_whole(call, 200, list(preflight_headers(call.headers)), b"")

    async def refuse(self, call: Call, failure: Failure) -> None:
        """Answer with an error."""
        await send_failure(call, failure, self.wire, call.snapshot.limits)

    async def crash(self, call: Call, error: Exception) -> None:
        """Log an error of our own; answer 500 if nothing was, without detail."""
        self.metrics.count("everup_errors_total", (call.endpoint,))
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
        # The error's own text stays out: it may quote what a client wrote.
        self.log.event(
            "surfaces.crash",
            "error",
            request_id=call.request_id,
            endpoint=call.endpoint,
            exception=type(error).__name__,
            where=" < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames)),
        )
        if not call.status:
            await self.refuse(call, internal_failure(call.request_id))

    def drain(self) -> None:
        """Begin to end: not ready from now on."""
        self.is_draining = True

    def end_all(self) -> None:
        """End every open request with an error: the drain's time is up."""
        self.keys.end_all(DRAINED)


def path_hint(path: bytes) -> str:
    """Return what a client that asks for a wrong path most likely has wrong."""
    bare = path.removesuffix(b"/")
    if b"/v1" + bare in {row.path.encode() for row in ROWS} or (b"/v1" + path).startswith(PREFIX):
        return "The client's base URL should end in /v1."
    if bare.startswith(b"/v1/v1/"):
        return "The client's base URL ends in /v1 twice."
    return "Chats are a POST to /v1/chat/completions, models a GET of /v1/models; docs/surfaces.md lists all paths."


def unauthorized(why: str, wait_s: float | None) -> Failure:
    """Return the answer to a missing or wrong key."""
    if wait_s is not None:
        return Failure(
            status=429,
            kind="rate_limit",
            code="too_many_wrong_keys",
            message="Too many wrong keys came from this address; a right one is let in at any time.",
            retry_after_s=wait_s,
        )
    message = "This request has no key." if why == "absent" else "This key is not valid here."
    return Failure(
        status=401,
        kind="authentication",
        code="missing_api_key" if why == "absent" else "invalid_api_key",
        message=message,
        hint='Send it as "Authorization: Bearer KEY"; `everup env` prints the key of this machine.',
        headers=(CHALLENGE,),
    )


def shed(requests_max: int) -> Failure:
    """Return the answer to one request too many."""
    return Failure(
        status=503,
        kind="unavailable",
        code="overloaded",
        message=f"everup answers {requests_max} requests at once and has no room for this one.",
        should_retry=True,
        retry_after_s=SHED_RETRY_AFTER_S,
    )
