"""
The supply chain (S25): what is installed is what was locked, and what is shipped is what is in the tree.

The tests that look at the installed wheel skip by name when the tree is imported directly.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from tests.house import tree

LOCKS = ("requirements/run.lock", "requirements/dev.lock", "requirements/build.lock", "src/everup/local/model.lock")
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==\S+(?: ; .+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
# Addresses that pip, npm, cargo or conda would fetch from; the brackets keep this line from matching itself.
REGISTRY = re.compile(r"py[p]i\.org|python[h]osted|npm[j]s\.(?:org|com)|crates[.]io|conda[.]anaconda", re.IGNORECASE)
AUDIT_S_MAX = 120

# Imports every module of the package and prints what that did to the world: files written, sockets, programs, threads.
IMPORT_ALL = """
import json, pkgutil, sys, threading
done = []
def watch(event, details):
    if event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+"):
        done.append(f"wrote {details[0]}")
    elif event.split(".")[0] in {"socket", "subprocess", "shutil", "tempfile"} or event in WATCHED:
        done.append(f"{event} {details}")
WATCHED = {"os.mkdir", "os.remove", "os.rename", "os.putenv", "os.chmod", "os.system", "os.fork", "os.posix_spawn"}
import everup
names = [module.name for module in pkgutil.walk_packages(everup.__path__, "everup.")]
before = set(sys.modules)
sys.addaudithook(watch)
for name in names:
    if name not in {"everup.__main__"}:
        __import__(name)
print(json.dumps({"done": done, "threads": threading.active_count(), "modules": len(names)}))
"""


@pytest.fixture
def shipped() -> dict[str, bytes]:
    """Return path and content of every file the installed wheel put below site-packages."""
    if Path(os.path.realpath(sys.modules["everup"].__file__ or "")).is_relative_to(tree.ROOT / "src"):
        pytest.skip("everup is imported from src: `python3 dev.py test` looks at the installed wheel")
    listed = metadata.files("everup") or []
    return {str(path): Path(str(path.locate())).read_bytes() for path in listed if path.suffix != ".pyc"}


def locked(lock: str) -> set[str]:
    """Return the names a lock pins."""
    lines = (tree.ROOT / lock).read_text(encoding="utf-8").splitlines()
    return {found["name"] for line in lines if (found := PIN.fullmatch(line))}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_its_hashes(lock: str) -> None:
    """A lock consists of exact versions with sha256 hashes and of nothing else, no index or link line."""
    lines = (tree.ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert [] == [line for line in lines if not PIN.fullmatch(line) and not HASH.fullmatch(line)]
    bare = [
        pin for pin, after in zip(lines, [*lines[1:], ""], strict=True) if PIN.fullmatch(pin) and not HASH.match(after)
    ]
    assert [] == bare


def test_the_locks_cover_the_project() -> None:
    """Every direct dependency in pyproject.toml is pinned in the lock that installs it."""
    project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = re.compile(r"[A-Za-z0-9._-]+")
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["local"]]
    runtime = {names.match(line).group().lower() for line in wanted}  # type: ignore[union-attr]
    dev = {names.match(line).group().lower() for line in project["dependency-groups"]["dev"]}  # type: ignore[union-attr]
    assert set() == runtime - locked("requirements/run.lock")
    assert set() == (runtime | dev) - locked("requirements/dev.lock")


def test_the_dev_lock_pins_what_users_run() -> None:
    """The tests run against exactly the versions that users install."""
    pins = {line for line in (tree.ROOT / LOCKS[0]).read_text(encoding="utf-8").splitlines() if PIN.fullmatch(line)}
    assert set() == pins - set((tree.ROOT / LOCKS[1]).read_text(encoding="utf-8").splitlines())


def test_no_file_names_a_registry() -> None:
    """No file names the host of a package registry, so that the user's own settings decide."""
    assert [] == [name for name, text in tree.texts() if REGISTRY.search(text)]


def test_the_wheel_is_the_tree(shipped: dict[str, bytes]) -> None:
    """The installed package has every file of the source tree, byte for byte, and no other."""
    source = {
        path.relative_to(tree.ROOT / "src").as_posix(): path.read_bytes()
        for path in tree.files()
        if path.is_relative_to(tree.SOURCE)
    }
    package = {name: data for name, data in shipped.items() if name.startswith("everup/")}
    assert sorted(source) == sorted(package)
    assert [] == [name for name, data in source.items() if package[name] != data]


def test_the_wheel_brings_nothing_else(shipped: dict[str, bytes]) -> None:
    """Beside the package the wheel has its metadata and the one command, and above all no .pth file."""
    others = [name for name in shipped if not name.startswith(("everup/", "everup-"))]
    assert ["everup"] == [Path(name).name.removesuffix(".exe") for name in others]
    assert [] == [name for name in shipped if name.endswith(".pth")]


def test_importing_does_nothing(tmp_path: Path) -> None:
    """Importing every module writes no file, opens no socket, starts no program and leaves no thread."""
    result = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert ([], 1) == (seen["done"], seen["threads"])
    assert seen["modules"] > 1
    assert [] == list(tmp_path.iterdir())


@pytest.mark.long
def test_no_locked_package_has_a_known_vulnerability() -> None:
    """pip-audit finds nothing against the packages that users run."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    command += ["-r", "requirements/run.lock", "-f", "json", "--timeout", "10"]
    try:
        audit = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, check=False, timeout=AUDIT_S_MAX)
    except subprocess.TimeoutExpired:
        pytest.skip(f"pip-audit did not get its database within {AUDIT_S_MAX} s")
    if not audit.stdout.startswith("{"):
        reason = ([line for line in audit.stderr.splitlines() if line.strip()] or ["it said nothing"])[-1]
        pytest.skip(f"pip-audit cannot reach its database: {reason}")
    packages = json.loads(audit.stdout)["dependencies"]
    assert [] == [package for package in packages if package.get("vulns")]
    if unknown := [package["skip_reason"] for package in packages if "skip_reason" in package]:
        pytest.skip(f"pip-audit could not judge {len(unknown)} of {len(packages)} packages, first: {unknown[0]}")
