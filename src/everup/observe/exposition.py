"""
Metrics as Prometheus text.

What must not live here: counting (see `metrics`). Imported at the first scrape only.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from everup.observe.metrics import SECONDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everup.observe import metrics


class Numbers(Collector):
    """Our dictionaries as the Prometheus client wants to read them."""

    def __init__(self, source: metrics.Metrics) -> None:
        self.source = source

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the table that has a number, and each histogram."""
        for row in self.source.rows.values():
            yield self.histogram(row) if row.kind is Kind.HISTOGRAM else self.plain(row)

    def plain(self, row: metrics.Metric) -> Metric:
        """Return a counter or gauge."""
        family = CounterMetricFamily if row.kind is Kind.COUNTER else GaugeMetricFamily
        made = family(row.name, row.help, labels=row.labels)
        for (name, labels), value in self.source.numbers.items():
            if name == row.name:
                made.add_metric(labels, value)
        return made

    def histogram(self, row: metrics.Metric) -> Metric:
        """Return a histogram with cumulative buckets."""
        made = HistogramMetricFamily(row.name, row.help, labels=row.labels)
        bounds = [*(f"{bound:g}" for bound in SECONDS), "+Inf"]
        for (name, labels), series in self.source.histograms.items():
            if name == row.name:
                made.add_metric(labels, list(zip(bounds, accumulate(series.buckets), strict=True)), series.sum)
        return made


def render(source: metrics.Metrics) -> bytes:
    """Return the text of one scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Numbers(source))
    return generate_latest(registry)
