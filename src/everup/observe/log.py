"""
The log: one line per event, written by one thread from a bounded queue.

What must not live here: message text of a request or an answer, ever. `event` neither blocks nor raises: a full
queue, a closed or full pipe lose lines and count them (FAULTS rows 66 and 78, S18, S19). Built by `app`.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from everup.observe.redact import HIDDEN, redact_field, redact_value

if TYPE_CHECKING:
    from everup.shapes.limits import Limits

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
EVENTS_MAX = 512
STDERR = 2
WINDOW_S = 1.0
RETRY_S = 0.05
CLOSE_S = 1.0
LINE_BYTES_MAX = 32_768
SAFE_TYPES = (str, int, float, bool, type(None))

Entry = tuple[float, str, str, dict[str, object]]


class Rate:
    """Lines of one event name in the current window, and how many were held back."""

    __slots__ = ("lines", "since_mono_s", "suppressed")

    def __init__(self, since_mono_s: float) -> None:
        self.since_mono_s = since_mono_s
        self.lines = 0
        self.suppressed = 0


class Log:
    """
    A log on one file descriptor; None where there is none to write to.

    `is_json` False gives lines for a person (a terminal).
    """

    def __init__(self, fd: int | None, limits: Limits, *, is_json: bool = True, level: str = "info") -> None:
        # A stderr that was closed before Python began: its number may be a client's socket by now.
        self.fd = None if fd == STDERR and sys.__stderr__ is None else fd
        self.limits = limits
        self.is_json = is_json
        self.level = LEVELS.get(level, LEVELS["info"])
        self.queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self.rates: dict[str, Rate] = {}
        self.dropped = {"queue": 0, "rate": 0, "broken": 0}
        """Lines lost since the start, by reason; `everup_log_lines_dropped_total` shows them."""
        self.is_closing = threading.Event()
        self.thread = threading.Thread(target=self.run, name="everup-log", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:
            # No thread to be had (FAULTS row 58): serve without a log rather than not at all.
            self.fd = None

    def event(self, name: str, level: str = "info", **fields: object) -> None:
        """One line is queued, or counted as lost."""
        try:
            if LEVELS.get(level, LEVELS["info"]) < self.level:
                return
            suppressed = self.admit(name)
            if suppressed is None:
                return
            if suppressed:
                fields["suppressed"] = suppressed
            if self.fd is None or self.queue.qsize() >= self.limits.log_queue_max:
                self.dropped["queue" if self.fd is not None else "broken"] += 1
                return
            self.queue.put((time.time(), name, level, freeze(fields)))
        except Exception:  # noqa: BLE001  # row 64: no error of the log may reach a request
            self.dropped["broken"] += 1

    def admit(self, name: str) -> int | None:
        """Return how many lines of this event were held back; None holds this one too."""
        now = time.monotonic()
        rate = self.rates.get(name)
        if rate is None:
            if len(self.rates) >= EVENTS_MAX:
                self.rates.clear()
            rate = self.rates[name] = Rate(now)
        if now - rate.since_mono_s >= WINDOW_S:
            rate.since_mono_s = now
            rate.lines = 0
        if rate.lines >= self.limits.log_lines_per_s_max:
            rate.suppressed += 1
            self.dropped["rate"] += 1
            return None
        rate.lines += 1
        suppressed, rate.suppressed = rate.suppressed, 0
        return suppressed

    def run(self) -> None:
        """Write lines until closed; the thread's body."""
        while (entry := self.queue.get()) is not None:
            try:
                self.write(self.line(entry))
            except Exception:  # noqa: BLE001  # the thread must outlive any value that will not be written
                self.dropped["broken"] += 1

    def line(self, entry: Entry) -> bytes:
        """Return one line: redacted, without a newline or an escape inside."""
        at_unix_s, name, level, fields = entry
        at = datetime.fromtimestamp(at_unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = {key: redact_field(key, value) for key, value in fields.items()}
        if self.is_json:
            # JSON escapes every control character but DEL and C1, which some terminals obey.
            text = msgspec.json.encode({"at": at, "level": level, "event": name, **shown}).decode()
            text = "".join(char if is_harmless(char) else f"\\u{ord(char):04x}" for char in text)
        else:
            words = " ".join(f"{key}={readable(value)}" for key, value in shown.items() if value not in (None, ""))
            text = escape(f"{at[11:19]} {level:<7} {name}  {words}")
        return text.encode("utf-8", "backslashreplace")[:LINE_BYTES_MAX] + b"\n"

    def write(self, line: bytes) -> None:
        """Write a line: wait while the pipe is full, give up when it is broken."""
        while line and self.fd is not None:
            try:
                line = line[os.write(self.fd, line) :]
            except BlockingIOError:
                if self.is_closing.wait(RETRY_S):
                    self.dropped["broken"] += 1
                    return
            except OSError:
                self.dropped["broken"] += 1
                return

    def close(self) -> None:
        """Write what is queued, as far as that takes no longer than a second."""
        self.queue.put(None)
        if self.thread.is_alive():
            self.thread.join(CLOSE_S)
        self.is_closing.set()
        # Whatever opens next may get this number: a thread that is still stuck must not write there.
        self.fd = None


def freeze(fields: dict[str, object]) -> dict[str, object]:
    """Return fields that cannot change any more before they are written."""
    return {key: value if isinstance(value, SAFE_TYPES) else frozen(value) for key, value in fields.items()}


def frozen(value: object) -> object:
    """Return a plain copy of one value."""
    try:
        return redact_value(value)
    except Exception:  # noqa: BLE001  # a stranger's __str__ may raise anything
        return f"<{type(value).__name__}>"


def readable(value: object) -> str:
    """Return a value as a person reads it: quoted where it has spaces."""
    text = value if isinstance(value, str) else HIDDEN if value is HIDDEN else msgspec.json.encode(value).decode()
    return f'"{text}"' if " " in text else text


def is_harmless(char: str) -> bool:
    """Return whether a character leaves a terminal and a line alone."""
    return " " <= char <= "~" or (char >= "\xa0" and char not in "\u2028\u2029\u202a\u202b\u202c\u202d\u202e")


def escape(text: str) -> str:
    """Return text with every control character written out."""
    return "".join(char if is_harmless(char) else char.encode("unicode_escape").decode("ascii") for char in text)


class Bridge(logging.Handler):
    """Python's own logging (asyncio, uvicorn) led into a log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line with an exception's type: its text may be a client's."""
        kind = record.exc_info[0] if record.exc_info else None
        name = kind.__name__ if kind else None
        self.log.event(f"python.{record.name}", record.levelname.lower(), message=record.getMessage(), exception=name)


def lead_in(log: Log) -> None:
    """What asyncio and uvicorn log goes to our log and nowhere else."""
    root = logging.getLogger()
    root.handlers = [Bridge(log)]
    root.setLevel(logging.WARNING)
