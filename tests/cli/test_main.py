"""The front door: help, usage errors, and the boundary that makes every error a sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from everup.cli.exits import MEANING, Ended, Exit
from everup.cli.main import told
from everup.errors import ConfigError, CredentialError, StoreError, TransportError, TransportKind
from tests.cli.conftest import Everup


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (Ended(Exit.KEY_REFUSED, "no"), 4, "no"),
        (ConfigError(("f:1:1: a", "f:2:1: b")), 78, "f:1:1: a\nf:2:1: b"),
        (CredentialError("no key", "export X=..."), 1, "no key\n  fix: export X=..."),
        (StoreError("write", "/x/key", "the disk is full"), 1, "cannot write /x/key: the disk is full"),
        (TransportError(TransportKind.REFUSED, "nobody there"), 3, "nobody there"),
        (OSError(errno.EACCES, "Permission denied", "/x"), 1, "/x: Permission denied"),
    ],
)
def test_every_error_becomes_a_sentence(error: Exception, code: int, sentence: str) -> None:
    """Each kind of error has its exit code and its own words."""
    assert (code, sentence) == told(error)


def test_an_unexpected_error_shows_no_inside() -> None:
    """A bug is told by its kind only, for its text may hold anything, with the way to see more."""
    code, sentence = told(ValueError("sk-secret"))
    assert 1 == code
    assert "sk-secret" not in sentence
    assert "EVERUP_DEBUG=1" in sentence


def test_every_exit_code_is_explained() -> None:
    """The documentation has a meaning for each exit code."""
    assert set(Exit) == set(MEANING)


def test_usage_errors(everup: Everup) -> None:
    """What everup does not know is said on stderr with exit code 2."""
    done = everup("chat", "--modle", "x")
    assert (2, "") == (done.code, done.out)
    assert "--model" in done.err
    assert 2 == everup("frobnicate").code


def test_help_of_everything(everup: Everup) -> None:
    """The first help page names every command, and each command's ends with an example."""
    page = everup("--help").out
    for command in ("run", "env", "chat", "models", "status", "keys", "local", "config", "version"):
        assert f"\n  {command} " in page
    assert "Example: everup run" in everup("run", "-h").out


@pytest.mark.parametrize("command", ["version", "keys list", "config show", "local status", "chat ü"])
def test_a_poor_terminal_and_no_home(everup: Everup, command: str) -> None:
    """A terminal without the letters and a home that cannot be there end in no traceback."""
    assert "Traceback" not in everup(*command.split(), PYTHONIOENCODING="ascii", EVERUP_HOME="/nowhere/ü").err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_reader_that_leaves(tmp_path: Path) -> None:
    """When nobody reads stdout any more the command ends without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "everup", "version"]
    environ = {**os.environ, "EVERUP_HOME": str(tmp_path)}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environ, check=False)
    os.close(writing)
    assert (1, b"") == (done.returncode, done.stderr)
