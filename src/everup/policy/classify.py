"""
What an upstream's refusal, error object or broken connection means.

Lives here: the walk over the tables of `signatures`: codes first, status second, words last (FAULTS section 5).
Must not: the tables themselves, parsing of bodies (see `wires`), or what follows from a kind (see `faults`).
Called by wires and by the engine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from everup.errors import Sent, TransportKind
from everup.policy.faults import make_fault
from everup.policy.redaction import redact
from everup.policy.retry_after import read_hint
from everup.policy.seen import ErrorSeen, Refusal
from everup.policy.signatures import (
    EXACT,
    MODEL_WORDS,
    OVERFLOW_PARAMS,
    PAGES,
    STATUS_OF,
    STATUSES,
    TEXTS,
)
from everup.shapes.fault import Fault, FaultKind
from everup.shapes.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everup.errors import TransportError
    from everup.policy.signatures import Words

__all__ = ["ErrorSeen", "Refusal", "classify_error", "classify_refusal", "classify_transport", "one_line"]

LIMITS = Limits()
WORDS_CHARS_MAX = 4096
"""How much of a provider's message is matched against patterns."""

WAITING_KINDS = frozenset(
    {
        FaultKind.RATE_LIMIT,
        FaultKind.CONCURRENCY,
        FaultKind.UNAVAILABLE,
        FaultKind.OVERLOADED,
        FaultKind.SERVER_ERROR,
        FaultKind.BAD_GATEWAY,
        FaultKind.GATEWAY_TIMEOUT,
        FaultKind.REQUEST_TIMEOUT,
        FaultKind.CONFLICT,
        FaultKind.OUT_OF_MEMORY,
    }
)
"""Kinds that time mends: a provider's own hint counts. A payment or a key is not mended by waiting (row 20)."""

TRANSPORT: dict[TransportKind, tuple[FaultKind, Sent | None]] = {
    TransportKind.DNS: (FaultKind.DNS, None),
    TransportKind.REFUSED: (FaultKind.CONNECT, None),
    TransportKind.UNREACHABLE: (FaultKind.CONNECT, None),
    TransportKind.CONNECT_TIMEOUT: (FaultKind.CONNECT, None),
    TransportKind.TLS: (FaultKind.TLS, None),
    TransportKind.PROXY: (FaultKind.PROXY, None),
    TransportKind.STALE: (FaultKind.STALE, None),
    TransportKind.RESET: (FaultKind.RESET, Sent.SOME),
    TransportKind.CUT: (FaultKind.CUT, Sent.NOTHING),
    TransportKind.BAD_HTTP: (FaultKind.BAD_HTTP, Sent.SOME),
    TransportKind.TOO_LARGE: (FaultKind.OVERSIZE, Sent.NOTHING),
    TransportKind.LOCAL: (FaultKind.LOCAL_RESOURCE, Sent.SOME),
    TransportKind.ABORTED: (FaultKind.SUPERSEDED, Sent.SOME),
}
"""The kind each transport error means, and from how much sent on it may have been billed (None: never)."""

CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
WRONG_PATH = "no such address: are the provider's base_url (most end in /v1) and its wire right?"


def classify_refusal(refusal: Refusal, limits: Limits = LIMITS) -> Fault:
    """Return the fault that an answer with another status than 200 stands for."""
    status = refusal.status
    if status < 400:
        return classify_no_error(refusal, limits)
    seen = refusal.seen
    if seen is None and is_page(refusal):
        row, kind = PAGES.get(status) or status_verdict(status)
        message = f"status {status} with an HTML page, not an API's answer"
        if kind is FaultKind.WRONG_PATH:
            message = f"{message}; {WRONG_PATH}"
        wait_s, row = waiting(kind, row, refusal.headers, None, limits)
        return make_fault(kind, message, row=row, status=status, retry_after_s=wait_s)
    seen = seen or ErrorSeen(message=plain_text(refusal.body))
    row, kind = judge(seen, status, is_local=refusal.is_local, model=refusal.model)
    wait_s, row = waiting(kind, row, refusal.headers, seen, limits)
    return make_fault(
        kind,
        message_of(kind, seen, status, refusal, limits),
        row=row,
        status=status,
        code=code_of(seen),
        retry_after_s=wait_s,
        param=one_line(seen.param, 128),
    )


def classify_error(
    seen: ErrorSeen, *, provider: str, model: str, is_local: bool = False, limits: Limits = LIMITS
) -> Fault:
    """
    Return the fault that an error object inside a 200 or a stream stands for.

    Unknown is SERVER_ERROR.
    """
    status = seen.status if seen.status and 400 <= seen.status <= 599 else status_named(seen)
    row, kind = judge(seen, status or 500, is_local=is_local, model=model)
    if kind is FaultKind.WRONG_PATH or (not status and row == "5.23"):
        row, kind = "5.31", FaultKind.SERVER_ERROR
    refusal = Refusal(
        status=status or 200, headers={}, body=b"", seen=seen, provider=provider, model=model, is_local=is_local
    )
    wait_s, row = waiting(kind, row, {}, seen, limits)
    return make_fault(
        kind,
        message_of(kind, seen, status, refusal, limits),
        row=row,
        status=status,
        code=code_of(seen),
        retry_after_s=wait_s,
    )


def classify_transport(error: TransportError) -> Fault:
    """
    Return the fault a broken connection stands for.

    Billed only where the request may have been read.
    """
    kind, billed_from = TRANSPORT[error.kind]
    return make_fault(
        kind,
        one_line(error.message, LIMITS.fault_message_bytes_max),
        possibly_billed=billed_from is not None and error.sent >= billed_from,
    )


def waiting(
    kind: FaultKind, row: str, headers: Mapping[str, str], seen: ErrorSeen | None, limits: Limits
) -> tuple[float | None, str]:
    """
    Return the wait a provider asks for, and the row.

    Reset headers count for rate limits only.
    """
    if kind not in WAITING_KINDS:
        return None, row
    if kind is FaultKind.RATE_LIMIT:
        return read_hint(headers, seen, limits=limits)
    explicit = {name: value for name, value in headers.items() if "ratelimit" not in name}
    return read_hint(explicit, seen, limits=limits)[0], row


def judge(seen: ErrorSeen, status: int, *, is_local: bool, model: str) -> tuple[str, FaultKind]:
    """Return row and kind by code, else by words for this status, else by it."""
    names = {seen.type.lower(), seen.code.lower()} - {""}
    verdict = by_code(names, status) or by_words(seen, status, is_local=is_local)
    if verdict:
        return verdict
    named = next((STATUS_OF[name] for name in names if STATUS_OF.get(name) == 429), 0)
    if named and status not in {401, 402, 403}:
        return STATUSES[named]
    if status == 404 and is_about_model(seen.message, model):
        return "5.57" if is_local else "5.8", FaultKind.MODEL_NOT_FOUND
    return status_verdict(status)


def by_code(names: set[str], status: int) -> tuple[str, FaultKind] | None:
    """Return the verdict of the first row that holds one of these codes."""
    for row in EXACT:
        if (not row.statuses or status in row.statuses) and not row.codes.isdisjoint(names):
            return row.row, row.kind
    if any(name.endswith(("_spend_limit", "_spend_limit_reached")) for name in names):
        return "5.20" if status == 429 else "5.2", FaultKind.BILLING
    return None


def by_words(seen: ErrorSeen, status: int, *, is_local: bool) -> tuple[str, FaultKind] | None:
    """Return the verdict of the first pattern for this status that matches."""
    text = f"{seen.message[:WORDS_CHARS_MAX]} {seen.param[:80]}"
    for row in TEXTS:
        if status not in row.statuses or not row.pattern.search(text):
            continue
        if row.kind is FaultKind.CONTEXT_OVERFLOW and seen.param.lower() not in OVERFLOW_PARAMS:
            continue
        if row.kind is FaultKind.LOADING and not is_local:
            continue
        return finer_row(row, status, is_local=is_local), row.kind
    return None


def finer_row(row: Words, status: int, *, is_local: bool) -> str:
    """Return the row of the contract, where one pattern stands for two."""
    if row.kind is FaultKind.BILLING and status == 429:
        return "5.20"
    return "5.57" if row.kind is FaultKind.MODEL_NOT_FOUND and is_local and status == 404 else row.row


def status_verdict(status: int) -> tuple[str, FaultKind]:
    """
    Return what a status means by itself.

    Unknown ones mean what the first of their hundred does.
    """
    known = STATUSES.get(status)
    if known:
        return known
    return STATUSES[500] if status >= 500 else STATUSES[400]


def status_named(seen: ErrorSeen) -> int:
    """
    Return the status an error object stands for: a numeric code, else its type's.

    0 when unknown.
    """
    for name in (seen.code, seen.type):
        if len(name) == 3 and name.isascii() and name.isdigit() and "400" <= name <= "599":
            return int(name)
    for name in (seen.code.lower(), seen.type.lower()):
        if name in STATUS_OF:
            return STATUS_OF[name]
    return 0


def is_about_model(message: str, model: str) -> bool:
    """Return whether a 404 speaks of the model and not of the address."""
    return bool(MODEL_WORDS.search(message[:WORDS_CHARS_MAX])) or bool(model and model in message)


def classify_no_error(refusal: Refusal, limits: Limits) -> Fault:
    """
    Return the fault for a status below 400 that is not 200.

    Nothing there can be an answer.
    """
    status = refusal.status
    if 300 <= status < 400:
        host = one_line(host_of(refusal.headers.get("location", "")), limits.fault_message_bytes_max)
        return make_fault(
            FaultKind.REDIRECT, f"status {status}: a redirect to {host or 'nowhere'}, not followed", status=status
        )
    if 200 <= status < 300 and (status in {204, 205} or not refusal.body.strip()):
        return make_fault(FaultKind.EMPTY_BODY, f"status {status} with an empty body", status=status)
    kind = FaultKind.MALFORMED if status >= 200 else FaultKind.BAD_HTTP
    return make_fault(kind, f"status {status} is not a completion", status=status)


def host_of(location: str) -> str:
    """Return the host of a redirect's target: its path and query may hold secrets."""
    try:
        return urlsplit(location).hostname or "the same host" if location else ""
    except ValueError:
        return "an invalid address"


def is_page(refusal: Refusal) -> bool:
    """Return whether the body is an HTML page."""
    start = refusal.body[:256].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html")) or (
        "text/html" in refusal.headers.get("content-type", "").lower() and not start.startswith((b"{", b"["))
    )


def message_of(kind: FaultKind, seen: ErrorSeen, status: int, refusal: Refusal, limits: Limits) -> str:
    """Return the provider's words on one bounded line, with the fix if known."""
    text = one_line(seen.message, limits.fault_message_bytes_max) or (f"status {status}" if status else "no message")
    if kind is FaultKind.WRONG_PATH:
        return f"{text}; {WRONG_PATH}"
    if kind is FaultKind.MODEL_NOT_FOUND and ("pull" in seen.message or refusal.provider == "ollama"):
        return f"{text} (to get it: ollama pull {one_line(refusal.model, 200)})"
    return text


def code_of(seen: ErrorSeen) -> str:
    """Return the code for trails: short and free of anything odd."""
    return one_line(seen.code or seen.type, 64)


def plain_text(body: bytes) -> str:
    """Return a body that is no known envelope as text, bounded."""
    return body[:WORDS_CHARS_MAX].decode(errors="replace")


def one_line(text: str, bytes_max: int) -> str:
    """Return the text redacted, on one clean line, within so many bytes of UTF-8."""
    line = redact(CONTROL.sub(" ", text[: 8 * bytes_max])).strip()
    data = line.encode(errors="replace")
    if len(data) <= bytes_max:
        return data.decode()
    return data[: bytes_max - 3].decode(errors="ignore") + "..."
