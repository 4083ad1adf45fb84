"""
`everup version`: which everup this is.

What must not live here: any import that takes time.
"""

from __future__ import annotations

import sys

import click

from everup import __version__
from everup.cli.options import JSON
from everup.cli.screen import say, show_json


@click.command()
@JSON
def version(*, as_json: bool) -> None:
    """
    Show the versions of everup and Python.

    Example: everup version --json
    """
    python = ".".join(str(part) for part in sys.version_info[:3])
    if as_json:
        show_json({"version": __version__, "python": python, "platform": sys.platform})
    else:
        say(f"everup {__version__} (Python {python}, {sys.platform})")
