"""
aimock: a mock of many providers from another house, as Ollama's native `/api/chat`.

Lives here: getting it with npm by its locked hash, and running it on loopback. Must not: what it answers (see
`aimock.json`) and what is asked of it. Without npm, or without a way to the packages, its tests skip by name.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from everup.testing.client import exchange
from everup.testing.provider import closed_port

HERE = Path(__file__).parent
LOCKED = ("package.json", "package-lock.json")
PROGRAM = Path("node_modules/@copilotkit/aimock/dist/cli.js")
ANSWERS = HERE / "aimock.json"
INSTALL_S_MAX = 120
START_S_MAX = 20.0
POLL_S = 0.02


class AbsentError(Exception):
    """Why aimock cannot be had."""


def find_program() -> Path:
    """Return aimock's program, installed beside the tests' packages if it is not yet; `AbsentError` says why not."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise AbsentError("npm and node are not on the PATH")
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in LOCKED)).hexdigest()[:16]
    home = Path(sys.prefix) / f"node-{digest}"
    if not (home / PROGRAM).exists():
        install(npm, home)
    return home / PROGRAM


def install(npm: str, home: Path) -> None:
    """The locked packages are in this folder; made elsewhere and renamed, so that it is whole or not there."""
    with tempfile.TemporaryDirectory(dir=home.parent) as making:
        for name in LOCKED:
            shutil.copy(HERE / name, making)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(
                command, cwd=making, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            raise AbsentError(f"npm gave no result in {INSTALL_S_MAX} s") from None
        if done.returncode:
            raise AbsentError(f"npm: {(done.stderr.splitlines() or ['it said nothing'])[0]}")
        home.mkdir(exist_ok=True)
        if not (home / PROGRAM).exists():
            (Path(making) / "node_modules").replace(home / "node_modules")


@asynccontextmanager
async def running(program: Path, folder: Path) -> AsyncIterator[str]:
    """A running aimock; the value is its address, without a path."""
    port = closed_port()
    process = start(program, folder, port)
    try:
        async with asyncio.timeout(START_S_MAX):
            while not await is_up(port):
                if process.poll() is not None:
                    raise RuntimeError(f"aimock ended:\n{(folder / 'aimock.out').read_text()}")
                await asyncio.sleep(POLL_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def start(program: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Return the started process; what it says goes to a file in the folder."""
    command = ["node", str(program), "--port", str(port), "--fixtures", str(ANSWERS), "--log-level", "warn"]
    command += ["--chunk-size", "7", "--strict", "--validate-on-load"]
    with (folder / "aimock.out").open("wb") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder)


async def is_up(port: int) -> bool:
    """Return whether it answers now."""
    try:
        return (await exchange(port, "GET", "/health", within_s=2)).status == 200
    except (OSError, asyncio.IncompleteReadError):
        return False
