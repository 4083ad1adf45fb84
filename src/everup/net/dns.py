"""
Names to addresses: off the loop, bounded in time and threads, cached.

And stale rather than nothing.
What must not live here: connecting. Called by `dial`; the blocking lookup itself can be replaced by tests.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from msgspec import Struct

from everup.errors import TransportError, TransportKind
from everup.net.causes import words

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

Address = tuple[int, tuple[Any, ...]]
"""Family and socket address."""
Lookup = Callable[[str, int], tuple[Address, ...]]
P = ParamSpec("P")
T = TypeVar("T")

THREADS_MAX = 32
NAMES_MAX = 1024
LOCALHOST = ("127.0.0.1", "::1")
"""Most local servers listen on the first alone; asking the resolver would only add a wait."""


def look_up(host: str, port: int) -> tuple[Address, ...]:
    """Return the addresses of a name in the system's order (blocking)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def literal(host: str, port: int) -> tuple[Address, ...]:
    """
    Return the addresses of what needs no resolver: an IP address or localhost.

    Nothing for a name.
    """
    hosts = LOCALHOST if host == "localhost" or host.endswith(".localhost") else (host,)
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        found = [
            info for name in hosts for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
        ]
    except (socket.gaierror, UnicodeError):
        return ()
    return tuple((int(family), address) for family, _, _, _, address in found)


class LookupThreads(Executor):
    """
    A thread for each lookup, up to a limit.

    Daemons, unlike the standard pool's: a resolver that hangs for 30 s must not hold up our own exit.
    """

    def __init__(self) -> None:
        self.running = 0
        self.lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """
        Return the future of a call in its own thread.

        `RuntimeError` when there can be no more threads.
        """
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_running_or_notify_cancel()  # from here on nobody can take the future away
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  # a boundary: the future carries it to the loop
                future.set_exception(error)
            finally:
                self.count(-1)

        if self.running >= THREADS_MAX:
            raise RuntimeError(f"{THREADS_MAX} lookups are under way")
        self.count(1)
        try:
            threading.Thread(target=work, name=f"everup-dns-{args[0]}", daemon=True).start()
        except RuntimeError:
            self.count(-1)
            raise
        return future

    def count(self, change: int) -> None:
        """Count a thread in or out."""
        with self.lock:
            self.running += change


class Known(Struct):
    """The last good answer for a name."""

    addresses: tuple[Address, ...]
    at_mono_s: float
    is_doubted: bool = False
    """None of its addresses could be reached: ask again before using it."""


class Resolver:
    """All lookups of a client: one at a time for each name."""

    def __init__(self, limits: Limits, lookup: Lookup) -> None:
        self.limits = limits
        self.lookup = lookup
        self.threads = LookupThreads()
        self.literals: dict[tuple[str, int], tuple[Address, ...]] = {}
        """What needed no resolver, and () for what does: asking the system again costs more than connecting."""
        self.known: dict[tuple[str, int], Known] = {}
        self.pending: dict[tuple[str, int], tuple[asyncio.Future[tuple[Address, ...]], float]] = {}

    async def find(self, host: str, port: int) -> tuple[Address, ...]:
        """Return a name's addresses, never none; `TransportError(DNS)` names the cause."""
        key = (host, port)
        if addresses := self.literal(key):
            return addresses
        loop = asyncio.get_running_loop()
        known = self.known.get(key)
        if known is not None and not known.is_doubted and loop.time() - known.at_mono_s < self.limits.dns_fresh_s:
            return known.addresses
        cause = await self.ask(key)
        known = self.known.get(key)
        if known is not None and (not cause or loop.time() - known.at_mono_s < self.limits.dns_stale_s):
            return known.addresses
        raise TransportError(TransportKind.DNS, f"cannot look up {host} ({cause})")

    def literal(self, key: tuple[str, int]) -> tuple[Address, ...]:
        """Return the addresses of what needs no resolver, nothing for a name."""
        found = self.literals.get(key)
        if found is None:
            if len(self.literals) >= NAMES_MAX:
                self.literals.clear()
            found = self.literals[key] = literal(*key)
        return found

    async def ask(self, key: tuple[str, int]) -> str:
        """Return "" once there is a new answer, else why there is none."""
        loop = asyncio.get_running_loop()
        future, since = self.begin(key)
        # A lookup that already hangs is waited for no longer than its own limit, by all who want it together.
        within_s = max(0.0, since + self.limits.dns_s - loop.time())
        done, _ = await asyncio.wait({future}, timeout=within_s)
        if not done:
            return f"no answer from the resolver within {self.limits.dns_s:g} s"
        if future.cancelled():
            return "the client was closed"
        error = future.exception()
        if error is None:
            return "" if future.result() else "the name has no address"
        return words(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"

    def begin(self, key: tuple[str, int]) -> tuple[asyncio.Future[tuple[Address, ...]], float]:
        """
        Return the lookup of a name that is under way, begun if need be.

        And since when.
        """
        pending = self.pending.get(key)
        if pending is not None:
            return pending
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(self.threads, self.lookup, *key)
        except RuntimeError as error:
            raise TransportError(TransportKind.LOCAL, f"cannot look up {key[0]}: no thread for it ({error})") from error
        self.pending[key] = pending = (future, loop.time())
        future.add_done_callback(lambda _: self.learn(key, future))
        return pending

    def prefetch(self, host: str, port: int) -> None:
        """Begin a lookup that nobody waits for yet, unless the answer is known."""
        if (host, port) in self.known or self.literal((host, port)):
            return
        try:
            self.begin((host, port))
        except TransportError:
            return  # it will be tried again, and told, when somebody needs it

    def learn(self, key: tuple[str, int], future: asyncio.Future[tuple[Address, ...]]) -> None:
        """Keep a good answer; a bad one changes nothing."""
        del self.pending[key]
        if future.cancelled() or future.exception() is not None or not future.result():
            return
        self.known.pop(key, None)
        if len(self.known) >= NAMES_MAX:
            del self.known[next(iter(self.known))]
        self.known[key] = Known(future.result(), asyncio.get_running_loop().time())

    def doubt(self, host: str, port: int) -> None:
        """Ask again next time: nobody answered at these addresses."""
        known = self.known.get((host, port))
        if known is not None:
            known.is_doubted = True

    def close(self) -> None:
        """Wait for no lookup any more; their threads end by themselves."""
        for future, _ in tuple(self.pending.values()):
            future.cancel()
