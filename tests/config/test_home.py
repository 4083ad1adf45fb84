"""Where everup's home is on each platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from everup.config.home import config_path, find_home


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/home/u"}, "/home/u/.local/state/everup"),
        ("linux", {"HOME": "/home/u", "XDG_STATE_HOME": "/state"}, "/state/everup"),
        ("linux", {"HOME": "/home/u", "XDG_STATE_HOME": "relative"}, "/home/u/.local/state/everup"),
        ("linux", {"HOME": "/"}, "/var/lib/everup"),
        ("darwin", {"HOME": "/Users/u"}, "/Users/u/Library/Application Support/everup"),
        ("linux", {"HOME": "/home/u", "EVERUP_HOME": "/srv/everup"}, "/srv/everup"),
        ("win32", {"LOCALAPPDATA": "/local", "USERPROFILE": "/u"}, "/local/everup"),
        ("win32", {"USERPROFILE": "/u"}, "/u/AppData/Local/everup"),
    ],
)
def test_the_home_follows_the_platform(platform: str, environ: dict[str, str], expected: str) -> None:
    """`EVERUP_HOME` wins, else the platform's folder for state."""
    assert Path(expected) == find_home(environ, platform)


def test_a_relative_home_is_made_absolute() -> None:
    """A relative `EVERUP_HOME` means the folder everup was started in."""
    assert Path("here").absolute() == find_home({"EVERUP_HOME": "here"}, "linux")


def test_the_config_file_is_in_the_home() -> None:
    """Without `--config` the file is `everup.toml` in the home."""
    assert Path("/x/everup.toml") == config_path({"EVERUP_HOME": "/x"}, "linux")
