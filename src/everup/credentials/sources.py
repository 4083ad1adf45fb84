"""
A reference to its secret: environment, file, literal.

What must not live here: memory (see `holder`). A failure names the reference and the command that fixes it, never
the secret. File reading is called in worker threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from everup.disk.read import ReadResult, ReadState
from everup.errors import CredentialError
from everup.shapes.secret import Secret, SecretRef, SourceKind

SECRET_BYTES_MAX = 65_536
"""A secret file is a line of text; whatever is longer is another file."""

ReadFile = Callable[[Path, int], ReadResult]


def resolve(ref: SecretRef, environ: Mapping[str, str], read_file: ReadFile) -> Secret:
    """
    Return the secret that an env, file or literal reference stands for.

    `CredentialError` if it cannot be had.
    """
    match ref.kind:
        case SourceKind.ENV:
            return from_environ(ref.name, environ)
        case SourceKind.FILE:
            return from_file(ref.name, read_file)
        case SourceKind.LITERAL if ref.literal is not None:
            return checked(ref.literal.reveal(), "the key in the config file", "write it again")
        case _:
            raise CredentialError(f"{ref.describe()} stands for no stored secret")


def from_environ(name: str, environ: Mapping[str, str]) -> Secret:
    """Return the secret in an environment variable."""
    text = environ.get(name)
    fix = f"export {name}=..."
    if text is None:
        raise CredentialError(f"the environment variable {name} is not set", fix)
    return checked(text, f"the environment variable {name}", fix)


def from_file(name: str, read_file: ReadFile) -> Secret:
    """Return the secret in a file, without the newline at its end."""
    read = read_file(Path(name).expanduser(), SECRET_BYTES_MAX)
    if read.state is ReadState.ABSENT:
        raise CredentialError(f"the file {name} does not exist", f"write the key into {name}")
    if read.state is not ReadState.OK:
        raise CredentialError(
            f"the file {name} cannot be read: {read.cause}", f"make {name} a file that everup can read"
        )
    fix = f"write the key alone into {name}"
    try:
        text = read.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CredentialError(f"the file {name} is not UTF-8 text", fix) from None
    return checked(text, f"the file {name}", fix)


def checked(text: str, holder: str, fix: str) -> Secret:
    """Return a text, stripped, as a secret that a header can carry (S13)."""
    text = text.strip()
    if not text:
        raise CredentialError(f"{holder} is empty", fix)
    if "\n" in text or "\r" in text:
        raise CredentialError(f"{holder} holds more than one line", fix)
    if not all("!" <= char <= "~" for char in text):
        raise CredentialError(
            f"{holder} holds a space, a control character or a letter outside ASCII, which no header can carry", fix
        )
    return Secret(text)
