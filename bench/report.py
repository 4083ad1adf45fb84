"""
A round as people read it.

Lives here: the tables, in Markdown, which reads well in a terminal too. Must not: compute figures.
Called by round.
"""

from collections.abc import Iterable, Sequence

from figures import added, best, ratio
from targets import Measured, verdicts

SAID = {None: "-", True: "yes", False: "**no**"}


def number(value: float) -> str:
    """Return a figure with three significant digits; "-" for one that was not taken."""
    if value != value:  # noqa: PLR0124 - nan
        return "-"
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
    """Return the rows of the JSON cases or of the stream cases."""
    rows = []
    for case, contenders in measured["cases"].items():
        is_stream = "chunk_cpu_us" in next(iter(contenders.values()))[0]
        if is_stream != streams:
            continue
        names = ("chunks_per_s", "chunk_cpu_us") if streams else ("per_s", "cpu_us")
        middle = ("p50_ms", "chunk_p50_ms", "chunk_p99_ms") if streams else ("p50_ms", "p99_ms")
        for name, runs in contenders.items():
            cells = [number(best(runs, figure)) for figure in names]
            cells.append(
                number(ratio(measured["cases"], case, names[1], name, "nginx")) if "nginx" in contenders else "-"
            )
            cells += [number(best(runs, figure)) for figure in middle]
            for figure in middle[-2:]:
                cells.append(number(added(measured["cases"], case, figure, name)) if "direct" in contenders else "-")
            cells.append(number(sum(run["errors"] for run in runs)))
            rows.append([case, name, *cells])
    return rows


ONCE = (
    ("memory", "idle_mb", "RSS idle, MB"),
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
    rows = []
    for group, figure, words in ONCE:
        if group in measured:
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


def document(measured: Measured) -> str:
    """Return the whole round as Markdown."""
    where = (measured["date"], f"everup {measured['version']}", measured["machine"], f"Python {measured['python']}")
    parts = [
        "# Performance",
        "Written by `python bench/round.py --write docs/performance.md`; the method stands in `bench/README.md`.",
        f"{' · '.join(where)} · {measured['rounds']} interleaved repetitions of {measured['seconds']:g} s.",
    ]
    if rows := verdict_rows(measured):
        parts += ["## Targets", table(("measure", "value", "target", "met", "goal", "met"), rows)]
    if rows := case_rows(measured, streams=False):
        parts += ["## Answers as JSON", table(JSON_HEAD, rows)]
    if rows := case_rows(measured, streams=True):
        parts += ["## Streams of 200 chunks", table(STREAM_HEAD, rows)]
    head, rows = once_rows(measured)
    if rows:
        parts += ["## Memory, start, leaving", table(head, rows)]
    return "\n\n".join(parts) + "\n"
