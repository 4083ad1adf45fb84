"""
Refusals that need no request: whole HTTP answers in the OpenAI error envelope.

What must not live here: errors of a request that reached its surface (its wire encodes those).
Used by the protocol, where bytes did not become a request.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from everup.errors import EverupError

TYPE_OF_STATUS = {408: "timeout", 429: "rate_limit", 431: "invalid_request", 503: "unavailable"}
RETRY_AFTER_S = 1


class Refused(EverupError):
    """A connection's bytes that will not become a request, and why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def encode_refusal(status: int, code: str, message: str) -> bytes:
    """Return a whole HTTP answer that closes the connection."""
    kind = TYPE_OF_STATUS.get(status, "invalid_request")
    body = msgspec.json.encode({"error": {"message": message, "type": f"{kind}_error", "param": None, "code": code}})
    is_busy = status == 503
    retry = f"retry-after: {RETRY_AFTER_S}\r\n" if is_busy else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nx-should-retry: {'true' if is_busy else 'false'}\r\n{retry}"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


BUSY = encode_refusal(
    503, "too_many_connections", "everup has as many connections as it allows; try again in a second."
)
NO_DESCRIPTORS = encode_refusal(
    503, "out_of_file_descriptors", "everup has no file descriptor left; running answers go on. Raise `ulimit -n`."
)
