"""
Causes: the system's errors as kinds and words.

What must not live here: raising while an answer is read (see `exchange`). Called by `dial`, `dns` and `exchange`.
"""

from __future__ import annotations

import errno
import os
import socket

from everup.errors import TransportError, TransportKind

LOCAL, UNREACHABLE, TIMEOUT = TransportKind.LOCAL, TransportKind.UNREACHABLE, TransportKind.CONNECT_TIMEOUT
KIND_OF_ERRNO = {
    errno.EMFILE: LOCAL,
    errno.ENFILE: LOCAL,
    errno.ENOMEM: LOCAL,
    errno.ENOBUFS: LOCAL,
    errno.EAGAIN: LOCAL,
    errno.ECONNREFUSED: TransportKind.REFUSED,
    errno.ECONNRESET: TransportKind.RESET,
    errno.ECONNABORTED: TransportKind.RESET,
    errno.EPIPE: TransportKind.RESET,
    errno.ETIMEDOUT: TIMEOUT,
}
"""What an error at connect means; everything else is a way of being unreachable."""

TELLING = (LOCAL, TransportKind.REFUSED, TransportKind.RESET, TIMEOUT, UNREACHABLE)
"""Of several addresses' failures the one that says most comes first: a dead IPv6 route hides nothing."""


def words(error: OSError) -> str:
    """
    Return an error as `ECONNREFUSED.

    Connection refused`, whatever the loop put into its text.
    """
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror or error.args[-1] if error.args else type(error).__name__)
    name = errno.errorcode.get(error.errno, f"errno {error.errno}")
    return f"{name}: {os.strerror(error.errno)}"


def connect_kind(error: OSError) -> TransportKind:
    """Return what an error at connect means."""
    return KIND_OF_ERRNO.get(error.errno or 0, UNREACHABLE)


def worst(errors: list[tuple[str, OSError]], place: str) -> TransportError:
    """Return one error for the failures of all addresses of a place, each named once."""
    kinds = {connect_kind(error) for _, error in errors}
    kind = next(kind for kind in TELLING if kind in kinds)
    told = "; ".join(dict.fromkeys(f"{address}: {words(error)}" for address, error in errors))
    return TransportError(kind, f"cannot connect to {place} ({told})")
