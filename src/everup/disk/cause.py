"""
Why the system refused, in words.

What must not live here: fixes for other people's files. Called by `disk.read` and `disk.write`.
"""

from __future__ import annotations

import errno
import os

from everup.errors import StoreError

WORDS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "the system does not permit it (an immutable or read-only file, or another owner)",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "no space or no inodes left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the system has too many files open",
    errno.EIO: "input/output error: a failing disk or network mount",
    errno.ENOENT: "the folder is missing",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ELOOP: "its symbolic links go in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EFBIG: "the file would be larger than allowed",
    errno.EBUSY: "it is in use (a bind-mounted file, say: mount its folder instead)",
}
"""The system's terse texts, put so that a person knows where to look (FAULTS 2.5)."""


def cause_of(error: OSError) -> str:
    """Return why a call failed, in words, without the path."""
    if error.errno is None:
        return type(error).__name__
    return WORDS.get(error.errno) or os.strerror(error.errno).lower()


def refused(op: str, path: object, error: OSError) -> StoreError:
    """Return the error to raise for a refused operation."""
    return StoreError(op, str(path), cause_of(error), error.errno)
