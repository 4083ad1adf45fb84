"""
Big files: their head, and moving one into place whole or not at all.

What must not live here: what the bytes mean. Called by `local` for model files; every other file is small and
goes through `disk.read` and `disk.write`. Both functions block: call them from a thread or a command.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from everup.disk.cause import refused
from everup.disk.write import sync_folder

if TYPE_CHECKING:
    from pathlib import Path


def read_head(path: Path, bytes_max: int) -> bytes:
    """Return the first bytes of a file, at most `bytes_max`; StoreError says why not."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max)
    except OSError as error:
        raise refused("read", path, error) from error


def move_into_place(source: Path, target: Path) -> None:
    """`target` is `source`, on disk, never half of it (same file system)."""
    try:
        with source.open("rb+") as file:
            os.fsync(file.fileno())
        source.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise refused("write", target, error) from error
