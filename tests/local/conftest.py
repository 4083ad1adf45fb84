"""
What the tests of `local` share: small model files, the real one where it is installed, waiting with a deadline.

Must not live here: anything another room needs.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from everup.local.model_file import ModelFile, NoModel, describe, find_model

EMPTY_GGUF = struct.pack("<4sIQQ", b"GGUF", 3, 0, 0) + bytes(8)


@pytest.fixture
def small_model(tmp_path: Path) -> ModelFile:
    """Return a GGUF file that is well-formed and holds nothing."""
    path = tmp_path / "Tiny-1M.Q8_0.gguf"
    path.write_bytes(EMPTY_GGUF)
    return describe(path)


@pytest.fixture
def real_model(tmp_path: Path) -> ModelFile:
    """Return the real model's file, or skip by name."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed")
    found = find_model(tmp_path)
    if isinstance(found, NoModel):
        pytest.skip(f"no model here: {found.cause}")
    return found


async def until(is_so: Callable[[], bool], within_s: float = 10.0) -> None:
    """The condition holds, or the test fails."""
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    """Return whether a process is there and not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
