"""
The keys that callers of everup use: its own, and those of named clients.

What must not live here: checking a request's key (see `surfaces`). Called by app at start and by `everup keys`;
blocking, so in a worker thread or before serving.
"""

from __future__ import annotations

import errno
import re
import secrets
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from everup.credentials.sources import checked
from everup.disk.read import ReadState, read_file
from everup.disk.write import make_home, write_durable
from everup.errors import CredentialError, StoreError
from everup.shapes.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "EVERUP_API_KEY"
KEY_NAME = "key"
KEY_FILE_BYTES_MAX = 8192
RANDOM_BYTES = 32
OWN = re.compile(r"eu-[A-Za-z0-9_-]{43}")
ELSEWHERE = "set EVERUP_HOME to a folder that can be written, or EVERUP_API_KEY to a key of yours"
WINDOWS_MODE = 0o666
"""What Windows reports for every writable file: it says nothing about who may read it."""


class OwnKey(Struct, frozen=True, kw_only=True):
    """
    The server's own key.

    `where` says where it is, for a person; `problem` says why it could not be kept, or what is wrong with the file.
    """

    secret: Secret
    where: str
    is_new: bool = False
    is_kept: bool = True
    """False when it lives in memory only: then it must be printed once."""
    problem: str = ""
    cause: str = ""
    """Why it is not kept, as a clause."""


def new_key() -> Secret:
    """Return a fresh key: `eu-` and 32 random bytes."""
    return Secret(f"eu-{secrets.token_urlsafe(RANDOM_BYTES)}")


def is_own_key(text: str) -> bool:
    """Return whether a text has the shape of everup's keys, not a provider's."""
    return OWN.fullmatch(text.strip()) is not None


def ensure_key(home: Path, environ: Mapping[str, str]) -> OwnKey:
    """
    Return the key: `EVERUP_API_KEY`, else the file's, else a new one.

    A new one is written to the home if that is possible, else it lives in memory (ruling 13).
    """
    if environ.get(VARIABLE, "").strip():
        secret = checked(environ[VARIABLE], f"the environment variable {VARIABLE}", f"export {VARIABLE}=...")
        return OwnKey(secret=secret, where=f"${VARIABLE}")
    path = home / KEY_NAME
    found = stored_key(path)
    return found if found is not None else make_key(path)


def read_key(home: Path, environ: Mapping[str, str]) -> str:
    """Return this home's key without ever making one; "" when there is none."""
    if environ.get(VARIABLE, "").strip():
        return environ[VARIABLE].strip()
    found = stored_key(home / KEY_NAME)
    return found.secret.reveal() if found is not None and found.is_kept else ""


def stored_key(path: Path) -> OwnKey | None:
    """
    Return the file's key.

    None if there is no file; one in memory if there is a file that must not be lost.
    """
    read = read_file(path, KEY_FILE_BYTES_MAX)
    if read.state is ReadState.ABSENT:
        return None
    if read.state is not ReadState.OK:
        return in_memory(f"{path} cannot be read: {read.cause}", f"make it a file that everup can read, or {ELSEWHERE}")
    try:
        secret = checked(read.data.decode("utf-8-sig", "replace"), str(path), "")
    except CredentialError as error:
        return in_memory(f"{error.reason}; it was left as it is", f"rm {path}")
    is_open = bool(read.mode & (stat.S_IRWXG | stat.S_IRWXO)) and read.mode != WINDOWS_MODE
    problem = f"others can read {path}: chmod 600 {path}" if is_open else ""
    return OwnKey(secret=secret, where=str(path), problem=problem)


def make_key(path: Path) -> OwnKey:
    """Return a new key, kept in its file where that is possible."""
    secret = new_key()
    try:
        make_home(path.parent)
        write_durable(path, f"{secret.reveal()}\n".encode("ascii"), is_new=True)
    except StoreError as error:
        if error.errno == errno.EEXIST and (found := stored_key(path)) is not None:
            return found  # another everup was faster: its key is the one
        return in_memory(str(error), ELSEWHERE)
    return OwnKey(secret=secret, where=str(path), is_new=True)


def in_memory(cause: str, fix: str) -> OwnKey:
    """Return a new key that is not kept, with the reason."""
    problem = f"{cause}. This key is good until everup stops; to keep one: {fix}"
    return OwnKey(secret=new_key(), where="memory", is_new=True, is_kept=False, problem=problem, cause=cause)
