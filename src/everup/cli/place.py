"""
Where things are: the home, the config file, the gateway's address and key.

Lives here: which of option, variable and file wins. Must not: writing or creating anything; every command
that only looks goes through here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from everup.cli.exits import Ended, Exit

if TYPE_CHECKING:
    from everup.config.parse import Loaded
    from everup.shapes.snapshot import ServerSettings

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1", "*": "127.0.0.1"}  # noqa: S104  # compared only


def home() -> Path:
    """Return everup's home; it need not exist."""
    from everup.config import home as places

    return places.find_home(os.environ, sys.platform)


def config_path(given: str = "") -> Path:
    """Return the config file meant: the given one, else the home's; it may be absent."""
    from everup.config import home as places

    return Path(given).expanduser() if given else places.config_path(os.environ, sys.platform)


def read_config(path: Path) -> Loaded | None:
    """Return what a config file says, None when there is none; or `ConfigError`."""
    if not os.path.lexists(path):
        return None
    from everup.config.parse import load_file

    return load_file(path)


def server_settings(given: str = "") -> ServerSettings:
    """Return where the gateway listens as far as files say; or `ConfigError`."""
    from everup.shapes.snapshot import ServerSettings

    path = config_path(given)
    loaded = read_config(path)
    if loaded is None and given:
        raise Ended(Exit.CONFIG, f"there is no config file {path}")
    return loaded.snapshot.server if loaded else ServerSettings()


def url_of(server: ServerSettings) -> str:
    """Return the address of a gateway that listens there, seen from this machine."""
    host = ANY_ADDRESS.get(server.host, server.host)
    if server.tls_cert and server.hosts:
        host = server.hosts[0]  # a certificate is for a name
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if server.tls_cert else 'http'}://{name}:{server.port}"


def find_url(given: str, server: ServerSettings) -> str:
    """Return the address without `/v1`: by option, else EVERUP_URL, else the file."""
    url = (given or environ_url() or url_of(server)).strip()
    return (url if "://" in url else f"http://{url}").rstrip("/").removesuffix("/v1")


def environ_url() -> str:
    """Return the address that the environment gives, or nothing."""
    return os.environ.get("EVERUP_URL", "").strip()


def environ_home() -> str:
    """Return the home that the environment names as an absolute path, or nothing."""
    return str(home()) if os.environ.get("EVERUP_HOME") else ""


def no_key() -> str:
    """Return why this home has no key to show."""
    from everup.credentials.keys import stored_key

    found = stored_key(home() / "key")
    if found is not None and found.cause:
        return f"{found.cause}; the key that `everup run` then shows at its start goes into EVERUP_API_KEY"
    return f"there is no key yet in {home() / 'key'}: `everup run` makes one when it first starts"


def key_hint(*, is_there: bool) -> str:
    """Return which key was sent, or that there was none, for one that is refused."""
    if os.environ.get("EVERUP_API_KEY"):
        return "The key sent is the one in EVERUP_API_KEY."
    if is_there:
        return f"The key sent is the one in {home() / 'key'}; EVERUP_API_KEY overrides it."
    return f"No key was sent, for there is none in {home() / 'key'}: set EVERUP_API_KEY."


def find_key() -> str:
    """Return the gateway's own key: EVERUP_API_KEY, else the home's, else ""."""
    from everup.credentials.keys import read_key

    return read_key(home(), os.environ)
