"""`everup keys`."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from tests.cli.conftest import Everup

CONFIG = """
[clients.robot]
key = "env:ROBOT_KEY"
"""


def test_a_key_is_printed_once(everup: Everup, home: Path) -> None:
    """The key alone stands on stdout, only its digest is kept, and the list does not show it."""
    made = everup("keys", "new", "laptop", "--route", "default", "--route", "fast")
    key = made.out.strip()
    assert 0 == made.code
    assert re.fullmatch(r"eu-[A-Za-z0-9_-]{43}", key)
    assert "not shown again" in made.err
    kept = (home / "clients.json").read_text(encoding="utf-8")
    assert key not in kept
    assert hashlib.sha256(key.encode()).hexdigest() in kept
    (row,) = json.loads(everup("keys", "list", "--json").out)
    assert ("laptop", ["inference"], ["default", "fast"]) == (row["name"], row["scopes"], row["routes"])
    plain = everup("keys", "list").out
    assert plain.splitlines()[1].startswith("laptop  inference  default, fast  ")
    assert key not in plain


def test_an_admin(everup: Everup) -> None:
    """An admin's key may do both."""
    everup("keys", "new", "boss", "--admin")
    assert ["admin", "inference"] == json.loads(everup("keys", "list", "--json").out)[0]["scopes"]


def test_names(everup: Everup) -> None:
    """A name is used once and has no strange letters, and both are said with what to do."""
    assert 0 == everup("keys", "new", "a").code
    again = everup("keys", "new", "a")
    assert (1, "") == (again.code, again.out)
    assert "fix: everup keys revoke a" in again.err
    assert 1 == everup("keys", "new", "../a").code


def test_revoking(everup: Everup, home: Path) -> None:
    """A revoked client is gone from the list, its digest is kept as revoked, and an unknown one is an error."""
    key = everup("keys", "new", "laptop").out.strip()
    revoked = everup("keys", "revoke", "laptop")
    assert (0, "") == (revoked.code, revoked.err)
    assert "within 1 s" in revoked.out
    assert [] == json.loads(everup("keys", "list", "--json").out)
    stored = json.loads((home / "clients.json").read_text(encoding="utf-8"))
    assert [hashlib.sha256(key.encode()).hexdigest()] == stored["revoked"]
    assert 1 == everup("keys", "revoke", "laptop").code


def test_a_client_of_the_config_file(everup: Everup, home: Path) -> None:
    """A client of the config file is listed, and revoked by its key's digest where the key can be had."""
    home.mkdir()
    (home / "everup.toml").write_text(CONFIG, encoding="utf-8")
    assert "robot" in everup("keys", "list").out
    unset = everup("keys", "revoke", "robot")
    assert 1 == unset.code
    assert "ROBOT_KEY" in unset.err
    assert 0 == everup("keys", "revoke", "robot", ROBOT_KEY="k" * 40).code
    stored = json.loads((home / "clients.json").read_text(encoding="utf-8"))
    assert [hashlib.sha256(b"k" * 40).hexdigest()] == stored["revoked"]


def test_a_damaged_file_is_not_written_over(everup: Everup, home: Path) -> None:
    """A clients file that is not understood is told and stays as it is."""
    home.mkdir()
    (home / "clients.json").write_text("{oops", encoding="utf-8")
    done = everup("keys", "new", "a")
    assert (1, "") == (done.code, done.out)
    assert "not written over" in done.err
    assert (home / "clients.json").read_text(encoding="utf-8") == "{oops"


def test_a_route_that_is_not_there(everup: Everup, home: Path) -> None:
    """A key for a route that the config file lacks is made, with a warning."""
    home.mkdir()
    toml = '[providers.ollama]\n[routes.default]\ntry = ["ollama/x"]\n'
    (home / "everup.toml").write_text(toml, encoding="utf-8")
    done = everup("keys", "new", "a", "--route", "defalt")
    assert 0 == done.code
    assert "no route defalt" in done.err


def test_a_file_of_clients_that_cannot_be_read(everup: Everup, home: Path) -> None:
    """A damaged file is told with what helps, is not taken for an empty one, and is not written over."""
    home.mkdir()
    (home / "clients.json").write_text('{"clients": [', encoding="utf-8")
    done = everup("keys", "list")
    assert (1, "") == (done.code, done.out)
    assert "it is not JSON; put a good copy back, or move it away" in done.err
    assert 1 == everup("keys", "new", "a").code
    assert '{"clients": [' == (home / "clients.json").read_text(encoding="utf-8")
