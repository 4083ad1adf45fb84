"""
One child process of the embedded model: started, ready, ended.

Lives here: the pipes, the ready line, the end. Must not: when to start or stop one, and why a start failed
in words (see `embedded`, `causes`). Start it from the main thread: on Linux the child dies with the thread that
forked it (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from everup.errors import EverupError
from everup.local.causes import Ended

if TYPE_CHECKING:
    from collections.abc import Mapping

# By path and without the working folder on sys.path: no file lying around can be imported instead.
PROGRAM = (sys.executable, "-P", str(Path(__file__).with_name("child.py")))
STDERR_KEPT = 4096
STDOUT_LINE_BYTES_MAX = 4096
END_S_MAX = 2.0
# What a child needs of the environment; no provider's key is among it (S28).
SAFE_NAMES = frozenset(
    {
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
        *("SYSTEMROOT", "WINDIR", "PATHEXT", "COMSPEC", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "DYLD_LIBRARY_PATH"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"),
        *("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"),
    }
)


class NotReady(EverupError):
    """A child that ended, or said an error, instead of getting ready."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.error or f"status {ended.status}")
        self.ended = ended


class Child:
    """A running child, its port once ready, and the end of what it wrote to stderr."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.port = 0
        self.stderr = b""
        self.reading = asyncio.create_task(self.read_stderr())

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Return whether the process still runs, as far as the loop knows."""
        return self.process.returncode is None

    async def read_stderr(self) -> None:
        """The pipe never fills up and its end is kept."""
        pipe = self.process.stderr
        while pipe is not None and (data := await pipe.read(STDERR_KEPT)):
            self.stderr = (self.stderr + data)[-STDERR_KEPT:]

    async def get_ready(self, order: Mapping[str, object]) -> None:
        """The child listens on `port`. NotReady when it cannot, or ended."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise NotReady(Ended(None, "no pipes"))
        line = b""
        try:
            stdin.write(json.dumps({**order, "parent": os.getpid()}).encode() + b"\n")
            await stdin.drain()
            line = await stdout.readline()
        except ConnectionError:  # it ended before it read its order: its status says more
            pass
        except ValueError as error:
            raise NotReady(Ended(None, "it wrote a line without end")) from error
        answer = read_answer(line)
        port = answer.get("port")
        if not isinstance(port, int):
            await self.end()
            raise NotReady(
                Ended(self.process.returncode, str(answer.get("error", "")), self.stderr.decode(errors="replace"))
            )
        self.port = port

    async def end(self) -> None:
        """The process is gone: asked by the end of its stdin, else killed."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(END_S_MAX):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()
        await self.reading
        while self.process.stdout is not None and await self.process.stdout.read(STDERR_KEPT):
            pass  # what it wrote beside its answer; the pipe closes only when it is empty

    def kill(self) -> None:
        """The process gets no further."""
        if self.is_alive:
            self.process.kill()


async def spawn(program: tuple[str, ...], environ: Mapping[str, str]) -> Child:
    """Return a child that waits for its order; OSError when none can be started."""
    process = await asyncio.create_subprocess_exec(
        *program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environ(environ),
        limit=STDOUT_LINE_BYTES_MAX,
    )
    return Child(process)


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that is safe and useful to a child."""
    return {name: text for name, text in environ.items() if name.upper() in SAFE_NAMES or name.startswith("LC_")}


def read_answer(line: bytes) -> dict[str, object]:
    """Return the child's one line of answer, empty where it is none."""
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
