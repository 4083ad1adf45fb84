"""Reading a file has four answers and never hangs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from everup.disk.read import ReadState, read_file

posix = pytest.mark.skipif(os.name == "nt", reason="pipes and links of POSIX")


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """A file up to the bound is ok, with all its bytes and its permission bits."""
    path = tmp_path / "x"
    path.write_bytes(b"a" * 100_000)
    path.chmod(0o640)
    read = read_file(path, 100_000)
    assert (read.state, len(read.data)) == (ReadState.OK, 100_000)
    assert read.mode == 0o640 or os.name == "nt"


def test_a_missing_file_is_absent(tmp_path: Path) -> None:
    """Only a file that is not there is absent, also when its folder is missing."""
    assert read_file(tmp_path / "x", 10).state is ReadState.ABSENT
    assert read_file(tmp_path / "no" / "x", 10).state is ReadState.ABSENT


def test_a_file_over_the_bound_is_unreadable(tmp_path: Path) -> None:
    """One byte over the bound is refused with the bound in words."""
    (tmp_path / "x").write_bytes(b"a" * 1025)
    read = read_file(tmp_path / "x", 1024)
    assert (ReadState.UNREADABLE, b"", "it is larger than 1,024 bytes") == (read.state, read.data, read.cause)


@posix
def test_what_is_no_file_is_named_at_once(tmp_path: Path) -> None:
    """A folder, a pipe nobody writes to, a socket and a device are refused by name without waiting."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        causes = [read_file(path, 10).cause for path in (tmp_path, tmp_path / "pipe", tmp_path / "socket", "/dev/null")]
    assert [f"it is a {word}, not a file" for word in ("folder", "pipe", "socket", "device")] == causes


@posix
def test_links_are_followed_and_broken_ones_named(tmp_path: Path) -> None:
    """A link to a file is read, a dangling one is unreadable rather than absent, a circle is named."""
    (tmp_path / "file").write_bytes(b"x")
    for name, target in (("good", "file"), ("dangling", "nowhere"), ("circle", "circle")):
        (tmp_path / name).symlink_to(tmp_path / target)
    assert read_file(tmp_path / "good", 10).data == b"x"
    assert read_file(tmp_path / "dangling", 10).cause == "it is a symbolic link to nothing"
    assert "circle" in read_file(tmp_path / "circle", 10).cause
    assert {ReadState.UNREADABLE} == {read_file(tmp_path / name, 10).state for name in ("dangling", "circle")}


@posix
def test_a_path_through_a_file_is_unreadable(tmp_path: Path) -> None:
    """A path whose folder is a file is no absent file, for nothing can be created there."""
    (tmp_path / "file").write_bytes(b"x")
    assert read_file(tmp_path / "file" / "x", 10).state is ReadState.UNREADABLE


@posix
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_says_so(tmp_path: Path) -> None:
    """A file that may not be read is unreadable with that cause."""
    (tmp_path / "x").touch(mode=0o000)
    assert read_file(tmp_path / "x", 10).cause == "permission denied"


def test_a_path_with_a_nul_is_unreadable() -> None:
    """A path that no system can have is an answer, not an exception."""
    assert read_file("a\0b", 10).state is ReadState.UNREADABLE


def test_the_bytes_are_not_in_the_repr(tmp_path: Path) -> None:
    """What was read may be a secret, so its repr shows state and size only."""
    (tmp_path / "x").write_bytes(b"CANARY")
    read = read_file(tmp_path / "x", 10)
    assert "CANARY" not in repr(read)
    assert (ReadState.CORRUPT, b"") == (read.as_corrupt("it is not JSON").state, read.as_corrupt("").data)
