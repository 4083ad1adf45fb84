"""
Sockets, signals, drain: the process that serves an application.

What must not live here: HTTP (see `surfaces.protocol`) and what an application is made of (see `app`). One
process, one loop. Called by `cli.run`; exit codes: 0 drained, 78 config or port, 128 + n after a second signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import ssl
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uvicorn.server import ServerState

from everup.errors import ConfigError
from everup.observe.log import lead_in
from everup.probe.port import find_listener
from everup.surfaces.connections import Connections
from everup.surfaces.guard import check_exposure, url_of
from everup.surfaces.protocol import Bounded
from everup.surfaces.refusal import NO_DESCRIPTORS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from everup.observe.log import Log
    from everup.shapes.limits import Limits
    from everup.shapes.secret import Secret
    from everup.shapes.snapshot import ServerSettings
    from everup.surfaces.table import Application

EXIT_DRAINED = 0
EXIT_CONFIG = 78
"""What a caller returns for a `ConfigError` (sysexits, EX_CONFIG)."""
BACKLOG = 2048
ACCEPTS_PER_TURN = 64
"""How often asyncio accepts before it looks at other sockets again; also bounds its loop when descriptors are out."""
SHED_MAX = 64
GC_THRESHOLD = 20_000, 50, 100
"""Far above the standard library's 700: what a crowd of streams holds is looked at a few times, not a thousand."""
CUT_S = 2.0
"""Time for the error events of requests that outlasted the drain."""
FLUSH_S = 3.0
"""Time for the last bytes of every connection to leave."""
OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
ENDING_SIGNALS = ("SIGTERM", "SIGINT", "SIGBREAK")
HARMLESS_SIGNALS = ("SIGHUP", "SIGUSR1", "SIGUSR2")


def run(
    build: Callable[[], AbstractAsyncContextManager[Application]],
    settings: ServerSettings,
    limits: Limits,
    *,
    key: Secret,
    log: Log,
    on_ready: Callable[[str], None] = lambda _url: None,
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """
    Return the exit code, once what `build` makes was served and drained.

    `new_loop` None takes uvloop's loop where it is installed, else asyncio's own.
    Errors: `ConfigError` (exit 78) for an address that cannot be listened on, before anything is built.
    """
    check_exposure(settings, key)
    context = make_tls(settings)
    sockets = open_sockets(settings)
    raise_descriptor_limit()
    lead_in(log)
    server = Server(settings, limits, log, sockets, context)
    try:
        with asyncio.Runner(loop_factory=new_loop or loop_factory()) as runner:
            return runner.run(server.serve(build, on_ready))
    finally:
        for each in sockets:
            each.close()
        if settings.unix_socket:
            with contextlib.suppress(OSError):
                os.unlink(settings.unix_socket)  # noqa: PTH108  # a socket's name, not a file's content


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop where it is installed, else None for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415  # absent on Windows: nothing may depend on it
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


def make_tls(settings: ServerSettings) -> ssl.SSLContext | None:
    """Return the TLS context of the configured files, None without any."""
    if not settings.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key or None, password=lambda: "")
    except ssl.SSLError as error:
        names = f"server.tls_cert ({settings.tls_cert}) and server.tls_key ({settings.tls_key or 'the same file'})"
        why = "are no certificate chain and its private key, both PEM; are they swapped?"
        raise ConfigError((f"{names} {why}",)) from error
    except OSError as error:
        lost = [each for each in (settings.tls_cert, settings.tls_key) if each and not Path(each).is_file()]
        names = " and ".join(lost or [settings.tls_cert])
        raise ConfigError((f"server.tls_cert: cannot use {names}: {error.strerror or error}",)) from error
    return context


def open_sockets(settings: ServerSettings) -> list[socket.socket]:
    """Return the bound sockets; `ConfigError` names what stands in the way."""
    if settings.unix_socket:
        return [open_unix_socket(settings.unix_socket)]
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ConfigError((f"server.host: {host!r} is no address of this machine: {error.strerror}",)) from error
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            number = opened[0].getsockname()[1] if opened and not port else port
            try:
                opened.append(open_tcp_socket(family, (address[0], number, *address[2:])))
            except OSError as error:
                if error.errno not in ABSENT:
                    raise
                missing = error  # one of a name's addresses may be absent, such as ::1 without IPv6
        if missing and not opened:
            raise missing
    except OSError as error:
        for each in opened:
            each.close()
        raise ConfigError((why_not(error, host, port),)) from error
    return opened


def open_tcp_socket(family: int, address: tuple[Any, ...]) -> socket.socket:
    """Return a socket bound to an address."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        # Listening from here on: callers that come while the application is built wait instead of failing.
        made.listen(BACKLOG)
        made.settimeout(0)
    except OSError:
        made.close()
        raise
    return made


def open_unix_socket(path: str) -> socket.socket:
    """Return a socket at a path, this user's alone (S28); a stale one is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError(("server.unix_socket: this system has no unix sockets.",))
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        remove_stale_socket(path)
        made.bind(path)
        made.listen(BACKLOG)
        made.settimeout(0)
    except OSError as error:
        made.close()
        fix = "its folder must exist and be yours, and nobody else may listen there"
        raise ConfigError((f"server.unix_socket: cannot listen on {path}: {error.strerror}; {fix}",)) from error
    finally:
        os.umask(mask)
    return made


def remove_stale_socket(path: str) -> None:
    """A socket that nobody listens on is removed, and nothing else."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108  # as above


def why_not(error: OSError, host: str, port: int) -> str:
    """Return why an address cannot be listened on, and what to do."""
    if error.errno == errno.EADDRINUSE:
        holder = find_listener(port)
        who = f"process {holder.pid} ({holder.command})" if holder else "another process"
        return f"server.port: port {port} is in use by {who}. End it, or use another: everup run --port N."
    if error.errno == errno.EACCES:
        return f"server.port: this user may not listen on port {port}. Ports from 1024 up need no privilege."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"server.host: {host} is no address of this machine."
    return f"server: cannot listen on {host} port {port}: {error.strerror or error}"


def raise_descriptor_limit() -> None:
    """Let this process open as many files as the system allows."""
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # a system may refuse what it promised: we go on with less
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """One run of the process from its sockets to its last byte."""

    def __init__(
        self,
        settings: ServerSettings,
        limits: Limits,
        log: Log,
        sockets: list[socket.socket],
        context: ssl.SSLContext | None,
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.log = log
        self.sockets = sockets
        self.context = context
        self.state = ServerState()
        self.reserve: socket.socket | None = None
        self.ending = asyncio.Event()
        self.signals = 0

    async def serve(
        self, build: Callable[[], AbstractAsyncContextManager[Application]], on_ready: Callable[[str], None]
    ) -> int:
        """Return the exit code after serving until a signal and draining."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.loop_error)
        self.take_signals(loop)
        self.reserve = socket.socket()
        async with build() as application:
            connections = Connections(self.limits, self.state, loop, application.metrics)
            application.connections_open = lambda: len(connections.open)
            connections.start()
            listeners = await self.listen(application, connections)
            gc.collect()
            gc.freeze()
            # A request leaves no cycles, and with many streams open each pass over them costs more than their start.
            gc.set_threshold(*GC_THRESHOLD)
            on_ready(url_of(self.settings, self.port()))
            try:
                await self.ending.wait()
                await self.drain(application, connections, listeners)
            finally:
                connections.stop()
        return EXIT_DRAINED

    def port(self) -> int:
        """Return the TCP port listened on, 0 on a unix socket."""
        return 0 if self.settings.unix_socket else int(self.sockets[0].getsockname()[1])

    async def listen(self, application: Application, connections: Connections) -> list[asyncio.Server]:
        """Return the servers that accept on our sockets."""
        loop = asyncio.get_running_loop()
        listeners = []
        for each in self.sockets:
            listener = await loop.create_server(
                lambda: Bounded(connections, self.state, loop, application.take),
                sock=each,
                ssl=self.context,
                backlog=ACCEPTS_PER_TURN,
                ssl_handshake_timeout=self.limits.head_s if self.context else None,
            )
            each.listen(BACKLOG)  # the loop has just set the queue to its own, smaller number
            listeners.append(listener)
        return listeners

    def take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """Signals now end the process gently, twice at once, or not at all."""
        for name, act in [(each, self.on_ending) for each in ENDING_SIGNALS] + [
            (each, self.on_harmless) for each in HARMLESS_SIGNALS
        ]:
            number = getattr(signal, name, None)
            if number is None:
                continue
            try:
                loop.add_signal_handler(number, act, number)
            except NotImplementedError:
                # Windows: the handler runs between two instructions of the loop's thread.
                signal.signal(number, partial(wake, loop, act))

    def on_ending(self, number: int) -> None:
        """Begin to drain; the second time end at once."""
        self.signals += 1
        if self.signals > 1:
            self.log.event("serve.ended_at_once", "warning", signal=number)
            self.log.close()
            os._exit(128 + number)
        self.log.event("serve.draining", "info", signal=number, drain_s=self.limits.drain_s)
        self.ending.set()

    def on_harmless(self, number: int) -> None:
        """The signal's default would be to end the process."""
        self.log.event("serve.signal_ignored", "info", signal=number)

    async def drain(self, application: Application, connections: Connections, listeners: list[asyncio.Server]) -> None:
        """Accept no more, wait for open answers, end those that outlast the drain."""
        application.drain()
        for listener in listeners:
            listener.close()
        connections.shutdown()
        if not await self.is_quiet(self.limits.drain_s):
            self.log.event("serve.drain_cut", "warning", requests=len(self.state.tasks))
            application.end_all()
            if not await self.is_quiet(CUT_S):
                for task in list(self.state.tasks):
                    task.cancel()
                await self.is_quiet(CUT_S)
        connections.shutdown()
        await connections.wait_empty(FLUSH_S)
        self.log.event("serve.drained", "info")

    async def is_quiet(self, within_s: float) -> bool:
        """Return whether every answer ended within a time."""
        tasks = self.state.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        return not tasks

    def loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An uncaught error is one line, lack of descriptors is told."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in OUT_OF_DESCRIPTORS and "socket" in context:
            self.shed()
            self.log.event(
                "serve.out_of_descriptors",
                "error",
                cause=error.strerror,
                works="answers that are under way go on",
                fix="raise the limit of open files (ulimit -n) of this process",
            )
            return
        self.log.event(
            "serve.loop_error",
            "error",
            message=str(context.get("message", "")),
            exception=type(error).__name__ if error else None,
        )

    def shed(self) -> None:
        """Answer callers that there is no descriptor for, using the one kept for this."""
        if self.reserve is not None:
            self.reserve.close()
        try:
            for listening in self.sockets:
                for _ in range(SHED_MAX):
                    turn_away(listening)
        except OSError:
            pass  # nobody waits any more, or the descriptor was taken meanwhile
        try:
            self.reserve = socket.socket()
        except OSError:
            self.reserve = None


def wake(loop: asyncio.AbstractEventLoop, act: Callable[[int], None], number: int, _frame: object) -> None:
    """A signal is acted on by the loop."""
    loop.call_soon_threadsafe(act, number)


def turn_away(listening: socket.socket) -> None:
    """One waiting caller is told 503; `OSError` when none waits."""
    caller, _ = listening.accept()
    with caller, contextlib.suppress(OSError):
        caller.settimeout(0)
        caller.send(NO_DESCRIPTORS)
        caller.recv(65_536)  # unread bytes would turn the close into a reset
