"""`everup config check` and `everup config show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Everup

SECRET = "sk-thisIsNobodysKey"
GOOD = """
[providers.one]
wire = "openai_chat"
base_url = "http://127.0.0.1:9/v1"
key = "env:ONE_KEY"

[routes.default]
try = ["one/a"]
"""
BAD = f"""
[providers.one]
wire = "openai_chat"
base_url = "http://127.0.0.1:9/v1"
key = "{SECRET}"

[routes.default]
try = ["two/a"]
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Return a config file without a fault."""
    path = tmp_path / "good.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """Return a config file with an error and a key in it."""
    path = tmp_path / "bad.toml"
    path.write_text(BAD, encoding="utf-8")
    return path


def test_a_good_file(everup: Everup, good: Path) -> None:
    """A file without a fault is called good, with what it has."""
    done = everup("config", "check", str(good), ONE_KEY="k")
    assert (0, f"{good}: good (1 provider, 1 route)\n", "") == done


def test_a_bad_file(everup: Everup, bad: Path) -> None:
    """Each problem is one line with place and severity, the exit code is 78, and no secret is shown."""
    done = everup("config", "check", str(bad))
    assert (78, "") == (done.code, done.err)
    assert any(each.startswith(f"{bad}:8:8: error: ") for each in done.out.splitlines())
    assert all(each.split(": ")[1] in {"error", "warning"} for each in done.out.splitlines())
    assert SECRET not in done.out


def test_problems_as_json(everup: Everup, bad: Path) -> None:
    """The JSON form has every problem with its place as numbers."""
    done = everup("config", "check", "--json", str(bad))
    problems = json.loads(done.out)
    assert 78 == done.code
    assert {"path", "line", "column", "severity", "reason"} == set(problems[0])
    assert 8 in {each["line"] for each in problems if each["severity"] == "error"}


def test_no_toml_at_all(everup: Everup, tmp_path: Path) -> None:
    """A file that does not parse is one line with its place."""
    path = tmp_path / "x.toml"
    path.write_text("[a]\nb = \n", encoding="utf-8")
    done = everup("config", "check", "x.toml")
    assert (78, 1) == (done.code, done.out.count("\n"))
    assert done.out.startswith("x.toml:2:5: error: ")
    (problem,) = json.loads(everup("config", "check", "--json", "x.toml").out)
    assert ("x.toml", 2, 5, "error") == tuple(problem[name] for name in ("path", "line", "column", "severity"))


def test_a_key_that_is_not_there(everup: Everup, tmp_path: Path) -> None:
    """A key that cannot be had from here is a warning that says what to do; the file is still good."""
    (tmp_path / "x.toml").write_text('[providers.groq]\nkey = "file:no.key"\n', encoding="utf-8")
    done = everup("config", "check", "x.toml")
    assert 0 == done.code
    assert "x.toml: warning: provider groq, profile default: the file " in done.out
    assert "no.key does not exist" in done.out


def test_no_file(everup: Everup, home: Path) -> None:
    """Without a config file all is well, but a file that was named must be there."""
    done = everup("config", "check")
    assert (0, "") == (done.code, done.err)
    assert str(home / "everup.toml") in done.out
    assert [] == json.loads(everup("config", "check", "--json").out)
    assert (78, "", "everup: there is no file nowhere.toml\n") == everup("config", "check", "nowhere.toml")
    assert not home.exists()


def test_the_configuration_is_shown(everup: Everup, bad: Path, good: Path) -> None:
    """What is shown is TOML that holds the settings and no secret."""
    shown = everup("config", "show", str(good))
    assert (0, "") == (shown.code, shown.err)
    assert 'try = ["one/a"]' in shown.out
    assert "env:ONE_KEY" in shown.out
    hidden = everup("config", "show", str(bad))
    assert 0 == hidden.code
    assert SECRET not in hidden.out + hidden.err


def test_every_default_is_shown(everup: Everup) -> None:
    """Without a config file `--defaults` prints every limit with its value."""
    shown = everup("config", "show", "--defaults").out
    assert "port = 4400" in shown
    assert "deadline_s = 600" in shown
    assert "drain_s = 30" in shown


def test_the_example_of_the_first_ten_minutes(everup: Everup, tmp_path: Path, root: Path) -> None:
    """The config file that docs/start.md shows is good as it stands."""
    page = (root / "docs" / "start.md").read_text(encoding="utf-8")
    (tmp_path / "everup.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    done = everup("config", "check", "everup.toml", ANTHROPIC_API_KEY="k")
    assert (0, "everup.toml: good (2 providers, 1 route)\n", "") == done
