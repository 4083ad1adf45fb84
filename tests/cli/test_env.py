"""`everup env`: what it prints, and that nothing in it can be run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from everup.cli.env import Shell, line
from tests.cli.conftest import Everup

KEY = "eu-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
NASTY = ["plain", "two words", "it's", "$(touch x)`id`", 'a"b', "back\\slash", "-n", "*", "a;b&c|d"]


def test_the_lines_for_a_shell(everup: Everup) -> None:
    """Without a config file the default address is printed, with the key of the environment."""
    done = everup("env", "--shell", "sh", EVERUP_API_KEY=KEY, EVERUP_URL="", EVERUP_HOME="")
    assert done.out == f"export OPENAI_BASE_URL=http://127.0.0.1:4400/v1\nexport OPENAI_API_KEY={KEY}\n"
    assert (0, "") == (done.code, done.err)


def test_the_key_comes_from_the_home(everup: Everup, home: Path) -> None:
    """The key that the first run wrote is found, and nothing is written."""
    home.mkdir()
    (home / "key").write_text(f"{KEY}\n", encoding="ascii")
    (home / "key").chmod(0o600)
    assert f"OPENAI_API_KEY={KEY}\n" in everup("env", "--shell", "sh").out
    assert ["key"] == [path.name for path in home.iterdir()]


def test_without_a_key(everup: Everup, home: Path) -> None:
    """Without a key it says what makes one, exits with 1, prints no line to run and makes no folder."""
    done = everup("env")
    assert (1, "") == (done.code, done.out)
    where = home / "key"
    assert done.err == f"everup: there is no key yet in {where}: `everup run` makes one when it first starts\n"
    assert not home.exists()


def test_a_key_that_cannot_be_used(everup: Everup, home: Path) -> None:
    """A key file that is there and no good is told as that, not as absent."""
    home.mkdir()
    (home / "key").write_text("two words\n", encoding="ascii")
    done = everup("env")
    assert (1, "") == (done.code, done.out)
    assert "holds a space" in done.err
    assert "EVERUP_API_KEY" in done.err
    assert "no key yet" not in done.err


def test_a_home_named_by_the_environment_goes_along(everup: Everup, home: Path) -> None:
    """Where EVERUP_HOME is set it is printed too, so that the other commands find the same key there."""
    assert f"export EVERUP_HOME={home}" == everup("env", "--shell", "sh", EVERUP_API_KEY=KEY).out.splitlines()[-1]


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("port = 5000", "http://127.0.0.1:5000"),
        ('host = "0.0.0.0"', "http://127.0.0.1:4400"),
        ('host = "::"', "http://[::1]:4400"),
        ('host = "10.1.2.3"', "http://10.1.2.3:4400"),
        ('tls_cert = "c.pem"\ntls_key = "k.pem"', "https://127.0.0.1:4400"),
        ('hosts = ["gw.lan"]\ntls_cert = "c.pem"\ntls_key = "k.pem"', "https://gw.lan:4400"),
    ],
)
def test_the_address_is_the_config_files(everup: Everup, home: Path, server: str, address: str) -> None:
    """The address is the one a program on this machine can reach the configured server at."""
    home.mkdir()
    (home / "everup.toml").write_text(f"[server]\n{server}\n", encoding="utf-8")
    done = everup("env", "--shell", "fish", EVERUP_API_KEY=KEY, EVERUP_URL="")
    assert f"set -gx OPENAI_BASE_URL '{address}/v1'" == done.out.splitlines()[0]


def test_a_unix_socket_has_no_address(everup: Everup, home: Path) -> None:
    """A gateway on a Unix socket cannot be named to OpenAI clients, and that is said."""
    home.mkdir()
    (home / "everup.toml").write_text('[server]\nunix_socket = "/run/e.sock"\n', encoding="utf-8")
    done = everup("env", EVERUP_API_KEY=KEY, EVERUP_URL="")
    assert (1, "") == (done.code, done.out)
    assert "Unix socket /run/e.sock only" in done.err


def test_another_address_is_kept_for_everup_too(everup: Everup) -> None:
    """An address given by hand is also set for everup's own commands, with or without /v1."""
    done = everup("env", "--shell", "powershell", "--url", "localhost:9000/v1/", EVERUP_API_KEY=KEY)
    lines = ("$env:OPENAI_BASE_URL = 'http://localhost:9000/v1'", f"$env:OPENAI_API_KEY = '{KEY}'")
    assert [*lines, "$env:EVERUP_URL = 'http://localhost:9000'"] == done.out.splitlines()[:3]


def test_a_broken_config_file_is_told(everup: Everup, home: Path) -> None:
    """A config file that is no TOML stops the command with its line, not with a traceback."""
    home.mkdir()
    (home / "everup.toml").write_text("[server\n", encoding="utf-8")
    done = everup("env", EVERUP_API_KEY=KEY)
    assert (78, "") == (done.code, done.out)
    assert f"{home / 'everup.toml'}:1:8: " in done.err


@pytest.mark.parametrize("value", NASTY)
def test_a_shell_gets_exactly_the_value(value: str, tmp_path: Path) -> None:
    """Whatever a value holds, sh takes it as it is and runs nothing of it."""
    if os.name == "nt" or not shutil.which("sh"):
        pytest.skip("no sh here")
    script = line(Shell.SH, "X", value) + '\nprintf %s "$X"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert value == done.stdout
    assert [] == list(tmp_path.iterdir())


def test_quotes_of_the_other_shells() -> None:
    """Quotes and backslashes are escaped as fish and PowerShell want it."""
    assert line(Shell.FISH, "X", "it's \\") == "set -gx X 'it\\'s \\\\'"
    assert line(Shell.POWERSHELL, "X", "it's \u2019") == "$env:X = 'it''s \u2019\u2019'"
