"""
Who listens on a port of this machine.

What must not live here: what to do about it. Linux only (`/proc`); elsewhere the answer is that it is not known.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
LISTENING = "0A"
COMMAND_MAX = 120
PROCESSES_MAX = 20_000


class Listener(Struct, frozen=True):
    """A process that holds a port: its id and its command line, shortened."""

    pid: int
    command: str


def find_listener(port: int, proc: Path = PROC) -> Listener | None:
    """Return who listens on a TCP port, None where that cannot be found out."""
    inodes = {inode for name in ("tcp", "tcp6") for inode in listening_inodes(proc / "net" / name, port)}
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in list(process_folders(proc))[:PROCESSES_MAX]:
        if holds(process, wanted):
            return Listener(int(process.name), read_command(process))
    return None


def listening_inodes(table: Path, port: int) -> Iterator[str]:
    """Yield the inode of each socket that listens on a port, from one table."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def process_folders(proc: Path) -> Iterator[Path]:
    """Yield the folder of each process."""
    try:
        yield from (each for each in proc.iterdir() if each.name.isdigit())
    except OSError:
        return


def holds(process: Path, wanted: set[str]) -> bool:
    """Return whether a process has one of these sockets open, as far as we see."""
    try:
        return any(str(each.readlink()) in wanted for each in (process / "fd").iterdir())
    except OSError:
        return False


def read_command(process: Path) -> str:
    """Return a process's first words: what may hold secrets comes further on."""
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    text = " ".join(word for word in words[:3] if word)
    return "".join(char if char.isprintable() else "?" for char in text)[:COMMAND_MAX]
