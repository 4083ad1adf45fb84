"""
What everup is to reach, where in a round each figure is found, and why it is missed where it is.

Lives here: the table of targets and goals; the reasons stand in reasons.toml. Must not: measure. Called by report.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figures import Cases, Target, added, best, is_met, ratio

Measured = dict[str, Any]
"""A round as it is written to JSON: "cases", "failures" and the figures taken once ("memory", "start", ...)."""
REASONS = Path(__file__).with_name("reasons.toml")


def once(group: str, name: str) -> Callable[[Measured], float]:
    """Return the reader of one of everup's figures that are taken once in a round."""
    return lambda measured: float(measured[group]["everup"][name])


def of_cases(read: Callable[[Cases], float]) -> Callable[[Measured], float]:
    """Return the reader of a figure that comes from the load cases."""
    return lambda measured: read(measured["cases"])


# Requests a second of one core are what a second of its time buys: the turned ratio of CPU per request.
TARGETS: tuple[tuple[Target, Callable[[Measured], float]], ...] = (
    (
        Target(measure="CPU per JSON request at c32, x nginx", unit="", bound=5, goal=2),
        of_cases(lambda cases: ratio(cases, "json c32", "cpu_us", "everup", "nginx")),
    ),
    (
        Target(measure="requests/s per core at c32, x LiteLLM", unit="", bound=100, goal=250, is_floor=True),
        of_cases(lambda cases: ratio(cases, "json c32", "cpu_us", "litellm", "everup")),
    ),
    (
        Target(measure="requests/s per core at c32, x Portkey", unit="", bound=10, goal=35, is_floor=True),
        of_cases(lambda cases: ratio(cases, "json c32", "cpu_us", "portkey", "everup")),
    ),
    (
        Target(measure="added p50 at c1 over direct", unit="ms", bound=0.35, goal=0.2),
        of_cases(lambda cases: added(cases, "json c1", "p50_ms", "everup")),
    ),
    (
        Target(measure="added p99 at c1, 22 ms upstream", unit="ms", bound=1.5, goal=0.5),
        of_cases(lambda cases: added(cases, "22 ms c1", "p99_ms", "everup")),
    ),
    (
        Target(measure="requests/s at c64, 22 ms upstream, x direct", unit="", bound=0.95, goal=0.99, is_floor=True),
        of_cases(lambda cases: ratio(cases, "22 ms c64", "per_s", "everup", "direct")),
    ),
    (
        Target(measure="CPU per paced chunk, same wire", unit="µs", bound=50, goal=30),
        of_cases(lambda cases: best(cases["paced c32"]["everup"], "chunk_cpu_us")),
    ),
    (
        Target(measure="CPU per paced chunk, translated", unit="µs", bound=65, goal=40),
        of_cases(lambda cases: best(cases["paced c32 translated"]["everup"], "chunk_cpu_us")),
    ),
    (Target(measure="RSS idle", unit="MB", bound=70, goal=45), once("memory", "idle_mb")),
    (Target(measure="RSS per open stream", unit="KB", bound=40, goal=25), once("memory", "stream_kb")),
    (Target(measure="errors, many open streams at a 1,000/s ramp", unit="", bound=0, goal=0), once("crowd", "errors")),
    (Target(measure="RSS with many open streams", unit="MB", bound=None, goal=300), once("crowd", "rss_mb")),
    (Target(measure="start to first served request", unit="s", bound=1.0, goal=0.4), once("start", "median_s")),
    (Target(measure="client gone to upstream closed, slowest", unit="s", bound=0.2, goal=0.1), once("gone", "max_s")),
)


def verdicts(measured: Measured) -> list[dict[str, Any]]:
    """Return each target with the value found and whether target and goal are met; not measured is left out."""
    rows = []
    for target, read in TARGETS:
        try:
            value = read(measured)
        except KeyError:
            continue
        rows.append(
            {
                "measure": target.measure,
                "unit": target.unit,
                "sign": ">=" if target.is_floor else "<=",
                "target": target.bound,
                "goal": target.goal,
                "value": value,
                "is_target_met": is_met(target, target.bound, value),
                "is_goal_met": is_met(target, target.goal, value),
            }
        )
    return rows


def reasons(path: Path = REASONS) -> dict[str, str]:
    """Return by measure why it misses its target or goal, as far as somebody wrote it down."""
    words = tomllib.loads(path.read_text(encoding="utf-8"))
    measures = {target.measure for target, _ in TARGETS}
    if unknown := words.keys() - measures:
        raise KeyError(f"{path.name} names what is no measure: {', '.join(sorted(unknown))}")
    return {measure: table["why"].strip() for measure, table in words.items() if table["why"].strip()}
