"""
The command line as a person has it: a process of its own with a home of its own.

Lives here: running it and what it left behind. Must not: gateways to talk to (see `fake_gateway`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from everup.testing.gateway import KEPT_ENVIRONMENT

WITHIN_S = 15
CLOSED = "http://127.0.0.1:9"
"""The port of the discard service: nobody listens there."""


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Everup = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def everup(tmp_path: Path, home: Path) -> Everup:
    """Return a function that runs everup with arguments, stdin and variables."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> Done:
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "everup", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=WITHIN_S,
            check=False,
            cwd=tmp_path,
            env={**kept, "HOME": str(home), "EVERUP_HOME": str(home), "EVERUP_URL": CLOSED, **variables},
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
