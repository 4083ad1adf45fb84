"""
A request as a scripted provider got it, and the strict reading of its head.

What must not live here: sockets (see `provider`) and anything of everup's own parsers. Used by `provider`; tests
look at what was asked.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import msgspec

BODY_BYTES_MAX = 1 << 27
TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
OLLAMA_CHAT = "/api/chat"


class Request(msgspec.Struct):
    """
    One request as it arrived.

    Times are the loop's, None while they have not happened.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    """Which connection it came on, from 1."""
    nth_on_connection: int
    arrived_mono_s: float
    sent_bytes: int = 0
    answered_mono_s: float | None = None
    gone_mono_s: float | None = None
    """When the peer closed the connection while it was still being answered."""

    def header(self, name: str) -> str:
        """Return a header's value, "" when absent."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def key(self) -> str:
        """Return the key it came with: a bearer's, or Anthropic's header."""
        return self.header("authorization").removeprefix("Bearer ") or self.header("x-api-key")

    @property
    def json(self) -> dict[str, Any]:
        """Return the body's fields, or none."""
        try:
            fields = json.loads(self.body)
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}

    @property
    def model(self) -> str:
        """Return the model it asks for."""
        return str(self.json.get("model", ""))

    @property
    def is_stream(self) -> bool:
        """Return whether it asks for a stream; Ollama streams unless told not to."""
        is_usual = self.path.endswith(OLLAMA_CHAT)
        return self.json.get("stream", is_usual) is True

    @property
    def path(self) -> str:
        """Return its target without a query."""
        return self.target.partition("?")[0]

    @property
    def prefix(self) -> str:
        """
        Return the first segment of its path.

        One listener can stand for many providers.
        """
        return self.target.split("/")[1]

    @property
    def sha256(self) -> str:
        """Return the digest of its body (clause C2)."""
        return hashlib.sha256(self.body).hexdigest()


class BadRequest(Exception):
    """
    Bytes that are not an HTTP/1.1 request.

    Everup sent something no server would take.
    """


def read_head(data: bytes) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """
    Return method, target and headers.

    Strict on purpose, everup is the only client.
    """
    first, *lines = data.decode("latin-1").split("\r\n")
    try:
        method, target, version = first.split(" ")
        pairs = [line.split(":", 1) for line in lines]
        headers = tuple((name, value.strip()) for name, value in pairs)
    except ValueError:
        raise BadRequest(f"not a request head: {first!r}") from None
    names = Counter(name.lower() for name, _ in headers)
    if version != "HTTP/1.1" or names["host"] != 1 or names["content-length"] > 1 or names["transfer-encoding"]:
        raise BadRequest(f"one host, at most one length, no transfer coding: {first!r} {dict(names)}")
    if any(set(name) - TOKEN or not name for name, _ in headers):
        raise BadRequest("a header name that is no token")
    return method, target, headers


def body_size(headers: tuple[tuple[str, str], ...]) -> int:
    """Return the length of the body that follows."""
    size = next((value for name, value in headers if name.lower() == "content-length"), "0")
    if not size.isdecimal() or int(size) > BODY_BYTES_MAX:
        raise BadRequest(f"content-length {size!r}")
    return int(size)
