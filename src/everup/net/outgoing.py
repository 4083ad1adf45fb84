"""
Requests as bytes.

What must not live here: sockets. Called by `site`, which keeps what it built: one candidate's requests differ
only in their bodies.
"""

from __future__ import annotations

import re

from msgspec import Struct

from everup.errors import TransportError, TransportKind

METHOD = re.compile(rb"GET|POST|PUT|PATCH|DELETE")
TARGET = re.compile(rb"/[!-~]*")
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(rb"[^\r\n\0]*")
OURS = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"accept-encoding", b"connection", b"upgrade", b"expect"}
)
"""Headers that frame a message or change what may come back: a caller's copy could contradict ours."""


class Outgoing(Struct, frozen=True, kw_only=True):
    """
    One request without the headers that `net` adds.

    Host, accept-encoding, content-length.
    """

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    def __repr__(self) -> str:
        """Return method, target and size: headers hold secrets, bodies hold prompts."""
        return f"Outgoing({self.method!r}, {self.target!r}, {len(self.body)} bytes)"


def head_start(outgoing: Outgoing, authority: bytes, forwarded_to: bytes = b"") -> bytes:
    """
    Return a request's head up to its content-length.

    `TransportError(LOCAL)` if it cannot be sent safely.
    `forwarded_to` is the scheme and authority that a forwarding proxy wants before the target
    (RFC 9112 section 3.2.2). The message names a header, never its value.
    """
    if not METHOD.fullmatch(outgoing.method) or not TARGET.fullmatch(outgoing.target):
        raise TransportError(TransportKind.LOCAL, "not sent: the method or the target is not fit for a request line")
    parts = [outgoing.method, b" ", forwarded_to, outgoing.target, b" HTTP/1.1\r\nhost: ", authority]
    parts.append(b"\r\naccept-encoding: identity\r\n")
    for name, value in outgoing.headers:
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value) or name.lower() in OURS:
            told = ascii(name.decode("latin-1"))
            raise TransportError(
                TransportKind.LOCAL, f"not sent: the header {told} may not be set, or holds a line break"
            )
        parts += (name, b": ", value, b"\r\n")
    return b"".join(parts)
