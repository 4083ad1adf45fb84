"""
The one folder everup writes to, and where its config file is looked for.

What must not live here: making the folder (see `disk.write.make_home`). Called by app and cli with the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_NAME = "everup.toml"
NOBODYS_HOME = Path("/var/lib/everup")
"""For users without a home folder (containers with a random user id); not writable is fine, memory serves."""


def find_home(environ: Mapping[str, str], platform: str) -> Path:
    """Return `EVERUP_HOME`, else the folder for state (`sys.platform` tells)."""
    if named := environ.get("EVERUP_HOME"):
        return Path(named).expanduser().absolute()
    home = user_home(environ, platform)
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return Path(local) / "everup" if local else home / "AppData" / "Local" / "everup"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "everup"
    state = environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # the XDG specification: relative paths are ignored
        return Path(state) / "everup"
    return home / ".local" / "state" / "everup" if home != Path("/") else NOBODYS_HOME


def user_home(environ: Mapping[str, str], platform: str) -> Path:
    """Return the user's own folder, "/" when there is none."""
    named = environ.get("USERPROFILE" if platform == "win32" else "HOME")
    if named:
        return Path(named).absolute()
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def config_path(environ: Mapping[str, str], platform: str) -> Path:
    """Return the path of the config file used when none is named."""
    return find_home(environ, platform) / CONFIG_NAME
