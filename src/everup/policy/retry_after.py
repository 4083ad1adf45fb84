"""
When a provider says it may be asked again, in seconds from its own answer.

Lives here: every form of the hint (FAULTS rows 16-19, WIRES "Retry hints"). Must not: a clock of ours; dates
count from the response's own `Date`. Called by `policy.classify`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from everup.shapes.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from everup.policy.seen import ErrorSeen

DEFAULTS = Limits()
HINT_CHARS_MAX = 64
UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PART = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
DURATION = re.compile(r"(?:\d{1,15}(?:\.\d{1,9})?(?:ms|s|m|h|d)){1,5}", re.ASCII)
NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
IN_WORDS = re.compile(
    r"(?:retry|try again|resets?|available)\s+(?:again\s+)?(?:in|after)[:\s]+"
    r"(?:about\s+|approximately\s+)?(\d{1,9}(?:\.\d{1,9})?)\s*"
    r"(milliseconds?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|(?:ms|s|m|h|d)(?=[\d\W]|$)[\dhms.]{0,30})",
    re.IGNORECASE | re.ASCII,
)
WORD_UNIT = {"mil": "ms", "sec": "s", "min": "m", "hou": "h", "hrs": "h", "hr": "h", "day": "d"}


def read_retry_after(
    headers: Mapping[str, str], seen: ErrorSeen | None = None, *, limits: Limits = DEFAULTS
) -> float | None:
    """Return the seconds to wait, from 1 s to the limit, None without a hint."""
    return read_hint(headers, seen, limits=limits)[0]


def read_hint(
    headers: Mapping[str, str], seen: ErrorSeen | None = None, *, limits: Limits = DEFAULTS
) -> tuple[float | None, str]:
    """Return the seconds to wait and the row of FAULTS whose form was used."""
    for wait_s, row in hints(headers, seen):
        if wait_s is not None and math.isfinite(wait_s) and wait_s >= 0:
            return min(max(wait_s, 1.0), limits.retry_after_max_s), row
    return None, "5.19"


def hints(headers: Mapping[str, str], seen: ErrorSeen | None) -> Iterator[tuple[float | None, str]]:
    """Yield what each form of hint says, the exact forms first."""
    now = read_date(headers.get("date", ""))
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        wait_ms = read_number(headers.get(name, ""))
        yield None if wait_ms is None else wait_ms / 1000, "5.18"
    plain = headers.get("retry-after", "")
    yield read_seconds(plain), "5.16"
    yield seconds_between(now, read_date(plain)), "5.17"
    if seen is not None:
        yield read_seconds(seen.retry_delay), "5.18"
        yield read_words(seen.message), "5.18"
    yield read_reset_headers(headers, now), "5.18"


def read_number(text: str) -> float | None:
    """Return a plain non-negative decimal number, else None."""
    text = text.strip()
    return float(text) if NUMBER.fullmatch(text) else None


def read_seconds(text: str) -> float | None:
    """Return plain seconds, or a duration like `6m0s` in seconds, else None."""
    text = text.strip()
    if len(text) > HINT_CHARS_MAX:
        return None
    if DURATION.fullmatch(text):
        return sum(float(number) * UNIT_S[unit] for number, unit in PART.findall(text))
    return read_number(text)


def read_words(text: str) -> float | None:
    """Return the wait in a sentence like `Please retry in 10h17m31.5s.`, else None."""
    found = IN_WORDS.search(text)
    if not found:
        return None
    number, unit = found[1], found[2].lower()
    short = WORD_UNIT.get(unit[:3]) or WORD_UNIT.get(unit)
    return read_seconds(number + (short or unit).rstrip("."))


def read_date(text: str) -> datetime | None:
    """Return an HTTP date or an RFC 3339 time, else None; a time without zone is UTC."""
    text = text.strip()
    if not 8 <= len(text) <= HINT_CHARS_MAX:
        return None
    parse = datetime.fromisoformat if text[:4].isdigit() else parsedate_to_datetime
    try:
        moment = parse(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def seconds_between(now: datetime | None, then: datetime | None) -> float | None:
    """Return the seconds from one moment to a later one; None when unknown or past."""
    if now is None or then is None:
        return None
    try:
        wait_s = (then - now).total_seconds()
    except OverflowError:
        return None
    return wait_s if wait_s > 0 else None


def read_reset_headers(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Return the wait until the exhausted limits are full again, the longest of them."""
    resets: list[float] = []
    exhausted: list[float] = []
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        wait_s = read_reset(value, now)
        if wait_s is not None:
            resets.append(wait_s)
            if read_number(headers.get(name.replace("reset", "remaining"), "")) == 0:
                exhausted.append(wait_s)
    if exhausted:
        return max(exhausted)
    return min(resets) if resets else None


def read_reset(text: str, now: datetime | None) -> float | None:
    """
    Return one reset header's wait.

    A duration, seconds, a time, or a Unix time in s or ms.
    """
    wait_s = read_seconds(text)
    if wait_s is None:
        return seconds_between(now, read_date(text))
    if wait_s < 1e9:
        return wait_s
    if now is None:
        return None
    then_s = wait_s / 1000 if wait_s > 1e11 else wait_s
    left_s = then_s - now.timestamp()
    return left_s if left_s > 0 else None
