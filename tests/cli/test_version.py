"""`everup version`."""

from __future__ import annotations

import json
import subprocess
import sys

import everup as package
from tests.cli.conftest import Everup


def test_the_version_is_told(everup: Everup) -> None:
    """The plain form is one line that begins with name and version."""
    done = everup("version")
    assert (0, "", 1) == (done.code, done.err, done.out.count("\n"))
    assert done.out.startswith(f"everup {package.__version__} (Python 3.")


def test_the_version_as_json(everup: Everup) -> None:
    """The JSON form has the version under its name."""
    assert package.__version__ == json.loads(everup("version", "--json").out)["version"]


def test_the_version_option(everup: Everup) -> None:
    """The usual option tells the version too."""
    assert f"everup {package.__version__}\n" == everup("--version").out


def test_the_small_commands_import_nothing_heavy() -> None:
    """Building the command line loads no library that takes time or memory."""
    code = "import sys, everup.cli.main; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"rich", "tomlkit", "uvicorn", "prometheus_client", "asyncio", "ssl", "msgspec", "pydantic", "typer"}
    assert set() == heavy & loaded
