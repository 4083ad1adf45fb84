"""
Counters, gauges and histograms as plain dictionaries: cheap to count.

What must not live here: the Prometheus client (see `exposition`) and per-request memory: label values beyond
`SERIES_MAX` per metric are counted together as "other". METRICS is the table of `docs/operate.md`.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum

from msgspec import Struct

SERIES_MAX = 2000
OTHER = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(Struct, frozen=True):
    """One row of the table: name, kind, label names, what it says."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


METRICS: tuple[Metric, ...] = (
    Metric("everup_build_info", Kind.GAUGE, ("version",), "Always 1; the version is the label."),
    Metric("everup_requests_total", Kind.COUNTER, ("endpoint", "status"), "Requests answered, by endpoint and status."),
    Metric("everup_request_seconds", Kind.HISTOGRAM, ("endpoint",), "From a request's arrival to its last byte."),
    Metric("everup_requests_open", Kind.GAUGE, (), "Requests being answered now."),
    Metric("everup_requests_shed_total", Kind.COUNTER, (), "Requests refused at once because too many were open."),
    Metric("everup_requests_left_total", Kind.COUNTER, ("endpoint",), "Requests whose client left before the end."),
    Metric("everup_requests_refused_total", Kind.COUNTER, ("status",), "Bytes that did not become a request."),
    Metric("everup_streams_cut_total", Kind.COUNTER, ("why",), "Begun answers that ended with an error event."),
    Metric("everup_connections_open", Kind.GAUGE, (), "Client connections open now."),
    Metric(
        "everup_connections_refused_total", Kind.COUNTER, ("why",), "Connections refused: all, address, descriptors."
    ),
    Metric(
        "everup_keys_refused_total",
        Kind.COUNTER,
        ("why",),
        "Requests without a valid key: absent, wrong, limited, scope.",
    ),
    Metric(
        "everup_attempts_total",
        Kind.COUNTER,
        ("candidate", "outcome"),
        "Attempts, by candidate: ok or the fault's kind.",
    ),
    Metric("everup_attempt_seconds", Kind.HISTOGRAM, ("candidate",), "How long attempts that answered took."),
    Metric(
        "everup_first_content_seconds", Kind.HISTOGRAM, ("candidate",), "From an attempt's start to its first content."
    ),
    Metric("everup_tokens_total", Kind.COUNTER, ("candidate", "direction"), "Tokens told by providers: input, output."),
    Metric("everup_models_swapped_total", Kind.COUNTER, ("candidate",), "Answers by another model than was asked for."),
    Metric("everup_events_dropped_total", Kind.COUNTER, ("candidate",), "Broken stream events that were not relayed."),
    Metric("everup_log_lines_dropped_total", Kind.COUNTER, ("why",), "Log lines lost: queue, rate, broken."),
    Metric("everup_errors_total", Kind.COUNTER, ("where",), "Errors of everup itself, each with a line in the log."),
)


class Histogram:
    """Observations of one series: a count per bucket and the sum."""

    __slots__ = ("buckets", "sum")

    def __init__(self) -> None:
        self.buckets = [0] * (len(SECONDS) + 1)
        self.sum = 0.0


class Metrics:
    """The process's numbers; used on the event loop only."""

    def __init__(self) -> None:
        self.rows = {row.name: row for row in METRICS}
        self.numbers: dict[tuple[str, tuple[str, ...]], float] = {}
        self.histograms: dict[tuple[str, tuple[str, ...]], Histogram] = {}
        self.series: dict[str, int] = {}
        self.misused: set[str] = set()
        """Names used that are not in the table, or not so: a bug, which a test looks for."""

    def count(self, name: str, labels: tuple[str, ...] = (), n: float = 1) -> None:
        """A counter (or a gauge) has grown by `n`."""
        try:
            self.numbers[name, labels] += n
        except KeyError:
            key = self.admit(name, labels)
            if key is not None:
                self.numbers[key] = self.numbers.get(key, 0) + n

    def set(self, name: str, labels: tuple[str, ...], value: float) -> None:
        """A gauge has this value."""
        if (name, labels) in self.numbers:
            self.numbers[name, labels] = value
        elif (key := self.admit(name, labels)) is not None:
            self.numbers[key] = value

    def observe(self, name: str, labels: tuple[str, ...], value: float) -> None:
        """A histogram has one observation more."""
        histogram = self.histograms.get((name, labels))
        if histogram is None:
            key = self.admit(name, labels)
            if key is None:
                return
            histogram = self.histograms.setdefault(key, Histogram())
        histogram.buckets[bisect_left(SECONDS, value)] += 1
        histogram.sum += value

    def admit(self, name: str, labels: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
        """Return the key of a new series, "other" past the bound, None if misused."""
        row = self.rows.get(name)
        if row is None or len(row.labels) != len(labels):
            self.misused.add(name)
            return None
        count = self.series.get(name, 0)
        if count >= SERIES_MAX:
            return name, (OTHER,) * len(labels)
        self.series[name] = count + 1
        return name, labels

    def render(self) -> bytes:
        """Return everything as Prometheus text."""
        # Imported here: 130 ms that a start must not pay, and the first scrape may.
        from everup.observe.exposition import render  # noqa: PLC0415

        return render(self)
