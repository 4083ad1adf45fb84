"""
The load bars of everup: each prints its figures and pass or fail.

Lives here: L2 sustained rate, L3 many streams, L8 failover, L11 slow clients (FAULTS section 7).
Must not: compare contenders (see round). Called by people and by CI: `python bench/load_bars.py [--only L2] ...`.
Exit code: 0 all passed or skipped with a reason, 1 a bar was missed, 2 this machine cannot measure.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import machine
from contenders import PROVIDER_MODEL, Contender, Place, Server, everup, provider, provider_counts
from figures import NS_PER_MS, percentile
from measures import CROWD, RAMP_PER_S, Loaded, measure_crowd, start_load
from slow_clients import slow_clients

SLICE_S = 5.0
RATE_MIN_PER_S = 800
STREAMS_WANTED = 10_000
FILES_SPARE = 200
STREAM_KB_MAX = 40
FIRST_P99_MS_MAX = 250
ADDED_P99_MS_MAX = 50
WASTED_MAX = 1.0
SLOW_CLIENTS = 2000
SLOW_RATIO_MAX = 2.0
NORMAL_PER_S = 200
NORMAL_CONNECTIONS = 16


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a bar showed: None for one that this machine cannot measure."""

    is_passed: bool | None
    words: str


def p99_ms(load: Loaded) -> float:
    """Return the 99th percentile of the answers in milliseconds."""
    return percentile(load.answer_ns, 99) / NS_PER_MS


def sustained(place: Place, asked: argparse.Namespace) -> Iterator[Bar]:
    """Yield L2: at least 800 answers a second in the slowest slice of the time, no error."""
    slices = max(1, round(asked.seconds / SLICE_S))
    with everup(place) as server:
        loads = []
        for _ in range(slices):
            load = start_load(
                place, server, server.request(), connections=32, seconds=min(SLICE_S, asked.seconds)
            ).finish()
            loads.append(load)
    rates = [load.counts["answers"] / load.counts["elapsed_s"] for load in loads]
    errors = sum(load.counts["errors"] for load in loads)
    words = f"slowest {min(rates):,.0f} req/s of {slices} slices (>= {RATE_MIN_PER_S}), {errors:.0f} errors (0)"
    yield Bar(is_passed=min(rates) >= RATE_MIN_PER_S and errors == 0, words=words)


def crowd(place: Place, asked: argparse.Namespace) -> Iterator[Bar]:
    """Yield L3: a crowd of streams with one event a second, none lost, each small, each begun soon."""
    room = (machine.files_max() - FILES_SPARE) // 2
    streams = min(asked.streams, room)
    if streams < min(asked.streams, CROWD):
        yield Bar(is_passed=None, words=f"a process may open {machine.files_max()} files here: room for {room} streams")
        return
    seen = measure_crowd(place, Contender(name="everup", start=everup), streams, asked.ramp)
    short = f" (of {asked.streams:,}: a process may open {machine.files_max():,} files)" if room < asked.streams else ""
    words = (
        f"{streams:,} streams{short}: {seen['errors']:.0f} lost (0), {seen['stream_kb']:.1f} KB each "
        f"(<= {STREAM_KB_MAX}), first chunk p99 {seen['first_p99_ms']:.1f} ms (<= {FIRST_P99_MS_MAX}), "
        f"{seen['rss_mb']:.0f} MB in all"
    )
    is_small = seen["stream_kb"] <= STREAM_KB_MAX
    yield Bar(is_passed=seen["errors"] == 0 and is_small and seen["first_p99_ms"] <= FIRST_P99_MS_MAX, words=words)


REFUSALS = (
    ("connection refused", 0, ""),
    ("unsupported", 400, "unsupported_parameter"),
    ("key refused", 401, "invalid_api_key"),
    ("no money", 402, "billing_hard_limit_reached"),
    ("not permitted", 403, "permission_denied"),
    ("no such model", 404, "model_not_found"),
    ("rate limit", 429, "rate_limit_exceeded"),
    ("quota used up", 429, "insufficient_quota"),
    ("bad gateway", 502, "bad_gateway"),
    ("unavailable", 503, "service_unavailable"),
    ("overloaded", 529, "overloaded_error"),
)
"""Definite refusals: the provider, or the machine, says at once that it did not take the request."""

PRIMARY = """
[providers.primary]
wire = "openai_chat"
base_url = "http://127.0.0.1:{port}{path}/v1"
profiles = [{{ id = "primary", key = "env:BENCH_UPSTREAM_KEY" }}]

[routes.failover]
try = ["primary/{model}", "bench/{model}"]
"""


def primary_config(place: Place, status: int, code: str) -> str:
    """Return the part of a configuration whose primary always refuses in one way."""
    path = f"/refuse/{status}/{code}" if status else ""
    port = place.provider.port if status else machine.free_port()
    return PRIMARY.format(port=port, path=path, model=PROVIDER_MODEL)


def steady(place: Place, server: Server, seconds: float, model: str = "") -> Loaded:
    """Return the load of a steady stream of requests, at a rate the server does not feel."""
    return start_load(
        place,
        server,
        server.request(model=model),
        connections=NORMAL_CONNECTIONS,
        seconds=seconds,
        rate=NORMAL_PER_S,
    ).finish()


def failover(place: Place, asked: argparse.Namespace) -> Iterator[Bar]:
    """Yield L8 for each refusal: what a dead primary adds, and how many calls it wastes."""
    seconds = min(asked.seconds, SLICE_S)
    for name, status, code in REFUSALS:
        with everup(place, primary_config(place, status, code)) as server:
            steady(place, server, 0.5)
            plain = steady(place, server, seconds)
            before = provider_counts(place.provider.port)["refused"]
            dead = steady(place, server, seconds, model="failover")
            wasted = provider_counts(place.provider.port)["refused"] - before
        added_ms = p99_ms(dead) - p99_ms(plain)
        slowest_ms = percentile(dead.answer_ns, 100) / NS_PER_MS
        answers, errors = dead.counts["answers"], dead.counts["errors"]
        per_request = wasted / answers if answers else float("inf")
        words = (
            f"{name} {status or ''}: added p99 {added_ms:.2f} ms (<= {ADDED_P99_MS_MAX}), slowest {slowest_ms:.1f} ms, "
            f"{wasted} wasted calls in {answers:.0f} requests (<= {WASTED_MAX:.0f} each), {errors:.0f} errors (0)"
        )
        if errors:
            words += f": {dead.first_error}"
        is_passed = added_ms <= ADDED_P99_MS_MAX and per_request <= WASTED_MAX and not errors
        yield Bar(is_passed=is_passed, words=words)


def slow(place: Place, asked: argparse.Namespace) -> Iterator[Bar]:
    """Yield L11: what 2,000 clients that hardly move do to everybody else."""
    seconds = max(SLICE_S, min(asked.seconds, 3 * SLICE_S))
    with everup(place) as server:
        steady(place, server, 1.0)
        plain = steady(place, server, seconds)
        with slow_clients(server, SLOW_CLIENTS) as crowd_of_slow:
            beside = steady(place, server, seconds)
            held = crowd_of_slow.open_count()
        after = steady(place, server, 1.0)
    grown = p99_ms(beside) / p99_ms(plain)
    errors = sum(load.counts["errors"] for load in (plain, beside, after))
    words = (
        f"{SLOW_CLIENTS:,} slow clients ({held:,} held at the end): normal p99 {p99_ms(plain):.2f} -> "
        f"{p99_ms(beside):.2f} ms, x {grown:.2f} (<= {SLOW_RATIO_MAX:.0f}), {errors:.0f} errors (0)"
    )
    yield Bar(is_passed=grown <= SLOW_RATIO_MAX and errors == 0, words=words)


BARS: dict[str, Callable[[Place, argparse.Namespace], Iterator[Bar]]] = {
    "L2": sustained,
    "L3": crowd,
    "L8": failover,
    "L11": slow,
}


@contextmanager
def place_of(python: str) -> Iterator[Place]:
    """Yield a folder and a running provider."""
    machine.prepare()
    with tempfile.TemporaryDirectory(prefix="everup-bench-") as name, provider(Path(name)) as upstream:
        yield Place(folder=Path(name), provider=upstream, python=python)


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 when no bar was missed."""
    reader = argparse.ArgumentParser(description="Measure everup against its load bars.")
    reader.add_argument("--only", action="append", choices=list(BARS), help="one bar; may be repeated")
    reader.add_argument("--seconds", type=float, default=60, help="how long L2 lasts (the others: at most 15)")
    reader.add_argument("--streams", type=int, default=STREAMS_WANTED, help="streams of L3 (default 10,000)")
    reader.add_argument("--ramp", type=float, default=RAMP_PER_S, help="how many of them begin each second (1,000)")
    reader.add_argument("--python", default=sys.executable, help="interpreter that runs everup (default: this one)")
    asked = reader.parse_args(words)
    is_missed = False
    try:
        with place_of(asked.python) as place:
            for name in asked.only or BARS:
                for bar in BARS[name](place, asked):
                    said = {True: "pass", False: "FAIL", None: "skip"}[bar.is_passed]
                    print(f"{name:3} {said}  {bar.words}", flush=True)
                    is_missed |= bar.is_passed is False
    except machine.BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
