"""
What is measured on one contender.

Lives here: the table of load cases, and the figures taken once: memory, start, client gone.
Must not: compare contenders (see figures, targets). Called by round and load_bars.
"""

import json
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import machine
from contenders import SAME, TRANSLATED, Contender, Place, Server, provider_counts
from figures import NS_PER_MS, Run, figures, percentile, samples

WARM_S = 0.3
ANSWERS_MIN, CHUNKS_MIN = 10, 20
"""Of each connection in one run: with fewer, what was begun and not ended would weigh too much."""
SECONDS_MAX = 30
OPEN_STREAMS = 1000
RAMP_PER_S = 1000
SOURCES = 8
"""Addresses 127.0.0.x the crowd comes from: one alone has too few ports for repeated rounds."""
CROWD = 9800
CROWD_CHUNKS = 10_000
EVENT_MS = 1000
HOLD_S = 5
STARTS = 5
GONE_TRIES = 10


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of load."""

    name: str
    connections: int
    stream: bool = False
    delay_ms: int = 0
    interval_ms: int = 0
    way: str = SAME


CASES = (
    Case(name="json c1", connections=1),
    Case(name="json c32", connections=32),
    Case(name="json c256", connections=256),
    Case(name="22 ms c1", connections=1, delay_ms=22),
    Case(name="22 ms c64", connections=64, delay_ms=22),
    Case(name="burst c1", connections=1, stream=True),
    Case(name="burst c32", connections=32, stream=True),
    Case(name="paced c1", connections=1, stream=True, interval_ms=20),
    Case(name="paced c32", connections=32, stream=True, interval_ms=20),
    Case(name="json c32 translated", connections=32, way=TRANSLATED),
    Case(name="paced c32 translated", connections=32, stream=True, interval_ms=20, way=TRANSLATED),
)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What one load run brought: its counts and sorted samples."""

    counts: dict[str, float]
    answer_ns: list[int]
    chunk_ns: list[int]
    first_error: str


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load program that runs; `finish` waits for its figures."""

    place: Place
    process: subprocess.Popen[str]

    def finish(self) -> Loaded:
        """Return what the run brought."""
        said, _ = self.process.communicate()
        if self.process.returncode:
            raise machine.BenchError(f"the load program ended with {self.process.returncode}")
        counts = json.loads(said)
        found = [(self.place.folder / f"samples.{kind}").read_bytes() for kind in ("answer", "chunk")]
        first_error = counts.pop("first_error")
        return Loaded(counts=counts, answer_ns=samples(found[0]), chunk_ns=samples(found[1]), first_error=first_error)


def start_load(
    place: Place,
    server: Server,
    request: bytes,
    *,
    connections: int,
    seconds: float,
    rate: float = 0,
    ramp: float = 0,
    sources: int = 1,
) -> Load:
    """Return the started load program, on its core."""
    asked = place.folder / "request"
    asked.write_bytes(request)
    words = [server.port, connections, seconds, asked, place.folder / "samples", rate, ramp, sources]
    command = machine.pinned(machine.LOAD_CORE, [machine.compiled("load"), *map(str, words)])
    return Load(place=place, process=subprocess.Popen(command, stdout=subprocess.PIPE, text=True))


def warm_up(place: Place, server: Server, seconds: float) -> None:
    """Nothing; the contender has worked for some time, on answers and on streams."""
    for stream in (False, True):
        start_load(place, server, server.request(stream=stream), connections=8, seconds=seconds / 2).finish()
        machine.wait_quiet(server.process.pid)


def longer(case: Case, load: Loaded, seconds: float) -> float:
    """Return how long a run must last for this contender; `seconds` when it had enough answers or chunks in that."""
    had = load.counts["chunks"] / CHUNKS_MIN if case.stream else load.counts["answers"] / ANSWERS_MIN
    if had >= case.connections or seconds >= SECONDS_MAX:
        return seconds
    return min(SECONDS_MAX, 1.2 * seconds * case.connections / had) if had else SECONDS_MAX


def run_case(place: Place, server: Server, case: Case, seconds: float) -> Run:
    """Return the figures of one case on one contender, warmed up first; a slow one is given longer."""
    request = server.request(stream=case.stream, delay_ms=case.delay_ms, interval_ms=case.interval_ms, way=case.way)
    # Streams that begin together would send all their chunks at the same instant: they are spread over one interval.
    ramp = case.connections * 1000 / case.interval_ms if case.interval_ms else 0.0

    def measured(lasting_s: float) -> tuple[Loaded, float]:
        before_s = machine.cpu_s(server.process.pid)
        load = start_load(place, server, request, connections=case.connections, seconds=lasting_s, ramp=ramp).finish()
        used_s = machine.cpu_s(server.process.pid) - before_s
        machine.wait_quiet(server.process.pid)
        return load, used_s

    warm, _ = measured(WARM_S)
    if warm.counts["errors"]:
        raise machine.BenchError(warm.first_error)
    load, used_s = measured(seconds)
    if (needed_s := longer(case, load, seconds)) > seconds:
        load, used_s = measured(needed_s)
    if not load.counts["chunks" if case.stream else "answers"]:
        raise machine.BenchError(load.first_error or f"nothing was answered within {needed_s:g} s")
    return figures(load.counts, used_s, load.answer_ns, load.chunk_ns)


def open_streams(
    place: Place, server: Server, streams: int, hold_s: float, ramp_per_s: float = RAMP_PER_S
) -> tuple[Loaded, float]:
    """Return what a crowd of streams with one event a second saw, and the server's RSS in MB at its end."""
    request = server.request(stream=True, interval_ms=EVENT_MS, chunks=CROWD_CHUNKS)
    seconds = streams / ramp_per_s + hold_s
    load = start_load(place, server, request, connections=streams, seconds=seconds, ramp=ramp_per_s, sources=SOURCES)
    time.sleep(seconds - 0.5)
    rss_mb = machine.rss_mb(server.process.pid)
    return load.finish(), rss_mb


def measure_memory(place: Place, contender: Contender) -> Run:
    """Return RSS of a fresh server after one request, and what each of 1,000 open streams adds."""
    with contender.start(place) as server:
        idle_mb = machine.rss_mb(server.process.pid)
        load, rss_mb = open_streams(place, server, OPEN_STREAMS, HOLD_S)
    is_whole = not load.counts["errors"] and load.counts["open"] == OPEN_STREAMS
    return {
        "idle_mb": idle_mb,
        "open": load.counts["open"],
        "stream_kb": (rss_mb - idle_mb) * 1024 / OPEN_STREAMS if is_whole else float("nan"),
    }


def measure_crowd(place: Place, contender: Contender, streams: int = CROWD, ramp_per_s: float = RAMP_PER_S) -> Run:
    """Return errors, RSS and time to first chunk with as many streams open as this machine lets a server have."""
    with contender.start(place) as server:
        idle_mb = machine.rss_mb(server.process.pid)
        load, rss_mb = open_streams(place, server, streams, HOLD_S, ramp_per_s)
    if load.first_error:
        print(f"{server.name}: {load.first_error}", file=sys.stderr)
    # What a stream costs is not told by a server that mostly holds requests it has not begun to answer.
    is_held = load.counts["open"] >= streams / 2
    return {
        "streams": streams,
        "open": load.counts["open"],
        "errors": load.counts["errors"] + streams - load.counts["open"],
        "rss_mb": rss_mb,
        "stream_kb": (rss_mb - idle_mb) * 1024 / load.counts["open"] if is_held else float("nan"),
        "first_p50_ms": percentile(load.answer_ns, 50) / NS_PER_MS,
        "first_p99_ms": percentile(load.answer_ns, 99) / NS_PER_MS,
        "chunk_p99_ms": percentile(load.chunk_ns, 99) / NS_PER_MS,
    }


def measure_start(place: Place, contender: Contender) -> Run:
    """Return seconds from process start to the first answered request, after one start that fills caches."""
    times = []
    for _ in range(STARTS + 1):
        began_s = time.monotonic()
        with contender.start(place):
            times.append(time.monotonic() - began_s)
    return {"min_s": min(times[1:]), "median_s": median(times[1:])}


def measure_gone(place: Place, contender: Contender) -> Run:
    """Return seconds from a client's leaving its stream until the provider sees its connection closed."""
    with contender.start(place) as server:
        times = [leave_once(place, server) for _ in range(GONE_TRIES)]
    return {"median_s": median(times), "max_s": max(times)}


def leave_once(place: Place, server: Server) -> float:
    """Return the seconds of one leave, by the one monotonic clock of this machine; nan when it was never seen."""
    before = provider_counts(place.provider.port)["gone"]
    request = server.request(stream=True, interval_ms=20, chunks=1000)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link:
        link.sendall(request)
        stamps = 0
        while stamps < 3:
            if not (data := link.recv(65_536)):
                raise machine.BenchError("a stream ended before its third chunk")
            stamps += data.count(b"@")
    left_ns = time.monotonic_ns()
    until_ns = left_ns + 3_000_000_000
    while time.monotonic_ns() < until_ns:
        counts = provider_counts(place.provider.port)
        if counts["gone"] > before:
            return (counts["gone_ns"] - left_ns) / 1e9
        time.sleep(0.005)
    with suppress(OSError):
        machine.exchange(server.port, request)
    return float("inf")
