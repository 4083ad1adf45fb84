"""The bench computes what it says, and a tiny round of it runs."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tomllib
from array import array
from pathlib import Path

import contenders
import figures
import machine
import pytest
import report
import round as bench_round
import slow_clients
import targets

RUN = {"per_s": 100.0, "cpu_us": 50.0, "p50_ms": 1.0, "p99_ms": 2.0, "errors": 0.0}
CASES = {
    "json c1": {"direct": [RUN, RUN], "everup": [RUN | {"p50_ms": 1.2}, RUN | {"p50_ms": 1.4}], "nginx": [RUN, RUN]},
    "json c32": {"direct": [RUN], "everup": [RUN | {"cpu_us": 150.0}], "nginx": [RUN]},
}


def measured(**more: object) -> targets.Measured:
    """Return a round as it is written, with invented figures."""
    about = {"date": "2026-01-02", "command": "again", "machine": "m", "versions": {"everup": "1", "node": "20"}}
    return {**about, "rounds": 2, "seconds": 3.0, "failures": [], "cases": CASES, **more}


def test_samples_are_read_and_sorted() -> None:
    """A samples file of unsigned 64-bit nanoseconds comes back in order."""
    assert [1, 2, 2**40] == figures.samples(array("Q", [2**40, 1, 2]).tobytes())


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_percentiles_are_exact(percent: float, expected: int) -> None:
    """A percentile is one of the samples, by nearest rank."""
    assert expected == figures.percentile(list(range(1, 101)), percent)


def test_no_samples_have_no_percentile() -> None:
    """Without samples a percentile is not a number instead of a wrong one."""
    assert math.isnan(figures.percentile([], 50))


def test_figures_of_answers() -> None:
    """Rates and CPU are per second and per answer, and times are in milliseconds."""
    counts = {"elapsed_s": 2.0, "answers": 100, "chunks": 0, "errors": 1}
    run = figures.figures(counts, 0.005, [1_000_000] * 99 + [3_000_000], [])
    assert {"errors": 1, "per_s": 50, "p50_ms": 1, "p99_ms": 1, "max_ms": 3, "cpu_us": 50} == run


def test_figures_of_streams() -> None:
    """A run of streams has the figures of its chunks as well."""
    counts = {"elapsed_s": 2.0, "answers": 1, "chunks": 200, "errors": 0}
    run = figures.figures(counts, 0.01, [1_000_000], [500_000] * 200)
    assert (100, 50, 0.5) == (run["chunks_per_s"], run["chunk_cpu_us"], run["chunk_p50_ms"])


def test_figures_without_an_answer() -> None:
    """A run in which nothing was answered gives no CPU figure and does not fail."""
    run = figures.figures({"elapsed_s": 1.0, "answers": 0, "chunks": 0, "errors": 9}, 0.1, [], [])
    assert math.isnan(run["cpu_us"])


def test_the_best_of_a_rate_is_the_highest() -> None:
    """Rates are best when high and everything else is best when low."""
    runs = [{"per_s": 1.0, "cpu_us": 5.0}, {"per_s": 2.0, "cpu_us": 9.0}]
    assert (2, 5) == (figures.best(runs, "per_s"), figures.best(runs, "cpu_us"))


def test_ratios_are_taken_inside_a_repetition() -> None:
    """Noise that doubles both contenders of one repetition leaves the ratio as it is."""
    cases = {"x": {"a": [{"cpu_us": 2.0}, {"cpu_us": 4.0}], "b": [{"cpu_us": 1.0}, {"cpu_us": 2.0}]}}
    assert figures.ratio(cases, "x", "cpu_us", "a", "b") == 2


def test_what_is_added_is_the_median_difference() -> None:
    """What a contender adds to direct is the median over the repetitions."""
    assert figures.added(CASES, "json c1", "p50_ms", "everup") == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("is_floor", "bound", "value", "expected"),
    [
        (False, 5.0, 5.0, True),
        (False, 5.0, 5.1, False),
        (True, 0.95, 0.94, False),
        (True, 0.95, 1.0, True),
        (False, None, 1.0, None),
        (False, 5.0, math.nan, None),
    ],
)
def test_a_bound_is_met_or_not(*, is_floor: bool, bound: float | None, value: float, expected: bool | None) -> None:
    """A ceiling is met from below, a floor from above, and what was not measured is neither."""
    target = figures.Target(measure="m", unit="", bound=bound, goal=0, is_floor=is_floor)
    assert expected is figures.is_met(target, bound, value)


def test_verdicts_leave_out_what_was_not_measured() -> None:
    """A round of two cases gives the two targets that they can answer."""
    found = {row["measure"]: (row["is_target_met"], row["is_goal_met"]) for row in targets.verdicts(measured())}
    assert {
        "CPU per JSON request at c32, x nginx": (True, False),
        "added p50 at c1 over direct": (True, False),
    } == found


def test_the_document_shows_every_table() -> None:
    """The Markdown holds the verdicts, the cases and the figures taken once."""
    text = report.document(measured(memory={"everup": {"idle_mb": 44.4, "stream_kb": 20.0}}), {})
    assert "| RSS idle " in text
    assert "| 44.4 " in text
    assert "```\nagain\n```" in text
    assert "everup 1 · node 20" in text
    assert text.count("\n## ") == 3
    assert all(
        len({line.count("|") for line in block.split("\n")}) == 1
        for block in text.strip().split("\n\n")
        if "|" in block
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.000181, "0.000181"), (12.345, "12.3"), (61239.4, "61,239"), (math.nan, "-"), (0, "0"), (math.inf, "never")],
)
def test_numbers_are_short(value: float, expected: str) -> None:
    """A figure has three significant digits, or all digits of a whole number."""
    assert expected == report.number(value)


def test_the_order_turns_every_other_time() -> None:
    """No contender always comes first."""
    assert [1, 2, 3] == bench_round.interleaved([1, 2, 3], 0)
    assert [3, 2, 1] == bench_round.interleaved([1, 2, 3], 1)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A case that does not exist is named, with those that do."""
    with pytest.raises(SystemExit):
        bench_round.arguments(["--only", "json c33"])
    said = capsys.readouterr().err
    assert "json c33" in said
    assert "json c32" in said


def test_the_configuration_of_everup_is_one_file() -> None:
    """What everup is started with is TOML with one route to the fake provider for each of its wires."""
    document = tomllib.loads(contenders.everup_config(1, 2))
    ways = {"default": {"try": ["bench/bench-model"]}, "translated": {"try": ["translated/bench-model"]}}
    assert ways == document["routes"]
    assert {"http://127.0.0.1:2/v1"} == {provider["base_url"] for provider in document["providers"].values()}
    assert ["openai_chat", "anthropic"] == [provider["wire"] for provider in document["providers"].values()]


def server() -> contenders.Server:
    """Return a server that need not run."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    ways = {contenders.SAME: contenders.Way(model="default", headers="x-way: 1\r\n")}
    return contenders.Server(name="x", port=1, process=process, ways=ways, key="k")


def test_a_request_is_whole() -> None:
    """The bytes of a request hold the length of their body, the model, its way and the wish to the provider."""
    head, body = server().request(stream=True, delay_ms=1, interval_ms=2, chunks=3).split(b"\r\n\r\n")
    sent = json.loads(body)
    assert f"content-length: {len(body)}" in head.decode()
    assert ("default", True) == (sent["model"], sent["stream"])
    assert "bench:delay=1,interval=2,chunks=3" in sent["messages"][0]["content"]
    assert b"\r\nx-way: 1\r\n" in head


def test_slow_clients_are_of_three_kinds() -> None:
    """One never ends its head, one never ends its body, one never reads."""
    head, body, reader = slow_clients.kinds(server())
    assert b"\r\n\r\n" not in head.at_once
    assert b"\r\n\r\n" in body.at_once
    assert body.slowly
    assert reader.slowly == b""


def need(*programs: str) -> None:
    """Nothing where a round can run; else the test skips by name."""
    if sys.platform != "linux":
        pytest.skip("the bench reads /proc: Linux only")
    if lacking := machine.missing(*programs):
        pytest.skip(f"not on this machine: {', '.join(lacking)}")


def run_bench(script: str, *words: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Return how a script of the bench ended, everup being the one under test."""
    root = Path(__file__).resolve().parents[2]
    env = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, str(root / "bench" / script), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.long
def test_a_tiny_round_runs(tmp_path: Path) -> None:
    """A round of a few short runs gives every contender figures without an error, and everup those of both wires."""
    need("gcc", "nginx")
    words = ["--seconds", "0.3", "--rounds", "1", "--json", str(tmp_path / "round.json")]
    only = [word for name in ("json c1", "paced c32", "paced c32 translated", "gone") for word in ("--only", name)]
    ended = run_bench("round.py", "--without", "peers", *words, *only, cache=tmp_path)
    assert ended.returncode == 0, ended.stderr
    written = json.loads((tmp_path / "round.json").read_text(encoding="utf-8"))
    runs = [run for case in written["cases"].values() for contender in case.values() for run in contender]
    assert len(runs) == 2 * len(contenders.CONTENDERS) + 1
    assert written["failures"] == []
    assert all(run["errors"] == 0 and run.get("chunk_cpu_us", run["cpu_us"]) > 0 for run in runs)


@pytest.mark.long
def test_a_short_load_bar_runs(tmp_path: Path) -> None:
    """The bar L2 says pass or fail with its figures, and its exit code agrees."""
    need("gcc")
    ended = run_bench("load_bars.py", "--only", "L2", "--seconds", "1", cache=tmp_path)
    assert (0 if "pass" in ended.stdout else 1) == ended.returncode, ended.stdout + ended.stderr
    assert " 0 errors" in ended.stdout


def test_what_is_missing_is_named() -> None:
    """A program that this machine lacks is told by its name."""
    assert shutil.which("no-such-program-here") is None
    assert ["no-such-program-here"] == machine.missing("no-such-program-here")
