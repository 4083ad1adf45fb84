"""
A round as people read it.

Lives here: the tables, in Markdown, which reads well in a terminal too. Must not: compute figures.
Called by round.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import inf

from figures import Run, added, best, ratio
from measures import CASES
from targets import Measured, verdicts

SAID = {None: "-", True: "yes", False: "**no**"}
STREAMS = {case.name for case in CASES if case.stream}
PLACE = re.compile(r"\w+://\S+|(?<![\w.])/(?:[\w.@+-]+/)+[\w.@+-]*")
REASON_CHARS_MAX = 200
INTRODUCTION = """
everup beside the provider alone (`direct`), nginx and, where they take part, other gateways. All of them are up in the
same round, each on one core, and take turns inside every repetition. What counts is the ratio, or the difference,
inside a repetition. How each figure comes about stands in `bench/README.md`. The bench writes this page; see for
yourself:
""".strip()
UNEXPLAINED = "Nobody has written down why yet (`bench/reasons.toml`)."


def number(value: float) -> str:
    """Return a figure with three significant digits; "-" for one that was not taken, "never" for what did not come."""
    if value != value:  # noqa: PLR0124 - nan
        return "-"
    if value == inf:
        return "never"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    padded.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in padded)


JSON_HEAD = ("case", "contender", "req/s", "CPU µs", "x nginx", "p50 ms", "p99 ms", "added p50", "added p99", "errors")
STREAM_HEAD = (
    "case",
    "contender",
    "chunks/s",
    "CPU µs a chunk",
    "x nginx",
    "first p50 ms",
    "chunk p50 ms",
    "chunk p99 ms",
    "added p50",
    "added p99",
    "errors",
)


def case_rows(measured: Measured, *, streams: bool) -> list[list[str]]:
    """Return the rows of the JSON cases or of the stream cases; one for each that failed, too."""
    names = ("chunks_per_s", "chunk_cpu_us") if streams else ("per_s", "cpu_us")
    middle = ("p50_ms", "chunk_p50_ms", "chunk_p99_ms") if streams else ("p50_ms", "p99_ms")
    failed = {(row["at"], row["contender"]) for row in measured["failures"]}
    rows = []
    for case, contenders in measured["cases"].items():
        if (case in STREAMS) != streams:
            continue
        for name, runs in contenders.items():
            if runs:
                rows.append([case, name, *case_cells(measured, case, name, names, middle)])
            elif (case, name) in failed:
                rows.append([case, name, "failed", *["-"] * (len(STREAM_HEAD if streams else JSON_HEAD) - 3)])
    return rows


def case_cells(measured: Measured, case: str, name: str, names: tuple[str, str], middle: tuple[str, ...]) -> list[str]:
    """Return the figures of one contender in one case."""
    cases, contenders = measured["cases"], measured["cases"][case]
    runs: list[Run] = contenders[name]
    cells = [number(best(runs, figure)) for figure in names]
    cells.append(number(ratio(cases, case, names[1], name, "nginx")) if contenders.get("nginx") else "-")
    cells += [number(best(runs, figure)) for figure in middle]
    for figure in middle[-2:]:
        cells.append(number(added(cases, case, figure, name)) if contenders.get("direct") else "-")
    return [*cells, number(sum(run["errors"] for run in runs))]


ONCE = (
    ("memory", "idle_mb", "RSS idle, MB"),
    ("memory", "open", "streams that open when 1,000 are asked for"),
    ("memory", "stream_kb", "RSS per open stream (1,000 open), KB"),
    ("crowd", "streams", "streams asked for at 1,000/s"),
    ("crowd", "errors", "errors and streams lost among them"),
    ("crowd", "rss_mb", "RSS with them open, MB"),
    ("crowd", "stream_kb", "RSS per stream, KB"),
    ("crowd", "first_p50_ms", "their time to first chunk, p50 ms"),
    ("crowd", "first_p99_ms", "their time to first chunk, p99 ms"),
    ("start", "min_s", "start to first answer, best of 5, s"),
    ("start", "median_s", "start to first answer, median, s"),
    ("gone", "median_s", "client gone to upstream closed, median, s"),
    ("gone", "max_s", "client gone to upstream closed, slowest of 10, s"),
)


def once_rows(measured: Measured) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the figures taken once."""
    names = list(dict.fromkeys(name for group, *_ in ONCE for name in measured.get(group, {})))
    if not names:
        return [], []
    rows = []
    for group, figure, words in ONCE:
        if measured.get(group):
            rows.append([words, *(number(measured[group].get(name, {}).get(figure, float("nan"))) for name in names)])
    return ["figure", *names], rows


def verdict_rows(measured: Measured) -> list[list[str]]:
    """Return the rows of the targets."""
    rows = []
    for verdict in verdicts(measured):
        target = (
            "-" if verdict["target"] is None else f"{verdict['sign']} {verdict['target']} {verdict['unit']}".strip()
        )
        goal = f"{verdict['sign']} {verdict['goal']} {verdict['unit']}".strip()
        met = (SAID[verdict["is_target_met"]], SAID[verdict["is_goal_met"]])
        rows.append([verdict["measure"], number(verdict["value"]), target, met[0], goal, met[1]])
    return rows


def why(measured: Measured, reasons: Mapping[str, str]) -> list[str]:
    """Return a line for each missed target or goal: the reason, or that nobody has written it down."""
    lines = []
    for verdict in verdicts(measured):
        if False in {verdict["is_target_met"], verdict["is_goal_met"]}:
            what = "target" if verdict["is_target_met"] is False else "goal"
            if reason := reasons.get(verdict["measure"], UNEXPLAINED if what == "target" else ""):
                lines.append(f"- **{verdict['measure']}** ({what} missed): {reason}")
    return lines


def short(reason: str) -> str:
    """Return the first line of a reason as a table can hold it: no address, no path of this machine."""
    line = PLACE.sub("(...)", reason.strip().partition("\n")[0]).replace("|", "/")
    return line if len(line) <= REASON_CHARS_MAX else line[: REASON_CHARS_MAX - 1] + "…"


def document(measured: Measured, reasons: Mapping[str, str]) -> str:
    """Return the whole round as Markdown."""
    repetitions = f"{measured['rounds']} interleaved repetitions of {measured['seconds']:g} s"
    parts = [
        "# Performance",
        INTRODUCTION,
        f"```\n{measured['command']}\n```",
        f"{measured['date']} · {measured['machine']} · {repetitions}.",
        " · ".join(f"{name} {version}" for name, version in measured["versions"].items()),
    ]
    if rows := verdict_rows(measured):
        parts += ["## Targets", table(("measure", "value", "target", "met", "goal", "met"), rows)]
    if lines := why(measured, reasons):
        parts += ["### Why some are missed", "\n".join(lines)]
    if rows := case_rows(measured, streams=False):
        parts += ["## Answers as JSON", table(JSON_HEAD, rows)]
    if rows := case_rows(measured, streams=True):
        parts += ["## Streams of 200 chunks", table(STREAM_HEAD, rows)]
    head, rows = once_rows(measured)
    if rows:
        parts += ["## Memory, start, leaving", table(head, rows)]
    if failures := measured["failures"]:
        rows = [[row["contender"], row["at"], short(row["reason"])] for row in failures]
        parts += ["## What failed", table(("contender", "at", "reason"), rows)]
    return "\n\n".join(parts) + "\n"
