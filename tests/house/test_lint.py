"""ruff and mypy have nothing to say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house import tree


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Return what a tool says about the tree."""
    return subprocess.run([sys.executable, "-m", *command], cwd=tree.ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command", [("ruff", "check", "--output-format=concise", "."), ("ruff", "format", "--check", ".")]
)
def test_ruff_is_content(command: tuple[str, ...]) -> None:
    """Every rule of ruff holds, except those that pyproject.toml ignores with a reason."""
    judged = run(*command)
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.long
def test_mypy_is_content() -> None:
    """The package and dev.py are fully and strictly typed."""
    judged = run("mypy")
    assert judged.returncode == 0, judged.stdout + judged.stderr
