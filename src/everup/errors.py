"""
Exceptions at the edges: each class says who is to blame.

What lives here: the few exceptions that may cross a room's door. What must not: provider
failures (they are `shapes.fault.Fault` values) and anything that needs an import of ours.
Raised by the rooms `DESIGN` names; caught only at a boundary that maps them.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class EverupError(Exception):
    """The root of everything everup raises on purpose."""


class ConfigError(EverupError):
    """
    A configuration that cannot be used at all.

    `problems` are ready sentences `file:line:column: reason`; none holds a configured value.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CredentialError(EverupError):
    """
    A secret that cannot be had now.

    The reason names the reference, never the secret.
    """

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


class StoreError(EverupError):
    """
    A file that could not be read or written.

    Path, operation and the system's own cause.
    """

    def __init__(self, op: str, path: str, cause: str, errno: int | None = None) -> None:
        super().__init__(f"cannot {op} {path}: {cause}")
        self.op = op
        self.path = path
        self.cause = cause
        self.errno = errno


class RequestError(EverupError):
    """
    The caller's own mistake, encoded later in the caller's wire.

    Shape: HTTP status, a stable snake_case code, one sentence, the field at fault or "", what to do or "".
    """

    def __init__(self, status: int, code: str, message: str, *, param: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.hint = hint


class TransportKind(StrEnum):
    """
    What went wrong between us and an upstream.

    Before any meaning is read into bytes.
    """

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    PROXY = "proxy"
    STALE = "stale"
    """A reused connection ended before any response byte within 1 s of the write (ruling 4)."""
    RESET = "reset"
    """The connection ended before the status line."""
    CUT = "cut"
    """The connection ended inside the body."""
    BAD_HTTP = "bad_http"
    """Bytes that are not HTTP/1.1, or headers over a limit."""
    TOO_LARGE = "too_large"
    """A body over the limit."""
    LOCAL = "local"
    """Our own machine ran out of something (file descriptors, memory): no upstream is to blame."""
    ABORTED = "aborted"
    """We gave it up ourselves: a clock or a race decided."""


class Sent(IntEnum):
    """How much of the request left this process."""

    NOTHING = 0
    SOME = 1
    ALL = 2


class TransportError(EverupError):
    """
    The one exception of `net`.

    `message` is a sentence with the cause (errno text, certificate subject, proxy status), no secret.
    `sent` and `reused` let the ambiguous-attempt rule (ruling 4) decide exactly.
    """

    def __init__(
        self, kind: TransportKind, message: str, *, sent: Sent = Sent.NOTHING, is_reused: bool = False
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.sent = sent
        self.is_reused = is_reused
