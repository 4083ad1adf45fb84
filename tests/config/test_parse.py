"""A config text to a snapshot: syntax, places, and never a secret in a message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from everup.config.parse import FILE_BYTES_MAX, Loaded, decode, load, load_file
from everup.config.problem import Severity
from everup.errors import ConfigError

PATH = "/etc/everup/everup.toml"
CANARY = "sk-CANARY7x9"


def read(text: str) -> Loaded:
    """Return a text loaded as the file of these tests."""
    return load(text, PATH)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[server\n", "1:8"),
        ("a = 1\nb = \n", "2:5"),
        ("[a]\nx = 1\nx = 2\n", "3:6"),
        ("a = 1\na", "2:2"),
        ("a = " + "[" * 5000, "1:1"),
        ("a = " + "9" * 5000, "1:1"),
    ],
)
def test_a_syntax_error_has_its_place_and_reason(text: str, place: str) -> None:
    """What is no TOML is refused with file, line, column and a reason."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert len(caught.value.problems) == 1
    assert re.fullmatch(re.escape(f"{PATH}:{place}: error: ") + "[a-z].+", caught.value.problems[0])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a]\n[a]\n", "the table [a] is there twice"),
        ("[a.b]\n[a.b]\n", "the table [a.b] is there twice"),
        ("x = 1\nx = 2\n", "this setting is there twice, or a table has its name"),
    ],
)
def test_what_is_there_twice_is_told_in_toml_words(text: str, reason: str) -> None:
    """A table or setting that is repeated is named as a person wrote it."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.problems[0].endswith(f": error: {reason}")


def test_warnings_travel_with_the_snapshot() -> None:
    """What was wrong is in the snapshot's warnings, for `everup status`."""
    loaded = read("[sever]\n")
    assert (
        f"{PATH}:1:1: warning: sever: unknown setting, ignored; did you mean `server`?",
    ) == loaded.snapshot.warnings
    assert loaded.problems[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    "text",
    [
        '[providers.x]\nbase_url = "https://CANARY@a.example/v1"\n',
        '[providers.x]\nbase_url = "https://a.example/CANARY"\n',
        '[providers.x]\nbase_url = "https://a.example/v1?k=CANARY"\n',
        '[providers.x]\nbase_url = "CANARY"\n',
        '[providers.groq]\nkey = "CANARY"\n',
        '[providers.groq]\nkey = "CANARY "\n',
        '[providers.groq]\nkey = "env:CANARY!"\n',
        '[providers.groq]\nkey = ["CANARY"]\n',
        '[providers.groq]\nprofiles = [{id = "CANARY!", key = "CANARY"}]\n',
        '[providers.groq]\nwire = "CANARY"\nlocal = "CANARY"\nauth_prefix = "CANARYé"\n',
        '[models."groq/x"]\nparams = {model = "CANARY", x = nan}\nprice = "CANARY"\n',
        '[clients.c]\nkey = "CANARY"\nscopes = ["CANARY"]\n',
        '[clients.c]\nkey = "sha256:CANARY"\n',
        '[server]\nhost = "CANARY "\norigins = ["CANARY"]\ntls_key = "CANARY"\n',
        '[limits]\ndeadline_s = "CANARY"\n',
    ],
)
def test_no_message_repeats_a_value(text: str) -> None:
    """Whatever setting a secret was written into, neither problems nor the snapshot's repr show it."""
    loaded = read(text.replace("CANARY", CANARY))
    assert loaded.problems
    assert CANARY not in repr(loaded.problems)
    assert CANARY not in "".join(loaded.snapshot.warnings)


@pytest.mark.parametrize("line", [f"key = {CANARY}", f'key = "{CANARY}', f"key = '{CANARY}\n'", f"{CANARY}"])
def test_no_syntax_error_repeats_a_value(line: str) -> None:
    """A key that was written without its quotes is not told to the terminal."""
    with pytest.raises(ConfigError) as caught:
        read(f"[providers.groq]\n{line}\n")
    assert CANARY not in str(caught.value)


def outcome(data: bytes) -> tuple[str, ...]:
    """Return what is told about a file's bytes, whether they could be used or not."""
    try:
        return tuple(map(str, read(decode(data, PATH)).problems))
    except ConfigError as error:
        return error.problems


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
@example("\ufeff[a]")
@example("a = 1\r\n\r")
@example('x = "\\uD800"')
def test_any_text_gives_a_snapshot_or_a_config_error(text: str) -> None:
    """Whatever is in a file, reading it gives problems or `ConfigError` and nothing else."""
    assert all(problem.startswith(f"{PATH}:") for problem in outcome(text.encode()))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_snapshot_or_a_config_error(data: bytes) -> None:
    """Whatever bytes are in a file, reading it gives problems or `ConfigError`, each with its place."""
    assert all(problem.startswith(f"{PATH}:") for problem in outcome(data))


def test_a_file_is_read_with_what_windows_editors_add(tmp_path: Path) -> None:
    """A byte order mark, UTF-16 and CRLF are accepted."""
    for name, encoding in (("a", "utf-8"), ("b", "utf-8-sig"), ("c", "utf-16")):
        path = tmp_path / name
        path.write_bytes("[server]\r\nport = 5000\r\n".encode(encoding))
        assert load_file(path).snapshot.server.port == 5000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "there is no such file"),
        (".", "it is a folder"),
        ("large", "larger than"),
        ("latin", ":2:6: error: this byte is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, words: str) -> None:
    """A missing, unreadable, oversized or badly encoded file is a `ConfigError` that names path and cause."""
    (tmp_path / "large").write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    (tmp_path / "latin").write_bytes(b"[a]\nb = '\xe9'\n")
    with pytest.raises(ConfigError) as caught:
        load_file(tmp_path / name)
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)
