"""
Durable writes: the old content or the new one, whole, and private.

What must not live here: copying a mode from the old file, or writing in place when replacing is refused: it
is not atomic and tears on a crash (FAULTS 2.3). Called in worker threads or at start.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import TYPE_CHECKING

from everup.disk.cause import refused
from everup.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

TEMP_PREFIX = ".everup-"
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems without hard links answer."""
NO_DIR_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}
"""What file systems that cannot sync a folder answer; the content itself is on disk by then."""


def write_durable(path: Path, data: bytes, mode: int = 0o600, *, is_new: bool = False) -> None:
    """
    The file holds exactly `data`, through a power cut.

    Its permission bits are `mode`, whatever the old file's or the umask. `is_new` refuses (errno EEXIST) when the
    file is there already, also when another process was faster.
    """
    temp = path.with_name(f"{TEMP_PREFIX}{secrets.token_hex(8)}.tmp")
    try:
        write_temp(temp, data, mode)
        put_in_place(temp, path, is_new=is_new)
        sync_folder(path.parent)
    except OSError as error:
        raise refused("write", path, error) from error
    finally:
        with contextlib.suppress(OSError):  # gone already after a replace; an orphan is harmless and private
            temp.unlink()


def write_temp(temp: Path, data: bytes, mode: int) -> None:
    """A new file of ours holds the data, and the disk has it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(temp, flags, 0o600)
    try:
        if os.name != "nt":
            os.fchmod(descriptor, mode)  # the umask took bits away; it must not decide
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(temp: Path, path: Path, *, is_new: bool) -> None:
    """The temporary file now bears the name."""
    if not is_new:
        temp.replace(path)
        return
    if os.name == "nt":
        temp.rename(path)  # refuses there when the name is taken
        return
    try:
        path.hardlink_to(temp)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temp.replace(path)


def sync_folder(folder: Path) -> None:
    """The folder's own entry is on disk too, where the system can do that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_DIR_SYNC:
            raise
    finally:
        os.close(descriptor)


def make_home(folder: Path) -> None:
    """The folder exists: 0700 if we made it, else as it was."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        folder.chmod(0o700)
    except FileExistsError as error:
        if not folder.is_dir():
            raise StoreError("make the folder", str(folder), "a file of that name is there", error.errno) from error
    except OSError as error:
        raise refused("make the folder", folder, error) from error
