"""everup's own key: from the variable, the file, or new; kept where that is possible."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from everup.credentials.keys import ensure_key, is_own_key, new_key, read_key
from everup.errors import CredentialError
from everup.shapes.secret import Secret

posix = pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")


def test_the_first_run_makes_a_key_and_keeps_it(tmp_path: Path) -> None:
    """A new key is written to the home, and found there ever after."""
    home = tmp_path / "deep" / "home"
    first = ensure_key(home, {})
    again = ensure_key(home, {})
    assert (first.is_new, first.is_kept, first.problem) == (True, True, "")
    assert (again.is_new, again.secret, again.where) == (False, first.secret, str(home / "key"))
    assert first.secret.reveal() == read_key(home, {})


@posix
def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    """The home made is 0700 and the key in it 0600 (ruling 13)."""
    ensure_key(tmp_path / "home", {})
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home", tmp_path / "home" / "key")]
    assert [0o700, 0o600] == modes


def test_the_variable_wins(tmp_path: Path) -> None:
    """`EVERUP_API_KEY` is the key, and nothing is written."""
    own = ensure_key(tmp_path, {"EVERUP_API_KEY": " mine \n"})
    assert (Secret("mine"), "$EVERUP_API_KEY", False) == (own.secret, own.where, own.is_new)
    assert "mine" == read_key(tmp_path, {"EVERUP_API_KEY": "mine"})
    assert [] == list(tmp_path.iterdir())


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """`EVERUP_API_KEY=` does not make an empty key."""
    assert ensure_key(tmp_path, {"EVERUP_API_KEY": ""}).is_new


def test_a_variable_no_header_can_carry_is_refused(tmp_path: Path) -> None:
    """A key with a control character is an error that names the variable and not the key."""
    with pytest.raises(CredentialError) as caught:
        ensure_key(tmp_path, {"EVERUP_API_KEY": "CANARY\x01x"})
    assert "EVERUP_API_KEY" in caught.value.reason
    assert "CANARY" not in caught.value.reason


def test_without_a_writable_place_the_key_lives_in_memory(tmp_path: Path) -> None:
    """A home that cannot be made costs nothing but keeping the key, and the reason is told with what to do."""
    (tmp_path / "file").touch()
    own = ensure_key(tmp_path / "file" / "home", {})
    assert (own.is_new, own.is_kept, own.where) == (True, False, "memory")
    assert str(tmp_path / "file") in own.problem
    assert "set EVERUP_HOME" in own.problem
    assert own.secret.reveal() not in own.problem
    assert "" == read_key(tmp_path / "file" / "home", {})


@pytest.mark.parametrize("data", [b"", b"\n", b"two\nlines", b"\xff\xfe\x00"])
def test_a_damaged_key_file_is_never_written_over(tmp_path: Path, data: bytes) -> None:
    """A key file that holds no key stays as it is, and a key in memory serves."""
    (tmp_path / "key").write_bytes(data)
    own = ensure_key(tmp_path, {})
    assert not own.is_kept
    assert "left as it is" in own.problem
    assert data == (tmp_path / "key").read_bytes()


@posix
def test_a_key_file_that_is_a_folder_is_left_alone(tmp_path: Path) -> None:
    """What cannot be read is not replaced."""
    (tmp_path / "key").mkdir()
    assert "it is a folder" in ensure_key(tmp_path, {}).problem
    assert (tmp_path / "key").is_dir()


@posix
def test_a_key_others_can_read_is_used_and_told(tmp_path: Path) -> None:
    """A key file with loose permissions serves, with the command that closes it (FAULTS row 10)."""
    (tmp_path / "key").write_text("abcdefgh\n")
    (tmp_path / "key").chmod(0o644)
    own = ensure_key(tmp_path, {})
    assert (Secret("abcdefgh"), True) == (own.secret, own.is_kept)
    assert f"chmod 600 {tmp_path / 'key'}" in own.problem


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """Commands that only look create neither home nor key."""
    assert "" == read_key(tmp_path / "home", {})
    assert [] == list(tmp_path.iterdir())


def test_our_keys_are_known_by_their_shape() -> None:
    """A key everup made is recognised, a provider's is not."""
    assert is_own_key(new_key().reveal())
    assert is_own_key(f" {new_key().reveal()}\n")
    assert not any(map(is_own_key, ("", "eu-", "sk-proj-abc", "eu-" + "a" * 42, "eu-" + "ä" * 43)))


def test_a_key_is_random_and_hidden() -> None:
    """Keys differ, and their repr shows nothing."""
    keys = {new_key().reveal() for _ in range(100)}
    assert len(keys) == 100
    assert "eu-" not in repr(ensure_key(Path("/dev/null/x"), {}))
