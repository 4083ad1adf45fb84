"""Who holds a port."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from everup.probe.port import Listener, find_listener

ROW = "   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000 0 {inode} 1 0\n"


def make_proc(folder: Path, *, state: str = "0A", port: int = 4400, inode: str = "77") -> Path:
    """Return a folder that looks like /proc with one process that holds a socket."""
    (folder / "net").mkdir()
    (folder / "net" / "tcp").write_text("header\n" + ROW.format(port=port, state=state, inode=inode))
    (folder / "12" / "fd").mkdir(parents=True)
    (folder / "12" / "fd" / "3").symlink_to("socket:[77]")
    (folder / "12" / "cmdline").write_bytes(b"/usr/bin/thing\0serve\0--port\0secret\0")
    (folder / "self").mkdir()
    return folder


@pytest.mark.skipif(os.name != "posix", reason="links named like sockets")
def test_the_listener_is_named(tmp_path: Path) -> None:
    """The process that listens is found, with the first words of its command."""
    assert Listener(12, "/usr/bin/thing serve --port") == find_listener(4400, make_proc(tmp_path))


@pytest.mark.skipif(os.name != "posix", reason="links named like sockets")
@pytest.mark.parametrize(
    "changes", [{"state": "01"}, {"port": 4401}, {"inode": "78"}], ids=["connected", "other port", "other socket"]
)
def test_nobody_else_is_named(tmp_path: Path, changes: dict[str, str]) -> None:
    """A mere connection, another port or a socket nobody shows give no name."""
    assert find_listener(4400, make_proc(tmp_path, **changes)) is None  # type: ignore[arg-type]  # a port is a number


def test_without_proc_nobody_is_named(tmp_path: Path) -> None:
    """Where there is no /proc the answer is that it is not known."""
    assert find_listener(4400, tmp_path / "none") is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_real_table_is_read() -> None:
    """A socket of this process is found in the kernel's own table."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        found = find_listener(held.getsockname()[1])
    assert found is not None
    assert os.getpid() == found.pid
