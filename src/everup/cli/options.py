"""
Options that several commands share, so that they mean the same everywhere.

What must not live here: an option of one command.
"""

from __future__ import annotations

import click

URL = click.option(
    "--url", metavar="URL", default="", help="The gateway's address, instead of EVERUP_URL or the config file's."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
