"""`everup status`, with a gateway and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from everup.cli.status import span
from tests.cli.conftest import Everup
from tests.cli.fake_gateway import as_json, fake
from tests.cli.test_models import CONFIG

READY = {"state": "ready", "why": "", "until_s": None, "last_ms": 812, "requests": 5, "failures": 0}
COOLING = {
    "state": "cooling",
    "why": "rate_limit: slow down",
    "until_s": 75.2,
    "last_ms": None,
    "requests": 2,
    "failures": 2,
}
VIEW: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 1,
    "uptime_s": 3725.0,
    "url": "http://127.0.0.1:4400",
    "config": {"rev": 0, "source": "everup.toml", "sha256": "", "warnings": ["everup.toml:3:1: odd"]},
    "routes": {"default": ["openai/gpt-x", "groq/llama"]},
    "candidates": [
        {"candidate": "openai/gpt-x", "profile": "a", **READY},
        {"candidate": "groq/llama", "profile": "default", **COOLING},
    ],
    "clients": ["own"],
    "connections": {"open": 1},
    "embedded": {"state": "failed", "model": "smollm2", "cause": "no memory", "fix": "free some"},
    "requests_open": 3,
}


def test_the_gateways_state(everup: Everup) -> None:
    """Each candidate is one line with state, reason, time left, last latency and counts; warnings go to stderr."""
    with fake({"/status": as_json(VIEW)}) as it:
        done = everup("status", "--url", it.url)
    assert (0, "everup.toml:3:1: odd\n") == (done.code, done.err)
    lines = done.out.splitlines()
    assert "everup 0.1.0 at http://127.0.0.1:4400, up for 1 h 2 min, 3 open, configured by everup.toml" == lines[0]
    assert "default  openai/gpt-x, then groq/llama" in lines
    assert "groq/llama (default): rate_limit: slow down" == lines.pop(-2)
    rows = {line.split()[0]: line.split() for line in lines if "/" in line.split("  ")[0]}
    assert ["openai/gpt-x", "a", "ready", "812", "ms", "5", "0"] == rows["openai/gpt-x"]
    words = ["groq/llama", "default", "cooling", "rate_limit", "in", "1", "min", "15", "s", "2", "2"]
    assert words == rows["groq/llama"]
    assert "embedded model smollm2: failed; no memory; free some" == lines[-1]


def test_the_state_as_json(everup: Everup) -> None:
    """The JSON form is the gateway's own."""
    with fake({"/status": as_json(VIEW)}) as it:
        assert json.loads(everup("status", "--json", "--url", it.url).out) == VIEW


@pytest.mark.parametrize("view", [{}, {"candidates": None, "routes": [], "config": 1}, []])
def test_another_versions_state(everup: Everup, view: object) -> None:
    """A gateway of another version may leave things out, and no traceback comes of it."""
    with fake({"/status": as_json(view)}) as it:
        done = everup("status", "--url", it.url)
    assert 0 == done.code
    assert "There is no candidate" in done.out


def test_without_a_candidate(everup: Everup) -> None:
    """What would help depends on whether a config file says what to use."""
    for source, words in (("found on this machine", "set a provider's key"), ("e.toml", "everup config check")):
        with fake({"/status": as_json({"config": {"source": source}, "candidates": []})}) as it:
            done = everup("status", "--url", it.url)
        assert words in done.out
        assert ("configured by" in done.out) == (source == "e.toml")


def test_a_key_without_the_scope(everup: Everup) -> None:
    """A key that may not read the state is refused with its own exit code."""
    with fake({"/status": as_json({"error": {"message": "This key does not have the scope admin."}}, 403)}) as it:
        done = everup("status", "--url", it.url, EVERUP_API_KEY="k")
    assert (4, "") == (done.code, done.out)
    assert "scope admin" in done.err


def test_without_a_gateway(everup: Everup, home: Path) -> None:
    """The configured candidates are shown, it is said that nothing runs, the code is 3, and nothing is created."""
    home.mkdir()
    (home / "everup.toml").write_text(CONFIG, encoding="utf-8")
    done = everup("status")
    assert 3 == done.code
    assert "start it with `everup run`" in done.err
    assert ["one/a", "one/b"] == [line.split()[0] for line in done.out.splitlines()[1:]]
    listed = json.loads(everup("status", "--json").out)
    assert (False, ["one/a", "one/b"]) == (listed["running"], [each["candidate"] for each in listed["candidates"]])
    assert ["everup.toml"] == [path.name for path in home.iterdir()]


def test_without_anything(everup: Everup, home: Path) -> None:
    """Without gateway and config file it says so and creates nothing."""
    done = everup("status")
    assert (3, "") == (done.code, done.out)
    assert "There is no config file" in done.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90_061, "1 d 1 h"), ("x", "?")],
)
def test_spans(seconds: object, words: str) -> None:
    """A length of time is told by its two largest units."""
    assert words == span(seconds)
