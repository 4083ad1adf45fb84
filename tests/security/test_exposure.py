"""Where everup listens, and with which key: FAULTS section 6, S1, as whole processes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from everup.testing.gateway import KEPT_ENVIRONMENT, KEY, config_text

pytestmark = pytest.mark.anyio

START_S = 15.0
REFUSED = 78
ADDRESS = re.compile(r"address +http://\S+:(\d+)/v1")
WEAK_KEYS = {
    "short": "short",
    "31 characters": KEY[:31],
    "long but one letter": "a" * 64,
    "long but two letters": "ab" * 40,
    "a word over and over": "password" * 10,
    "digits over and over": "1234567890" * 8,
}
OTHERS_CAN_REACH = ["::", "10.11.12.13", "2001:db8::1", "box.example", "::ffff:0.0.0.0", "0"]
WILDCARDS = {"0.0.0.0": "00000000", "::": "0" * 32}
"""Addresses, and how the kernel's tables write them."""
LISTEN = "0A"
# The namespace has no interface but its own loopback, so a wildcard there is reached from nowhere.
ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


class Ended(Struct, frozen=True):
    """How a process ended, and all it said."""

    code: int
    words: str


def has_ipv6() -> bool:
    """Return whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def can_be_alone() -> bool:
    """Return whether this user may make a network namespace."""
    if not all(map(shutil.which, ("unshare", "ip"))):
        return False
    return subprocess.run([*ALONE, "true"], check=False, capture_output=True).returncode == 0


def command(folder: Path, host: str, more: str = "") -> list[str]:
    """Return the command line of an everup that listens there on a free port; `more` ends its config file."""
    text = config_text(providers={"p": "http://127.0.0.1:1/v1"}, routes={"default": ["p/m"]}, more=more)
    file = folder / "everup.toml"
    file.write_text(text.replace("[server]\n", f'[server]\nhost = "{host}"\n'), encoding="utf-8")
    return [sys.executable, "-m", "everup", "run", "--config", str(file)]


def environ(folder: Path, key: str) -> dict[str, str]:
    """Return the process's environment, "" for no key."""
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    home = str(folder / "home")
    return {**kept, "HOME": home, "EVERUP_HOME": home, **({"EVERUP_API_KEY": key} if key else {})}


async def run_to_end(folder: Path, host: str, key: str) -> Ended:
    """Return how a process ended that must not start."""
    process = await asyncio.create_subprocess_exec(
        *command(folder, host), env=environ(folder, key), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(START_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, said.decode())


@asynccontextmanager
async def running(folder: Path, host: str, key: str, *before: str, more: str = "") -> AsyncIterator[tuple[int, int]]:
    """Yield process id and port of an everup that has started."""
    out = folder / "out"
    with out.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *before, *command(folder, host, more), env=environ(folder, key), stdout=file, stderr=subprocess.STDOUT
        )
    try:
        async with asyncio.timeout(START_S):
            while (told := ADDRESS.search(out.read_text(encoding="utf-8"))) is None:
                assert process.returncode is None, out.read_text(encoding="utf-8")
                await asyncio.sleep(0.02)
        yield process.pid, int(told[1])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def listening(pid: int, port: int) -> list[str]:
    """Return the addresses on which somebody listens at a port, in the process's network."""
    rows = []
    for table in ("tcp", "tcp6"):
        rows += Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    local = [row.split()[1] for row in rows if row.split()[3] == LISTEN]
    return [address for address, _, number in (each.partition(":") for each in local) if int(number, 16) == port]


@pytest.mark.parametrize(
    ("host", "kind"), [*((host, "short") for host in OTHERS_CAN_REACH), *(("0.0.0.0", kind) for kind in WEAK_KEYS)]
)
async def test_s1_a_weak_key_goes_nowhere(host: str, kind: str, tmp_path: Path) -> None:
    """Where others can reach it everup with a weak key ends with 78 and one sentence that says what to do (S1)."""
    key = WEAK_KEYS[kind]
    ended = await run_to_end(tmp_path, host, key)
    assert REFUSED == ended.code, ended.words
    assert "server.host" in ended.words
    assert "EVERUP_API_KEY" in ended.words
    assert "Traceback" not in ended.words
    assert key == "short" or key not in ended.words


async def test_s1_a_weak_key_in_the_file_goes_nowhere(tmp_path: Path) -> None:
    """A key file with a weak key counts as little as a weak variable (S1)."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "key").write_text("weak-key-in-a-file\n", encoding="ascii")
    (home / "key").chmod(0o600)
    ended = await run_to_end(tmp_path, "0.0.0.0", "")
    assert REFUSED == ended.code, ended.words
    assert "weak-key-in-a-file" not in ended.words


@pytest.mark.parametrize("key", ["", "short", KEY], ids=["no key", "a weak key", "a strong key"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
async def test_s1_this_machine_may_have_any_key(host: str, key: str, tmp_path: Path) -> None:
    """On a loopback address everup starts with any key, or makes one, and listens on loopback only (S1)."""
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    if host == "127.0.0.2" and sys.platform == "darwin":
        pytest.skip("macOS has no 127.0.0.2 unless it is added")
    async with running(tmp_path, host, key) as (pid, port):
        if sys.platform == "linux":
            found = listening(pid, port)
            assert found
            assert not set(WILDCARDS.values()) & set(found)


@pytest.mark.parametrize("key", ["", KEY], ids=["no key", "a strong key"])
@pytest.mark.parametrize("host", WILDCARDS)
async def test_s1_a_strong_key_may_go_anywhere(host: str, key: str, tmp_path: Path) -> None:
    """With a strong key, its own by default, everup listens on the wildcard it was given and on nothing else (S1)."""
    if not can_be_alone():
        pytest.skip("no network namespace here (root and the programs unshare and ip): nothing may listen on all")
    if host == "::" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    async with running(tmp_path, host, key, *ALONE) as (pid, port):
        assert [WILDCARDS[host]] == listening(pid, port)
    kept = tmp_path / "home" / "key"
    assert kept.exists() == (not key)
    if not key:
        assert re.fullmatch(r"eu-[A-Za-z0-9_-]{43}", kept.read_text(encoding="ascii").strip())
        assert 0o600 == stat.S_IMODE(kept.stat().st_mode)


@pytest.mark.parametrize(("host", "is_told"), [("0.0.0.0", True), ("127.0.0.1", False)])
async def test_s1_a_client_s_weak_key_goes_nowhere_but_loopback(tmp_path: Path, host: str, *, is_told: bool) -> None:
    """Where other machines can ask, a configured client with a weak key is left out by name, the rest served (S1)."""
    if not can_be_alone():
        pytest.skip("no network namespace here (root and the programs unshare and ip): nothing may listen on all")
    more = '[clients.app]\nkey = "a-word-of-mine-1234"\n'
    async with running(tmp_path, host, KEY, *ALONE, more=more):
        said = (tmp_path / "out").read_text(encoding="utf-8")
    assert is_told == ('"keys.too_weak"' in said)
    assert is_told == ("everup keys new app" in said)
    assert "a-word-of-mine-1234" not in said
