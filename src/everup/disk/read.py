"""
Reading a file: absent, ok, unreadable(cause) or corrupt(cause).

What must not live here: parsing. Only *absent* permits creating; *unreadable* and *corrupt* forbid writing
over (DESIGN section 5). Called in worker threads or at start.
"""

from __future__ import annotations

import errno
import os
import stat
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from everup.disk.cause import cause_of

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES = 65_536
# O_NONBLOCK: opening a FIFO without a writer must not hang. O_NOCTTY: nor must a terminal become ours.
FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class ReadState(StrEnum):
    """What reading a file came to."""

    ABSENT = "absent"
    OK = "ok"
    UNREADABLE = "unreadable"
    CORRUPT = "corrupt"
    """Readable bytes that mean nothing: said by whoever parses them."""


class ReadResult(Struct, frozen=True):
    """
    What a file held, or why it could not be had.

    `mode` is the permission bits where it was read.
    """

    state: ReadState
    data: bytes = b""
    cause: str = ""
    mode: int = 0

    def __repr__(self) -> str:
        """Return state, size and cause: the bytes may be a secret."""
        return f"ReadResult({self.state}, {len(self.data)} bytes, cause={self.cause!r})"

    def as_corrupt(self, cause: str) -> ReadResult:
        """Return the same file judged corrupt; the bytes are dropped."""
        return msgspec.structs.replace(self, state=ReadState.CORRUPT, data=b"", cause=cause)


def read_file(path: Path | str, bytes_max: int) -> ReadResult:
    """Return the whole of a regular file, or why not; never raises or hangs."""
    try:
        descriptor = os.open(path, FLAGS)
    except FileNotFoundError:
        if os.path.islink(path):  # noqa: PTH114 - a dangling link is there: nothing may be created through it
            return ReadResult(ReadState.UNREADABLE, cause="it is a symbolic link to nothing")
        return ReadResult(ReadState.ABSENT)
    except OSError as error:
        # A directory gives EACCES on Windows, a socket gives ENXIO: say what it is.
        return ReadResult(ReadState.UNREADABLE, cause=kind_of(path) or cause_of(error))
    except ValueError:  # a NUL in the path
        return ReadResult(ReadState.UNREADABLE, cause="the path holds a character no path may hold")
    try:
        return read_open(descriptor, bytes_max)
    except OSError as error:
        return ReadResult(ReadState.UNREADABLE, cause=cause_of(error))
    finally:
        os.close(descriptor)


def read_open(descriptor: int, bytes_max: int) -> ReadResult:
    """Return what an open file holds; it must be regular and within bounds."""
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        return ReadResult(ReadState.UNREADABLE, cause=word_for(facts.st_mode))
    parts: list[bytes] = []
    size_bytes = 0
    while part := os.read(descriptor, CHUNK_BYTES):
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > bytes_max:
            return ReadResult(ReadState.UNREADABLE, cause=f"it is larger than {bytes_max:,} bytes")
    return ReadResult(ReadState.OK, b"".join(parts), mode=stat.S_IMODE(facts.st_mode))


def kind_of(path: Path | str) -> str:
    """Return what a path is when it is no regular file, else nothing."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - the path may be text
    except OSError as error:
        return cause_of(error) if error.errno == errno.ELOOP else ""
    return "" if stat.S_ISREG(mode) else word_for(mode)


def word_for(mode: int) -> str:
    """Return what something that is no regular file is called."""
    for test, word in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return f"it is {word}, not a file"
    return "it is a device, not a file"
