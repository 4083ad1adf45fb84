"""
`everup env`: the lines that point OpenAI clients at this gateway.

What must not live here: asking the gateway; this reads files only, so that it works in a shell's start-up file.
"""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum

import click

from everup.cli import place
from everup.cli.exits import Ended, Exit
from everup.cli.screen import say


class Shell(StrEnum):
    """The shells whose way of setting a variable is known."""

    SH = "sh"
    POWERSHELL = "powershell"
    FISH = "fish"


@click.command()
@click.option(
    "--shell", type=click.Choice([*map(str, Shell)]), help="Whose syntax to print; the default suits the platform."
)
@click.option("--url", metavar="URL", default="", help="The gateway's address, instead of the config file's.")
@click.option("--config", metavar="FILE", default="", help="The config file, if it is not the one in everup's home.")
def env(*, shell: str | None, url: str, config: str) -> None:
    """
    Print the lines that point OpenAI clients at everup.

    Example: eval "$(everup env)"

    In PowerShell: everup env | Out-String | Invoke-Expression
    """
    server = place.server_settings(config)
    if server.unix_socket and not url and not place.environ_url():
        words = f"the gateway listens on the Unix socket {server.unix_socket} only, which OPENAI_BASE_URL cannot name"
        raise Ended(Exit.FAILED, f"{words}: set server.host and server.port instead, or give --url")
    address = place.find_url(url, server)
    key = place.find_key()
    if not key:
        raise Ended(Exit.FAILED, place.no_key())
    chosen = Shell(shell) if shell else Shell.POWERSHELL if sys.platform == "win32" else Shell.SH
    variables = {"OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": key}
    if url or config:
        variables["EVERUP_URL"] = address  # so that `everup chat` and `everup status` find it too
    if named := place.environ_home():
        variables["EVERUP_HOME"] = named  # that they find the key too, where only this line was pasted
    for name, value in variables.items():
        say(line(chosen, name, value))


def line(shell: Shell, name: str, value: str) -> str:
    """Return the line that sets a variable; nothing the value holds is ever run."""
    match shell:
        case Shell.SH:
            return f"export {name}={shlex.quote(value)}"
        case Shell.FISH:
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"set -gx {name} '{escaped}'"
        case Shell.POWERSHELL:
            # PowerShell takes typographic quotes for quotes, and all are escaped by doubling.
            doubled = "".join(char * 2 if char in "'\u2018\u2019\u201a\u201b" else char for char in value)
            return f"$env:{name} = '{doubled}'"
