"""The log: lines that can be read back, bounded, without secrets; no trouble with its pipe is anyone else's."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everup.observe.log import Bridge, Log
from everup.observe.redact import is_secret_name, redact_field
from everup.shapes.limits import Limits
from everup.shapes.secret import Secret

WAIT_S = 5.0


class Pipe:
    """A log on a pipe, and what came out of it."""

    def __init__(self, limits: Limits | None = None, **options: Any) -> None:
        self.reading, self.writing = os.pipe()
        self.log = Log(self.writing, limits or Limits(), **options)

    def text(self) -> str:
        """Return everything written, after closing the log."""
        self.log.close()
        os.close(self.writing)
        with os.fdopen(self.reading, "rb") as file:
            return file.read().decode()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines, read as JSON."""
        return [json.loads(line) for line in self.text().split("\n") if line]


@pytest.fixture
def full() -> Iterator[int]:
    """Return the writing end of a pipe that is full and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 65_536)
    except BlockingIOError:
        pass
    yield writing
    os.close(reading)
    os.close(writing)


def test_a_line_is_json() -> None:
    """A line holds time, level, event and fields."""
    pipe = Pipe()
    pipe.log.event("room.verb", "warning", status=503, who="p/m", nothing=None, ok=True)
    line = pipe.lines()[0]
    assert ("warning", "room.verb", 503, "p/m", None, True) == tuple(
        line[name] for name in ("level", "event", "status", "who", "nothing", "ok")
    )
    assert line["at"].endswith("Z")


def test_a_person_gets_readable_lines() -> None:
    """On a terminal a line is words, empty fields left out."""
    pipe = Pipe(is_json=False)
    pipe.log.event("room.verb", "info", who="a b", n=3, empty="")
    assert pipe.text().endswith('info    room.verb  who="a b" n=3\n')


def test_lower_levels_are_left_out() -> None:
    """Below the level nothing is written."""
    pipe = Pipe(level="warning")
    pipe.log.event("a", "info")
    pipe.log.event("b", "error")
    assert ["b"] == [line["event"] for line in pipe.lines()]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60), st.booleans())
def test_s19_one_event_is_one_line(text: str, is_json: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
    """Whatever a field holds, it makes no second line and no terminal escape."""
    pipe = Pipe(is_json=is_json)
    pipe.log.event("room.verb", "info", field=text + "\r\n\x1b[2J\x00\x7f\x9b\u2028end", more=[text])
    written = pipe.text()
    assert 1 == written.count("\n")
    assert not set(written.removesuffix("\n")) & {chr(n) for n in (*range(32), *range(127, 160), 0x2028, 0x2029)}
    if is_json:
        assert json.loads(written)["event"] == "room.verb"


TAIL = "Zx9Yw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0"
# Put together here, so that no scanner takes this file for a leak.
CANARIES = [
    *(
        head + TAIL
        for head in ("sk-proj-", "sk-ant-api03-", "gsk_", "hf_", "eu-", "npm_", "xai-", "r8_", "pplx-", "nvapi-")
    ),
    *(head + TAIL + "Aa9" for head in ("ghp_", "glpat-", "github_pat_", "AIza", "sk-", "rk_live_", "ya29.")),
    "sk-or-v1-" + "0123456789abcdef" * 3,
    "AKIA" + "IOSFODNN7EXAMPLE",
    "xoxb-" + "1234567890-abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0.abcdefghijk",
    "0123456789abcdef" * 2,
]
PLACES = [
    "{}",
    "Bearer {}",
    "Authorization: Bearer {}",
    "Incorrect API key provided: {}. You can find it at",
    "https://host/v1?key={}&x=1",
    "https://user:{}@host/",
    '{{"api_key":"{}"}}',
    "x-api-key: {}",
    "password={}",
]


@pytest.mark.parametrize("canary", CANARIES)
def test_s18_no_canary_is_ever_written(canary: str) -> None:
    """A key in any field, at any depth, in an error's text or in a Secret never reaches the log."""
    pipe = Pipe(Limits(log_lines_per_s_max=1000))
    for place in PLACES:
        text = place.format(canary)
        pipe.log.event("a", "error", message=text)
        pipe.log.event("b", "error", error=ValueError(text), nested={"deep": [{"x": text}]})
        pipe.log.event("c", "error", raw=text.encode())
    pipe.log.event("d", "error", secret=canary, api_key=canary, Authorization=canary, token=Secret(canary))
    pipe.log.event("e", "error", headers={"x-api-key": canary, "cookie": canary}, value=Secret(canary))
    written = pipe.text()
    assert written.count("\n") == 3 * len(PLACES) + 2
    assert canary not in written


def test_s18_a_secret_field_is_hidden_whatever_it_looks_like() -> None:
    """The name decides for what no pattern can know; harmless names stay."""
    assert "***" == redact_field("password", "hunter2")
    assert "***" == redact_field("upstream_key", "abc")
    assert 3 == redact_field("max_tokens", 3)
    assert not is_secret_name("keeper")
    assert is_secret_name("X-Api-Key")


def test_78_a_flood_is_limited_and_told() -> None:
    """One event in a flood takes only so many lines a second, others are not affected, and the loss is told."""
    pipe = Pipe(Limits(log_lines_per_s_max=5))
    for _ in range(1000):
        pipe.log.event("flood", "error")
    pipe.log.event("other", "error")
    rate = pipe.log.rates["flood"]
    rate.since_mono_s -= 2
    pipe.log.event("flood", "error")
    lines = pipe.lines()
    assert 5 <= sum(line["event"] == "flood" for line in lines) <= 12
    assert 1 == sum(line["event"] == "other" for line in lines)
    assert 900 <= max(line.get("suppressed", 0) for line in lines)
    assert 900 <= pipe.log.dropped["rate"]


def test_66_a_full_pipe_blocks_nobody(full: int) -> None:
    """With nobody reading, events return at once, the queue stays bounded, and closing takes about a second."""
    log = Log(full, Limits(log_queue_max=100, log_lines_per_s_max=100_000))
    began = time.monotonic()
    for _ in range(5000):
        log.event("a", "error", text="x" * 100)
    assert time.monotonic() - began < WAIT_S
    assert log.queue.qsize() <= 101
    assert log.dropped["queue"] >= 4000
    log.close()
    assert time.monotonic() - began < 2 * WAIT_S


def test_66_a_broken_pipe_loses_lines_only() -> None:
    """A reader that is gone costs lines, which are counted, and nothing else."""
    pipe = Pipe()
    os.close(pipe.reading)
    for _ in range(3):
        pipe.log.event("a", "error")
    pipe.log.close()
    os.close(pipe.writing)
    assert 3 == pipe.log.dropped["broken"]


def test_66_no_descriptor_is_a_silent_log() -> None:
    """Where there is no stderr the log drops and counts."""
    log = Log(None, Limits())
    log.event("a", "error")
    log.close()
    assert 1 == log.dropped["broken"]


def test_64_nothing_in_a_field_can_raise() -> None:
    """A value whose text raises is told by its type."""

    class Hostile:
        def __str__(self) -> str:
            message = "no"
            raise RuntimeError(message)

        __repr__ = __str__

    pipe = Pipe()
    loop: dict[str, Any] = {}
    loop["self"] = loop
    pipe.log.event("a", "error", value=Hostile(), loop=loop, surrogate="\ud800", number=float("nan"))
    pipe.log.event("b", "error")
    lines = pipe.lines()
    assert "b" == lines[-1]["event"]
    assert 2 == len(lines)
    assert "<Hostile>" == lines[0]["value"]


def test_pythons_own_logging_is_led_in() -> None:
    """A warning of a library becomes one line; an exception is told by type, its text may be a client's."""
    pipe = Pipe()
    logger = logging.Logger("lib")  # noqa: LOG001  # one of its own, not the process's
    logger.addHandler(Bridge(pipe.log))
    try:
        int("canary")
    except ValueError:
        logger.exception("it failed")
    logger.info("too low")
    lines = pipe.lines()
    assert [("python.lib", "it failed", "ValueError")] == [(x["event"], x["message"], x["exception"]) for x in lines]


def test_58_without_a_thread_the_log_is_silent(tmp_path: Path) -> None:
    """A log that could not start its thread drops lines instead of failing."""

    class NoThread(Log):
        def run(self) -> None:
            """Not reached."""

    log = NoThread(None, Limits())
    log.event("a", "error")
    log.close()
    assert threading.active_count() >= 1
    assert tmp_path.exists()
