"""
Arithmetic of a round: samples to percentiles, runs to ratios, figures to verdicts.

Lives here: pure functions over numbers. Must not: start anything or read the machine.
Called by round, load_bars, report and the smoke test.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

Run = dict[str, float]
"""Figures of one load run on one contender, by name; units are the end of the name."""
Cases = dict[str, dict[str, list[Run]]]
"""Case -> contender -> one run per repetition, in the order of the repetitions."""

NS_PER_MS = 1e6


def samples(raw: bytes) -> list[int]:
    """Return the sorted values of a samples file (uint64 nanoseconds)."""
    values = array("Q")
    values.frombytes(raw)
    return sorted(values)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of sorted values; nan when there are none."""
    if not ordered:
        return float("nan")
    return ordered[max(ceil(len(ordered) * percent / 100), 1) - 1]


def figures(counts: dict[str, float], cpu_s: float, answer_ns: Sequence[int], chunk_ns: Sequence[int]) -> Run:
    """Return the figures of one run: rates, CPU per answer and per chunk, percentiles."""
    elapsed_s, answers, chunks = counts["elapsed_s"], counts["answers"], counts["chunks"]
    run = {
        "errors": float(counts["errors"]),
        "per_s": answers / elapsed_s,
        "p50_ms": percentile(answer_ns, 50) / NS_PER_MS,
        "p99_ms": percentile(answer_ns, 99) / NS_PER_MS,
        "max_ms": percentile(answer_ns, 100) / NS_PER_MS,
        "cpu_us": cpu_s * 1e6 / answers if answers else float("nan"),
    }
    if not chunks:
        return run
    return run | {
        "chunks_per_s": chunks / elapsed_s,
        "chunk_cpu_us": cpu_s * 1e6 / chunks,
        "chunk_p50_ms": percentile(chunk_ns, 50) / NS_PER_MS,
        "chunk_p99_ms": percentile(chunk_ns, 99) / NS_PER_MS,
    }


def best(runs: Iterable[Run], name: str) -> float:
    """Return the figure that noise hurt least: the highest rate, the lowest of anything else."""
    values = [run[name] for run in runs]
    return max(values) if name.endswith("per_s") else min(values)


def ratio(cases: Cases, case: str, name: str, of: str, over: str) -> float:
    """Return how many times `over` a contender needs or gives: the median of the ratios inside each repetition."""
    pairs = zip(cases[case][of], cases[case][over], strict=True)
    return median(mine[name] / theirs[name] for mine, theirs in pairs)


def added(cases: Cases, case: str, name: str, of: str, over: str = "direct") -> float:
    """Return what a contender adds: the median of the differences inside each repetition."""
    pairs = zip(cases[case][of], cases[case][over], strict=True)
    return median(mine[name] - theirs[name] for mine, theirs in pairs)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One line of what is to be reached: the bound that must hold and the one that is the goal."""

    measure: str
    unit: str
    bound: float | None
    goal: float
    is_floor: bool = False
    """True where more is better."""


def is_met(target: Target, bound: float | None, value: float) -> bool | None:
    """Return whether a value keeps to a bound; None when there is no bound or no value."""
    if bound is None or value != value:  # noqa: PLR0124 - nan: not measured
        return None
    return value >= bound if target.is_floor else value <= bound
