"""Peers are installed once and measured like all others; what fails is told and ends nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import contenders
import machine
import measures
import peers
import pytest
import report
import round as bench_round
import targets

FAKE_PEER = """
import http.server, json, sys
class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        is_stream = json.loads(body)["stream"]
        said = b'{"status":"failure"}' if is_stream else b'{"object":"chat.completion"}'
        self.send_response(500 if is_stream else 200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Peer).serve_forever()
"""
RUN = {"per_s": 100.0, "cpu_us": 50.0, "p50_ms": 1.0, "p99_ms": 2.0, "errors": 0.0}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache folder of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "everup-bench"


def package(code: str) -> peers.Package:
    """Return a package whose installation runs some Python."""
    return peers.Package(name="fake", files={"about.txt": "hello"}, commands=((sys.executable, "-c", code),))


def measured(**more: object) -> targets.Measured:
    """Return a round in which everup and two peers took part, with invented figures."""
    cases = {
        "json c32": {"everup": [RUN], "litellm": [RUN | {"cpu_us": 15_000.0}], "portkey": [RUN | {"cpu_us": 450.0}]},
        "burst c1": {"everup": [], "litellm": []},
    }
    about = {"date": "2026-01-02", "command": "again", "machine": "m", "versions": {}, "rounds": 1, "seconds": 3.0}
    return {**about, "failures": [], "cases": cases, **more}


def test_a_peer_is_installed_once(cache: Path) -> None:
    """The commands run in the peer's own folder, and not again while the recipe stays the same."""
    for _ in range(2):
        package("open('runs', 'a').write(open('about.txt').read())").install()
    assert (cache / "peers" / "fake" / "runs").read_text(encoding="utf-8") == "hello"


def test_another_recipe_installs_anew(cache: Path) -> None:
    """What an older recipe left behind is gone."""
    package("open('old', 'w')").install()
    package("open('new', 'w')").install()
    assert not (cache / "peers" / "fake" / "old").exists()
    assert (cache / "peers" / "fake" / "new").exists()


def test_a_failed_installation_is_tried_again(cache: Path) -> None:
    """The last line that the installer said is the reason, and nothing half done counts as installed."""
    failing = package("import sys; print('first'); sys.exit('no such package')")
    for _ in range(2):
        with pytest.raises(machine.BenchError, match=r"not installed, .*: no such package"):
            failing.install()
    assert not failing.stamp.exists()


def test_a_missing_installer_is_a_failure_like_others(cache: Path) -> None:
    """A program that is not there does not end the round with a traceback."""
    gone = peers.Package(name="fake", files={}, commands=(("no-such-program-here",),))
    failures: bench_round.Failures = []
    row = contenders.Contender(name="fake", start=contenders.direct, install=gone.install)
    assert [] == bench_round.installed([row], failures)
    assert ("fake", "install") == (failures[0]["contender"], failures[0]["at"])
    assert "no-such-program-here" in failures[0]["reason"]


def test_peers_are_started_without_the_keys_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer's environment is the search path, a home of its own and its settings."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    assert {"PATH", "HOME", "LANG", "X"} == peers.peer_env(tmp_path, {"X": "1"}).keys()


def test_every_peer_can_be_left_out() -> None:
    """`--without peers` leaves everup, direct and nginx; a single peer can be left out by its name."""
    rows = bench_round.chosen(bench_round.arguments(["--without", "peers"]))
    assert ["direct", "everup", "nginx"] == [row.name for row in rows]
    rows = bench_round.chosen(bench_round.arguments(["--without", "litellm"]))
    assert ["direct", "everup", "nginx", "portkey"] == [row.name for row in rows]


def test_the_command_of_a_round_is_told() -> None:
    """The report names the command that measures the same again, without files and paths of this machine."""
    asked = bench_round.arguments(["--rounds", "2", "--only", "json c1", "--without", "peers", "--json", "/x/y.json"])
    expected = 'python bench/round.py --rounds 2 --seconds 3 --only "json c1" --without peers'
    assert bench_round.command(asked) == f"{expected} --write docs/performance.md"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [(320, 3.0), (160, 7.2), (32, 30.0), (0, 30.0)],
)
def test_a_slow_contender_is_given_longer(answers: int, expected: float) -> None:
    """A run lasts until each connection had ten answers, as far as half a minute suffices for that."""
    case = measures.Case(name="x", connections=32)
    load = measures.Loaded(counts={"answers": answers, "chunks": 0}, answer_ns=[], chunk_ns=[], first_error="")
    assert expected == pytest.approx(measures.longer(case, load, 3.0))


def test_peers_are_compared_by_the_core_they_need() -> None:
    """Requests per second of a core are as many times those of a peer as the peer needs CPU for one."""
    found = {row["measure"]: (row["value"], row["is_target_met"]) for row in targets.verdicts(measured())}
    assert found == {
        "requests/s per core at c32, x LiteLLM": (300, True),
        "requests/s per core at c32, x Portkey": (9, False),
    }


def test_a_failure_is_a_row_with_its_reason() -> None:
    """Who failed stands in the table of the case and, with the reason, in that of the failures."""
    failures = [{"contender": "litellm", "at": "burst c1", "reason": "not 200: | at /some/where/x.py\nmore"}]
    text = report.document(measured(failures=failures), {})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "litellm" in line]
    assert ["burst c1", "litellm", "failed"] == next(row[:3] for row in rows if row[0] == "burst c1")
    assert ["litellm", "burst c1", "not 200: / at (...)"] in rows
    assert "more" not in text


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("could not fetch https://a.example/b?c d", "could not fetch (...) d"),
        ("/opt/x/bin/pip said: no", "(...) said: no"),
        ("HTTP/1.1 500 text/plain", "HTTP/1.1 500 text/plain"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_reason_holds_nothing_of_the_machine(reason: str, expected: str) -> None:
    """Addresses and paths are left out, and a long reason is cut."""
    assert expected == report.short(reason)


def test_a_missed_target_has_its_reason() -> None:
    """The words written down stand beside what was missed; without them the page says so."""
    measure = "requests/s per core at c32, x Portkey"
    assert f"- **{measure}** (target missed): It waits." in report.document(measured(), {measure: "It waits."})
    assert f"- **{measure}** (target missed): {report.UNEXPLAINED}" in report.document(measured(), {})
    assert "It is fast" not in report.document(measured(), {"requests/s per core at c32, x LiteLLM": "It is fast"})


def test_reasons_name_measures(tmp_path: Path) -> None:
    """The reasons of the repository can be read, and one for a measure that does not exist is refused."""
    assert all(targets.reasons().values())
    (tmp_path / "reasons.toml").write_text('["speed"]\nwhy = "x"\n', encoding="utf-8")
    with pytest.raises(KeyError, match="speed"):
        targets.reasons(tmp_path / "reasons.toml")


def test_an_earlier_round_is_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--read` gives the tables of a round that was measured before, and measures nothing."""
    (tmp_path / "round.json").write_text(json.dumps(measured()), encoding="utf-8")
    ended = bench_round.main(["--read", str(tmp_path / "round.json"), "--write", str(tmp_path / "page.md")])
    assert ended == 0
    assert capsys.readouterr().out.strip() == (tmp_path / "page.md").read_text(encoding="utf-8").strip()


def need(*programs: str) -> None:
    """Nothing where servers can be measured; else the test skips by name."""
    if sys.platform != "linux":
        pytest.skip("the bench reads /proc: Linux only")
    if lacking := machine.missing(*programs):
        pytest.skip(f"not on this machine: {', '.join(lacking)}")


@pytest.fixture
def place(cache: Path, tmp_path: Path) -> Iterator[contenders.Place]:
    """Yield a place with a running provider."""
    need("gcc")
    with contenders.provider(tmp_path) as upstream:
        yield contenders.Place(folder=tmp_path, provider=upstream, python=sys.executable)


def fake_peer(command: Sequence[str]) -> contenders.Contender:
    """Return a peer that is some command with a port behind it."""

    @contextmanager
    def start(place: contenders.Place) -> Iterator[contenders.Server]:
        port = machine.free_port()
        env = peers.peer_env(place.folder, {})
        ways = {contenders.SAME: contenders.Way()}
        with peers.peer_runs(place, "fake", [*command, str(port)], env, port, ways) as server:
            yield server

    return contenders.Contender(name="fake", start=start)


def asked() -> object:
    """Return what a very short round is asked for."""
    return bench_round.arguments(["--rounds", "2", "--seconds", "0.2"])


@pytest.mark.long
def test_a_peer_that_fails_in_one_case_has_figures_in_others(place: contenders.Place) -> None:
    """A peer whose streams fail has its figures of JSON, the failure once, and everyone else goes on."""
    rows = [contenders.Contender(name="direct", start=contenders.direct), fake_peer([sys.executable, "-c", FAKE_PEER])]
    cases = [case for case in measures.CASES if case.name in {"json c1", "burst c1", "json c32 translated"}]
    failures: bench_round.Failures = []
    found = bench_round.run_cases(place, rows, cases, asked(), failures)
    assert {"json c1": [2, 2], "burst c1": [2, 0], "json c32 translated": []} == {
        case: [len(runs) for runs in by_name.values()] for case, by_name in found.items()
    }
    assert [("fake", "burst c1")] == [(row["contender"], row["at"]) for row in failures]
    assert "500" in failures[0]["reason"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('no key')"], "fake ended"),
        (["no-such-program-here"], "no-such-program-here is not on this machine"),
    ],
)
def test_a_peer_that_does_not_start_is_left_out(place: contenders.Place, command: list[str], reason: str) -> None:
    """The round goes on without a peer that does not come up, and says why."""
    failures: bench_round.Failures = []
    case = [case for case in measures.CASES if case.name == "json c1"]
    found = bench_round.run_cases(place, [fake_peer(command)], case, asked(), failures)
    assert found == {"json c1": {}}
    assert "start" == failures[0]["at"]
    assert failures[0]["reason"].startswith(reason)


@pytest.mark.long
def test_the_provider_speaks_anthropic(place: contenders.Place) -> None:
    """A stream of its messages has Anthropic's events in their order, and a stamp in every delta."""
    asked = place.provider.request(stream=True, chunks=4).replace(b"/v1/chat/completions", b"/v1/messages")
    lines = machine.exchange(place.provider.port, asked).split(b"\r\n\r\n", 1)[1].decode().splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    kinds = ["message_start", "content_block_start", *["content_block_delta"] * 3, "content_block_stop"]
    assert [*kinds, "message_delta", "message_stop"] == [event["type"] for event in events]
    assert all(event["delta"]["text"].startswith("@") for event in events[2:5])
