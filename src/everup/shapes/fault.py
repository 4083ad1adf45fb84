"""
Faults: why an attempt failed, as a value.

What must not live here: the verdicts (see `policy.faults`) and exceptions. Made by `policy.classify`,
walked by the engine, told in trails and errors.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class FaultKind(StrEnum):
    """
    The kinds of failure an attempt can have.

    Each has one row in `policy.faults.RULES`.
    """

    # The request itself was refused.
    BAD_REQUEST = "bad_request"
    UNSUPPORTED = "unsupported"
    FOREIGN_REASONING = "foreign_reasoning"
    CONTEXT_OVERFLOW = "context_overflow"
    TOO_LARGE = "too_large"
    RATE_TOO_LARGE = "rate_too_large"
    CONTENT_FILTER = "content_filter"
    # The account was refused.
    BILLING = "billing"
    AUTH = "auth"
    PERMISSION = "permission"
    RATE_LIMIT = "rate_limit"
    CONCURRENCY = "concurrency"
    # The model or the address is not there.
    MODEL_NOT_FOUND = "model_not_found"
    WRONG_PATH = "wrong_path"
    WRONG_PROTOCOL = "wrong_protocol"
    REDIRECT = "redirect"
    BLOCKED_PAGE = "blocked_page"
    HTML_PAGE = "html_page"
    # The provider is in trouble.
    REQUEST_TIMEOUT = "request_timeout"
    CONFLICT = "conflict"
    MISDIRECTED = "misdirected"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    GATEWAY_TIMEOUT = "gateway_timeout"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    LOADING = "loading"
    OUT_OF_MEMORY = "out_of_memory"
    # The answer is unusable.
    EMPTY_BODY = "empty_body"
    EMPTY_ANSWER = "empty_answer"
    MALFORMED = "malformed"
    OVERSIZE = "oversize"
    BAD_HTTP = "bad_http"
    # The way there is broken.
    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    PROXY = "proxy"
    STALE = "stale"
    RESET = "reset"
    CUT = "cut"
    # A clock of ours ran out.
    FIRST_EVENT = "first_event"
    OPENING = "opening"
    STALL = "stall"
    ANSWER = "answer"
    DEADLINE = "deadline"
    # Our own side: never starts a cooldown, never another model's fault.
    NO_CREDENTIAL = "no_credential"
    QUEUE_FULL = "queue_full"
    LOCAL_RESOURCE = "local_resource"
    EMBEDDED_DOWN = "embedded_down"
    SUPERSEDED = "superseded"


class Scope(StrEnum):
    """What a cooldown is keyed by (ruling 6)."""

    NONE = "none"
    ENDPOINT = "endpoint"
    ENDPOINT_MODEL = "endpoint+model"
    PROFILE = "profile"
    PROFILE_MODEL = "profile+model"


class Next(StrEnum):
    """Where the walk goes after a fault: FAULTS section 5's S, P, M and F."""

    SAME = "same"
    PROFILE = "profile"
    MODEL = "model"
    CLIENT = "client"


class Fault(Struct, frozen=True, kw_only=True):
    """
    Why one attempt failed.

    `message` is already redacted and bounded; `rule` names the row of FAULTS section 5 that decided;
    `next` is the first direction the row gives (the walk widens it when that is used up).
    """

    kind: FaultKind
    scope: Scope
    next: Next
    rule: str
    message: str = ""
    status: int = 0
    code: str = ""
    retry_after_s: float | None = None
    possibly_billed: bool = False
    param: str = ""
    """The field of the request that the provider names, where it refuses the request itself."""

    def __repr__(self) -> str:
        """
        Return the kind, the rule and the status.

        A message may hold what a client wrote.
        """
        return f"Fault({self.kind}, rule={self.rule}, status={self.status})"
