"""
The supervisor of the embedded model: starts, restarts and stops its child.

Lives here: when to start and stop the one child, and who waits for it. Must not: pipes (see `process`), causes in
words (see `causes`). Called by the engine: `lease()` around an exchange, `start_if_needed()` inside it; by `app`:
`status()` and `close()`. Failures are EmbeddedDown, always with the cause and what to do.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from everup.local.causes import SERVER_PACKAGE, EmbeddedDown, Ended, end_words, explain, free_memory, look_before
from everup.local.model_file import ModelFile, NoModel
from everup.local.process import PROGRAM, Child, NotReady, spawn
from everup.shapes.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Embedded", "EmbeddedDown", "EmbeddedSettings"]

KEY_BYTES = 32
STOPPING = "everup is stopping"


class EmbeddedSettings(Struct, frozen=True, kw_only=True):
    """
    The bounds of the embedded model.

    Defaults measured (BUILDING, section 2): 2 slots of 4,096 tokens take 336 MB, 58 MB asleep, 0.6 s to wake.
    """

    context_tokens: int = 4096
    slots: int = 2
    cache_mib: int = 64
    sleep_after_s: int = 60
    """Quiet seconds after which the child gives back its memory by itself; its port stays."""
    idle_stop_s: float = 600.0
    """Seconds after the last use until the child is stopped."""
    start_s: float = 120.0
    retry_first_s: float = 1.0
    retry_max_s: float = 60.0
    steady_s: float = 30.0
    """A child that lived this long makes earlier failures forgotten."""


class Embedded:
    """
    One embedded model, at most one child.

    `find` says which file to run, at each start, so that a file fetched meanwhile is used. `environ` is the
    environment of which the child gets the safe part. `program` and `package` are the child's, tests name others.
    """

    def __init__(
        self,
        find: Callable[[], ModelFile | NoModel],
        environ: Mapping[str, str],
        settings: EmbeddedSettings = EmbeddedSettings(),  # noqa: B008  # frozen: one value for all
        *,
        program: tuple[str, ...] = PROGRAM,
        package: str = SERVER_PACKAGE,
    ) -> None:
        self.find = find
        self.environ = environ
        self.settings = settings
        self.program = program
        self.package = package
        self.child: Child | None = None
        self.model: ModelFile | None = None
        self.key = Secret("")
        self.starting: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None
        self.idle_timer: asyncio.TimerHandle | None = None
        self.down: EmbeddedDown | None = None
        self.failures = 0
        """In a row; decides how long a next start is put off."""
        self.not_before_mono_s = 0.0
        self.ready_mono_s = 0.0
        self.starts = 0
        self.in_use = 0
        self.is_closed = False

    @contextmanager
    def lease(self) -> Iterator[None]:
        """While inside, the child is not stopped for being idle."""
        self.in_use += 1
        self.put_off_stop()
        try:
            yield
        finally:
            self.in_use -= 1
            self.plan_stop()

    async def start_if_needed(self) -> tuple[str, Secret]:
        """Return base URL and key of the running server; EmbeddedDown says why not."""
        if not self.is_ready:
            if self.starting is None:
                self.starting = asyncio.create_task(self.start())
                self.starting.add_done_callback(self.started)
            starting = self.starting
            await asyncio.wait({starting})  # who stops waiting does not stop it for the others
            if starting.cancelled():
                raise EmbeddedDown(STOPPING)
            starting.result()
        child = self.child
        if child is None:
            raise self.down or EmbeddedDown("the embedded model ended while it was asked for")
        self.plan_stop()
        return f"http://127.0.0.1:{child.port}/v1", self.key

    @property
    def is_ready(self) -> bool:
        """Return whether a child listens now."""
        return self.child is not None and self.child.is_alive and self.ending is None

    def started(self, task: asyncio.Task[None]) -> None:
        """The next need may start another child, a failure is remembered."""
        self.starting = None
        if not task.cancelled() and isinstance(error := task.exception(), EmbeddedDown):
            self.down = error
        self.plan_stop()

    async def start(self) -> None:
        """A child listens. EmbeddedDown with the cause otherwise."""
        await self.wait_for_end()
        if self.is_closed:
            raise EmbeddedDown(STOPPING)
        await self.bury()
        now = asyncio.get_running_loop().time()
        if self.down is not None and now < self.not_before_mono_s:
            wait_s = self.not_before_mono_s - now
            raise EmbeddedDown(self.down.cause, f"{self.down.fix} (tried again in {wait_s:.0f} s)")
        model = await asyncio.to_thread(self.look)
        self.key = Secret(secrets.token_urlsafe(KEY_BYTES))
        self.child = await self.launch(model)
        self.model, self.down = model, None
        self.ready_mono_s = asyncio.get_running_loop().time()
        self.starts += 1

    async def bury(self) -> None:
        """A child that died by itself is gone from here and counted."""
        if self.child is None:
            return
        child, self.child = self.child, None
        await child.end()
        if asyncio.get_running_loop().time() - self.ready_mono_s > self.settings.steady_s:
            self.failures = 0
        self.count_failure(EmbeddedDown(f"the embedded model's server died: {end_words(child.process.returncode)}"))

    def count_failure(self, down: EmbeddedDown) -> EmbeddedDown:
        """Return the failure; the more in a row, the later the next start."""
        self.failures += 1
        self.down = down
        if self.failures > 1:
            doubled_s = self.settings.retry_first_s * 2.0 ** min(self.failures - 2, 30)
            self.not_before_mono_s = asyncio.get_running_loop().time() + min(doubled_s, self.settings.retry_max_s)
        return down

    def look(self) -> ModelFile:
        """Return the file to run; EmbeddedDown when there is none or it is plainly unfit."""
        found = self.find()
        if isinstance(found, NoModel):
            raise EmbeddedDown(found.cause, found.fix)
        look_before(found, self.package)
        return found

    async def available(self) -> tuple[str, str]:
        """Return the model's name and "", or "" and why it cannot run; starts nothing."""
        try:
            model = await asyncio.to_thread(self.look)
        except EmbeddedDown as down:
            return "", str(down)
        return model.name, ""

    async def launch(self, model: ModelFile) -> Child:
        """Return a child that listens; EmbeddedDown otherwise, and no child is left."""
        try:
            child = await spawn(self.program, self.environ)
        except OSError as error:
            cause = f"the embedded model's server cannot be started: {error.strerror or error}"
            raise self.count_failure(EmbeddedDown(cause)) from error
        try:
            async with asyncio.timeout(self.settings.start_s):
                await child.get_ready(self.order(model))
        except NotReady as error:
            down = await asyncio.to_thread(explain, model, error.ended, free_memory())
            raise self.count_failure(down) from error
        except TimeoutError as error:
            ended = Ended(None, f"it was not ready within {self.settings.start_s:.0f} s")
            raise self.count_failure(await asyncio.to_thread(explain, model, ended, free_memory())) from error
        finally:
            if not child.port:
                child.kill()
                await child.end()
        return child

    def order(self, model: ModelFile) -> dict[str, object]:
        """Return what the child is told on its stdin."""
        return {
            "model": str(model.path),
            "name": model.name,
            "key": self.key.reveal(),
            "context_tokens": self.settings.context_tokens,
            "slots": self.settings.slots,
            "cache_mib": self.settings.cache_mib,
            "sleep_after_s": self.settings.sleep_after_s,
        }

    def put_off_stop(self) -> None:
        """No stop is planned."""
        if self.idle_timer is not None:
            self.idle_timer.cancel()
            self.idle_timer = None

    def plan_stop(self) -> None:
        """Without a further use the child stops in `idle_stop_s`."""
        self.put_off_stop()
        if not self.in_use and self.child is not None and not self.is_closed:
            loop = asyncio.get_running_loop()
            self.idle_timer = loop.call_later(self.settings.idle_stop_s, self.stop_idle)

    def stop_idle(self) -> None:
        """The child is being stopped, unless it came into use."""
        self.idle_timer = None
        if not self.in_use and self.child is not None and self.ending is None:
            self.ending = asyncio.create_task(self.stop())

    async def stop(self) -> None:
        """The child is gone, and that is no failure."""
        child, self.child = self.child, None
        try:
            if child is not None:
                await child.end()
        finally:
            self.ending = None

    async def wait_for_end(self) -> None:
        """A stop under way has come to its end."""
        if self.ending is not None:
            await asyncio.wait({self.ending})

    async def close(self) -> None:
        """No child is left and none will be started."""
        self.is_closed = True
        self.put_off_stop()
        if self.starting is not None:
            self.starting.cancel()
            await asyncio.wait({self.starting})
        await self.wait_for_end()
        await self.stop()

    def status(self) -> dict[str, object]:
        """Return what `/status` and `everup local status` show; no key is in it."""
        return {
            "state": self.state(),
            "model": self.model.name if self.model else "",
            "pid": self.child.pid if self.is_ready and self.child else None,
            "in_use": self.in_use,
            "starts": self.starts,
            "cause": self.down.cause if self.down else "",
            "fix": self.down.fix if self.down else "",
        }

    def state(self) -> str:
        """Return one word: ready, starting, stopping, failed or off."""
        if self.is_ready:
            return "ready"
        if self.starting is not None:
            return "starting"
        if self.ending is not None:
            return "stopping"
        return "failed" if self.down is not None else "off"
