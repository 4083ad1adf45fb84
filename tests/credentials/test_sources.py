"""A reference to its secret, or the reason and the command that fixes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everup.credentials.sources import SECRET_BYTES_MAX, checked, resolve
from everup.disk.read import read_file
from everup.errors import CredentialError
from everup.shapes.secret import Secret, SecretRef, SourceKind

CANARY = "sk-CANARY7x9"


def reason_of(ref: SecretRef, **environ: str) -> str:
    """Return why a reference has no secret, with the fix."""
    with pytest.raises(CredentialError) as caught:
        resolve(ref, environ, read_file)
    return f"{caught.value.reason} | {caught.value.fix}"


def test_a_variable_is_read() -> None:
    """An environment variable gives its value without the whitespace around it."""
    assert Secret("abc") == resolve(SecretRef(SourceKind.ENV, "KEY"), {"KEY": " abc\n"}, read_file)


def test_a_missing_variable_says_what_to_type() -> None:
    """A variable that is not set, or empty, is named with the line that sets it."""
    ref = SecretRef(SourceKind.ENV, "GROQ_API_KEY")
    expected = "the environment variable GROQ_API_KEY is not set | export GROQ_API_KEY=..."
    assert expected == reason_of(ref)
    assert "GROQ_API_KEY is empty" in reason_of(ref, GROQ_API_KEY=" ")


@pytest.mark.parametrize("data", [b"abc", b"abc\n", b"abc\r\n", b"\xef\xbb\xbfabc\n"])
def test_a_file_is_read(tmp_path: Path, data: bytes) -> None:
    """A file gives its one line, however the editor ended or began it."""
    (tmp_path / "key").write_bytes(data)
    assert Secret("abc") == resolve(SecretRef(SourceKind.FILE, str(tmp_path / "key")), {}, read_file)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo", "more than one line"),
        (b"\xff\xfe", "is not UTF-8"),
        ("schlüssel".encode(), "outside ASCII"),
        (b"a b", "a space"),
        (b"a\0b", "control character"),
        (b"x" * (SECRET_BYTES_MAX + 1), "larger than"),
    ],
)
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    """A file without exactly one sendable key is out, with its path and the reason."""
    (tmp_path / "key").write_bytes(data)
    reason = reason_of(SecretRef(SourceKind.FILE, str(tmp_path / "key")))
    assert words in reason
    assert str(tmp_path / "key") in reason


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    """A file that does not exist and a path that is no file have their own reasons."""
    assert "does not exist" in reason_of(SecretRef(SourceKind.FILE, str(tmp_path / "no")))
    assert "it is a folder" in reason_of(SecretRef(SourceKind.FILE, str(tmp_path)))


def test_a_keyless_reference_has_no_secret() -> None:
    """What stands for no stored secret is never resolved by mistake."""
    assert "stands for no stored secret" in reason_of(SecretRef(SourceKind.KEYLESS))


@settings(deadline=None)
@given(st.text())
def test_a_secret_is_sendable_or_refused_without_being_shown(text: str) -> None:
    """Any text is a secret that fits in a header, or is refused by a message that does not hold it."""
    try:
        secret = checked(f"{CANARY}{text}", "KEY", "")
    except CredentialError as error:
        shown = repr(error) + error.reason
    else:
        shown = repr(secret) + str(secret) + f"{secret}"
        assert secret.reveal().isascii()
        assert not set(secret.reveal()) & set("\r\n\0 ")
    assert CANARY not in shown
