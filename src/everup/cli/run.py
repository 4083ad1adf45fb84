"""
`everup run`: the gateway itself, in the foreground.

What must not live here: building or serving anything (see `app`). Imports nothing but the application, so that
the gateway is up at once.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from everup.cli import place
from everup.cli.exits import Exit
from everup.cli.screen import tell

if TYPE_CHECKING:
    from everup.shapes.found import Found
    from everup.shapes.snapshot import Snapshot


LOG_FORMATS = ("auto", "json", "text")


@click.command()
@click.option("--config", metavar="FILE", default="", help="The config file, instead of the one in everup's home.")
@click.option("--host", metavar="HOST", help="The address to listen on, instead of server.host.")
@click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), help="The port, instead of server.port (4400).")
@click.option(
    "--log",
    "log_format",
    type=click.Choice(LOG_FORMATS),
    default="auto",
    show_default=True,
    help="How to write log lines: auto is text on a terminal, JSON elsewhere.",
)
def run(*, config: str, host: str | None, port: int | None, log_format: str) -> int:
    """
    Start the gateway and serve until Ctrl-C.

    Without a config file it uses what it finds: providers' keys in the environment (OPENAI_API_KEY,
    OPENROUTER_API_KEY, GROQ_API_KEY, MISTRAL_API_KEY, DEEPSEEK_API_KEY), model servers on this machine, and the
    embedded model. EVERUP_MODEL names the model to prefer, EVERUP_GGUF a model file of your own.

    Example: everup run --port 4400
    """
    from everup import app

    options = app.Options(config=config, host=host, port=port, log_format=log_format, environ=os.environ)
    is_moved = host is not None or port is not None
    try:
        return app.run(
            options, tell=tell, render=partial(rendered, config="" if is_moved else config, is_moved=is_moved)
        )
    except KeyboardInterrupt:  # before the signals were taken over: nothing was served yet
        return Exit.INTERRUPTED


def rendered(found: Found | None, snapshot: Snapshot, url: str, key_where: str, *, config: str, is_moved: bool) -> str:
    """Return the start table, its line to paste complete for this address."""
    from everup.cli.table import render_found

    called = program(sys.executable, shutil.which("everup"), sys.platform)
    words = f"--url {shlex.quote(url)}" if is_moved else f"--config {shlex.quote(str(Path(config).absolute()))}"
    return render_found(
        found,
        snapshot,
        url,
        key_where,
        env_words=words if is_moved or config else "",
        program=called,
        home=place.environ_home(),
    )


def program(python: str, on_path: str | None, platform: str) -> str:
    """Return how a shell calls this everup: by name if the PATH finds it, or path."""
    script = Path(python).with_name("everup.exe" if platform == "win32" else "everup")
    if on_path and Path(on_path).resolve() == script.resolve():
        return "everup"
    path = str(script) if script.exists() else python
    quoted = f'& "{path}"' if platform == "win32" else shlex.quote(path)
    return quoted if script.exists() else f"{quoted} -m everup"
