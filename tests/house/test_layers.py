"""Imports go down the house and never up: import-linter reads the contracts in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import tree

LINTER = Path(sys.executable).with_name("lint-imports.exe" if os.name == "nt" else "lint-imports")


def lint(source: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Return how import-linter judges the installed package, or the one below `source`."""
    env = dict(os.environ) if source is None else {**os.environ, "PYTHONPATH": str(source)}
    command = [str(LINTER), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=tree.ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_contracts_are_kept() -> None:
    """No module imports one that stands above it, beside it, or outside what its room may know."""
    judged = lint()
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("shapes/fault.py", "import everup.engine", "imports go down the house"),
        ("disk/__init__.py", "import everup.net", "imports go down the house"),
        ("app.py", "import everup.testing", "only tests import the fakes"),
        ("engine/__init__.py", "import everup.disk", "the run never touches a file"),
        ("wires/openai_chat/__init__.py", "import socket", "sockets are opened by net alone"),
        ("wires/framing.py", "import everup.wires.openai_chat", "wires do not know each other"),
        ("attic/__init__.py", "", "imports go down the house"),
    ],
)
def test_a_planted_breach_is_caught(tmp_path: Path, module: str, line: str, contract: str) -> None:
    """A forbidden import or an unlisted room breaks the contract that forbids it."""
    shutil.copytree(tree.SOURCE, tmp_path / "everup", ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path / "everup" / module
    target.parent.mkdir(exist_ok=True)
    with target.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    judged = lint(tmp_path)
    assert judged.returncode == 1, judged.stdout + judged.stderr
    assert f"{contract} BROKEN" in judged.stdout
