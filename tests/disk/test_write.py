"""Durable writes: whole or not at all, private, and refused in words."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from everup.disk.write import make_home, write_durable
from everup.errors import StoreError

posix = pytest.mark.skipif(os.name == "nt", reason="permissions and limits of POSIX")

SHORT_WRITES = """
import resource, signal, sys
from pathlib import Path
from everup.disk.write import write_durable
from everup.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_durable(Path(sys.argv[1]), b"n" * 5000)
except StoreError as error:
    sys.exit(f"{error.errno} {error.cause}")
"""


def mode_of(path: Path) -> int:
    """Return a path's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_old_content_is_replaced_whole(tmp_path: Path) -> None:
    """After a write the file holds exactly the new bytes and nothing else lies in the folder."""
    path = tmp_path / "x"
    write_durable(path, b"old and longer")
    write_durable(path, b"new")
    assert path.read_bytes() == b"new"
    assert ["x"] == [path.name for path in tmp_path.iterdir()]


@posix
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_the_umask_does_not_decide(tmp_path: Path, umask: int) -> None:
    """A file is 0600 and a home 0700 whatever the umask is (S17), also where the old file was open to all."""
    script = (
        f"import os, sys; os.umask({umask}); from pathlib import Path; "
        "from everup.disk.write import make_home, write_durable; "
        "home = Path(sys.argv[1]) / 'home'; make_home(home); write_durable(home / 'x', b'1')"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert (0o700, 0o600) == (mode_of(tmp_path / "home"), mode_of(tmp_path / "home" / "x"))
    (tmp_path / "open").touch(mode=0o666)
    write_durable(tmp_path / "open", b"secret")
    assert mode_of(tmp_path / "open") == 0o600


@posix
def test_a_write_that_breaks_off_leaves_the_old_content(tmp_path: Path) -> None:
    """When the system takes only a part of the bytes, the old file stays whole and no other file is left behind."""
    path = tmp_path / "x"
    write_durable(path, b"old")
    ran = subprocess.run([sys.executable, "-c", SHORT_WRITES, str(path)], check=False, capture_output=True, text=True)
    assert f"{errno.EFBIG} the file would be larger than allowed" == ran.stderr.strip()
    assert path.read_bytes() == b"old"
    assert ["x"] == [path.name for path in tmp_path.iterdir()]


def test_a_refusal_names_path_and_cause(tmp_path: Path) -> None:
    """A write into a missing folder, or over a folder, is a `StoreError` that a person can act on."""
    with pytest.raises(StoreError) as caught:
        write_durable(tmp_path / "no" / "x", b"")
    assert f"cannot write {tmp_path / 'no' / 'x'}: the folder is missing" == str(caught.value)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        write_durable(tmp_path / "folder", b"")
    assert ["folder"] == [path.name for path in tmp_path.iterdir()]


def test_a_new_file_is_never_put_over_another(tmp_path: Path) -> None:
    """Of many writers that make the same new file one wins and the others are told."""
    path = tmp_path / "key"
    refused: list[int | None] = []

    def write(data: bytes) -> None:
        try:
            write_durable(path, data, is_new=True)
        except StoreError as error:
            refused.append(error.errno)

    threads = [threading.Thread(target=write, args=(str(n).encode(),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [errno.EEXIST] * 7 == refused
    assert len(path.read_bytes()) == 1
    assert ["key"] == [path.name for path in tmp_path.iterdir()]


def test_a_home_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    """A folder of the user's keeps its permissions; a file in its place is refused."""
    tmp_path.chmod(0o755)
    make_home(tmp_path)
    assert mode_of(tmp_path) == 0o755 or os.name == "nt"
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="a file of that name is there"):
        make_home(tmp_path / "file")
    with pytest.raises(StoreError):
        make_home(tmp_path / "file" / "inside")
