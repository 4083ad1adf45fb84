"""Counting, and what a scrape shows of it."""

from __future__ import annotations

import re
import timeit
from pathlib import Path

from everup.observe.metrics import METRICS, OTHER, SERIES_MAX, Kind, Metrics


def test_counters_gauges_and_histograms_are_rendered() -> None:
    """Each kind appears with its help, its labels and its value, buckets cumulative."""
    metrics = Metrics()
    metrics.count("everup_requests_total", ("chat", "200"))
    metrics.count("everup_requests_total", ("chat", "200"), 2)
    metrics.set("everup_requests_open", (), 7)
    for value in (0.004, 0.2, 0.2, 9999):
        metrics.observe("everup_request_seconds", ("chat",), value)
    lines = metrics.render().decode().splitlines()
    assert 'everup_requests_total{endpoint="chat",status="200"} 3.0' in lines
    assert "everup_requests_open 7.0" in lines
    assert 'everup_request_seconds_bucket{endpoint="chat",le="0.005"} 1.0' in lines
    assert 'everup_request_seconds_bucket{endpoint="chat",le="0.25"} 3.0' in lines
    assert 'everup_request_seconds_bucket{endpoint="chat",le="+Inf"} 4.0' in lines
    assert "# TYPE everup_requests_total counter" in lines


def test_labels_are_escaped() -> None:
    """A label value with quotes and newlines does not break the text."""
    metrics = Metrics()
    metrics.count("everup_attempts_total", ('a"b\nc\\', "ok"))
    text = metrics.render().decode()
    assert r'candidate="a\"b\nc\\"' in text


def test_a_wrong_use_is_noted_and_never_raises() -> None:
    """A name or label count that the table does not have is remembered as misuse, and counted nowhere."""
    metrics = Metrics()
    metrics.count("everup_nothing_total")
    metrics.count("everup_requests_total", ("one",))
    metrics.observe("everup_requests_seconds", (), 1)
    metrics.set("everup_x", (), 1)
    assert {"everup_nothing_total", "everup_requests_total", "everup_requests_seconds", "everup_x"} == metrics.misused
    assert {} == metrics.numbers


def test_series_are_bounded() -> None:
    """Past the bound new label values are counted together as `other`."""
    metrics = Metrics()
    for n in range(SERIES_MAX + 50):
        metrics.count("everup_attempts_total", (f"p/{n}", "ok"))
        metrics.observe("everup_attempt_seconds", (f"p/{n}",), 1)
    assert SERIES_MAX + 1 == len(metrics.numbers)
    assert 50 == metrics.numbers["everup_attempts_total", (OTHER, OTHER)]
    assert SERIES_MAX + 1 == len(metrics.histograms)


def test_names_follow_the_house_rules() -> None:
    """Names begin with everup_, counters end in _total, histograms in their unit, and none is there twice."""
    names = [row.name for row in METRICS]
    assert len(names) == len(set(names))
    for row in METRICS:
        assert re.fullmatch(r"everup(_[a-z]+)+", row.name)
        assert (row.kind is Kind.COUNTER) == row.name.endswith("_total")
        assert row.kind is not Kind.HISTOGRAM or row.name.endswith("_seconds")
        assert row.help.endswith(".")


def test_counting_is_cheap() -> None:
    """A count takes far less than what a request may cost."""
    metrics = Metrics()
    labels = ("chat", "200")
    assert timeit.timeit(lambda: metrics.count("everup_requests_total", labels), number=20_000) / 20_000 < 20e-6


def test_every_name_used_in_the_code_is_in_the_table() -> None:
    """Each metric name written anywhere in the package is a row of the table."""
    source = Path(__file__).resolve().parents[2] / "src" / "everup"
    used = {
        name
        for path in source.rglob("*.py")
        for name in re.findall(r'\.(?:count|observe|set)\(\s*"(everup_[a-z_]+)"', path.read_text(encoding="utf-8"))
    }
    assert set() == used - {row.name for row in METRICS}
