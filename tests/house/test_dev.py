"""dev.py says plainly what is missing, whatever is missing."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dev
from tests.house import tree

# What pip and venv say on Linux, shortened.
SAID = {
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device": "the disk is full",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.": "not the one that was locked",
    "WARNING: connection broken by 'NewConnectionError'\nERROR: No matching distribution found for x==1": (
        "the package index cannot be reached"
    ),
    "Error: [Errno 13] Permission denied: '.venv'": "a folder cannot be written",
    "ERROR: No matching distribution found for msgspec==0.22.0": "no ready-made package",
    "something nobody foresaw": "something nobody foresaw",
}


def start(*words: str, before: str = "", cwd: Path = tree.ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Return how dev.py ended, started after the lines of `before` in its own interpreter."""
    code = (
        f"import runpy, sys\n{before}\nsys.argv = ['dev.py', *{words!r}]\nrunpy.run_path('dev.py', run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what dev.py needs to begin."""
    for name in ("dev.py", "pyproject.toml", "requirements", "src"):
        source = tree.ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(("said", "meaning"), SAID.items())
def test_a_failed_step_is_one_plain_sentence(said: str, meaning: str) -> None:
    """The message holds the step, the cause, the tool's own last line and what to do."""
    message = str(dev.failure("installing x", said))
    assert message.startswith("installing x failed")
    assert meaning in message
    assert said.splitlines()[-1] in message
    assert "to do: " in message


def test_old_pythons_can_read_it() -> None:
    """Python 3.6 parses dev.py far enough to print its one sentence."""
    assert ast.parse((tree.ROOT / "dev.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_an_old_python_is_told_so() -> None:
    """A Python before 3.11 gets a sentence with both versions and exit code 2."""
    ended = start("run", before="sys.version_info = (3, 8, 1, 'final', 0)")
    assert (2, 1) == (ended.returncode, ended.stderr.count("\n"))
    assert "everup needs Python 3.11 or newer; this is Python 3.8" in ended.stderr


def test_a_missing_venv_module_names_the_package(clone: Path) -> None:
    """Without ensurepip the package to install is named and nothing is left half made."""
    ended = start("run", before="sys.modules['ensurepip'] = None", cwd=clone)
    assert ended.returncode == 2
    assert "apt install python3-venv" in ended.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--help",), 0), (("walk",), 2)])
def test_the_commands_are_listed(words: tuple[str, ...], code: int) -> None:
    """Without a command, or with an unknown one, the commands are listed."""
    ended = start(*words)
    assert code == ended.returncode
    assert [] == [name for name in dev.COMMANDS if name not in ended.stderr]


@pytest.mark.long
def test_without_a_network_it_says_so(clone: Path) -> None:
    """When the index cannot be reached the cause, pip's last line and the way out are said, with exit code 3."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    ended = start("run", cwd=clone, PIP_NO_CACHE_DIR="1", PIP_CONFIG_FILE=os.devnull, **nowhere)
    assert ended.returncode == 3, ended.stderr
    assert "installing" in ended.stderr
    assert "the package index cannot be reached" in ended.stderr
    assert "Traceback" not in ended.stderr


def want_system_packages(folder: Path) -> str:
    """Return what is said about missing system packages when the folder is the whole PATH."""
    code = "import dev; dev.install_system_packages()"
    env = {**os.environ, "PATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=tree.ROOT, env=env, capture_output=True, text=True, check=True
    ).stderr


def test_missing_system_packages_are_named(tmp_path: Path) -> None:
    """Where apt-get is not there or not permitted, each missing package is named and the tests go on."""
    said = want_system_packages(tmp_path)
    assert [] == [package for package in dev.SYSTEM_PACKAGES.values() if package not in said]
    assert "skip by name" in said


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may install packages")
def test_missing_system_packages_are_installed(tmp_path: Path) -> None:
    """Where apt-get is there and permitted it is asked for the missing packages, without questions."""
    asked = tmp_path / "asked"
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> {asked}\n', encoding="utf-8")
    apt.chmod(0o755)
    want_system_packages(tmp_path)
    update, *installs = asked.read_text(encoding="utf-8").splitlines()
    assert update == "noninteractive -qq update"
    install = "noninteractive -qq install -y --no-install-recommends"
    assert installs == [f"{install} {package}" for package in ("nginx-light", "gcc", "iproute2", "chromium")]


def test_the_lock_without_the_local_model_is_whole() -> None:
    """Where xllamacpp has no wheel the lock loses exactly that package and its hashes."""
    lock = dev.RUN_LOCK.read_text(encoding="utf-8")
    shorter = dev.without(lock, dev.LOCAL_PACKAGE)
    gone = [line for line in lock.splitlines() if line not in shorter.splitlines()]
    assert gone[0].startswith(f"{dev.LOCAL_PACKAGE}==")
    assert all(line.startswith("    --hash=sha256:") for line in gone[1:])
    assert len(lock.splitlines()) == len(shorter.splitlines()) + len(gone)


def test_the_model_that_dev_locks_is_the_locked_one() -> None:
    """`dev.py lock` asks for the version of the model that is locked."""
    assert dev.MODEL_LOCK.read_text(encoding="utf-8").startswith(f"{dev.MODEL_PACKAGE} ")


@pytest.mark.parametrize("change", ["requirements/run.lock", "src/everup/local/model.lock", "pyproject.toml"])
def test_a_changed_lock_changes_the_stamp(clone: Path, change: str) -> None:
    """An environment made from other locks is not taken for the present one."""
    names = ["requirements/run.lock", "src/everup/local/model.lock", "pyproject.toml"]
    code = f"import dev; print(dev.digest(dev.ROOT / name for name in {names!r}))"

    def stamp() -> bytes:
        return subprocess.run([sys.executable, "-c", code], cwd=clone, capture_output=True, check=True).stdout

    before = stamp()
    assert before == stamp()
    with (clone / change).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert before != stamp()
