"""`everup models`, with a gateway and without."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Everup
from tests.cli.fake_gateway import as_json, fake

LISTING = {
    "object": "list",
    "data": [{"id": "default", "owned_by": "everup"}, {"id": "openai/gpt-x", "owned_by": "openai"}],
}
CONFIG = """
[providers.one]
wire = "openai_chat"
base_url = "http://127.0.0.1:9/v1"
key = "env:ONE_KEY"

[routes.default]
try = ["one/a", "one/b"]
"""


def test_the_gateways_list(everup: Everup) -> None:
    """Plain columns for people and scripts alike, and the entries as they are in JSON."""
    with fake({"/v1/models": as_json(LISTING)}) as it:
        plain, listed = everup("models", "--url", it.url), everup("models", "--json", "--url", it.url)
    assert (0, "MODEL         BY\ndefault       everup\nopenai/gpt-x  openai\n", "") == plain
    assert LISTING["data"] == json.loads(listed.out)


def test_without_a_gateway(everup: Everup, home: Path) -> None:
    """The config file's routes and models are listed, it is said that nothing runs, and the code is 3."""
    home.mkdir()
    (home / "everup.toml").write_text(CONFIG, encoding="utf-8")
    done = everup("models")
    assert 3 == done.code
    assert ["default", "one/a", "one/b"] == [each.split()[0] for each in done.out.splitlines()[1:]]
    assert "start it with `everup run`" in done.err
    assert ["everup.toml"] == [path.name for path in home.iterdir()]


def test_with_nothing_at_all(everup: Everup, home: Path) -> None:
    """Without gateway and config file one sentence says what to do, and nothing is created."""
    done = everup("models")
    assert (3, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert "start it with `everup run`" in done.err
    assert not home.exists()
