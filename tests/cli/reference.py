"""
docs/cli.md from the commands themselves: `python -m tests.cli.reference` writes it, a test compares.

Must not: words about a command that its own help lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from everup.cli.exits import MEANING
from everup.cli.main import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
WIDTH = 100
INTRODUCTION = """# Commands

Written from the commands' own help by `python -m tests.cli.reference`; a test compares.

Results go to stdout, everything else to stderr. On a terminal tables are drawn and the model's name is dim; in a pipe
all is plain (`NO_COLOR` makes it plain everywhere). `--json` is there where a script may want it.

Commands that show what the gateway is doing ask the running one. It is looked for at `--url`, else `EVERUP_URL`, else
where `everup.toml` in everup's home says it listens (a Unix socket too: `--url unix:/path/to/socket`). When none runs
they read files only, say so, and exit with 3; nothing is locked, changed or created.
"""
VARIABLES = {
    "EVERUP_HOME": "everup's home: the config file, its key, the clients' keys, the embedded model's file",
    "EVERUP_API_KEY": "the gateway's own key, for `everup run` and the commands that ask it, instead of the file `key`",
    "EVERUP_URL": "where the running gateway is, instead of what the config file says",
    "EVERUP_MODEL": "for a first run without config file: the model to prefer, as `provider/model`",
    "EVERUP_GGUF": "a model file of your own for the embedded model",
    "EVERUP_DEBUG": "set to anything: an unexpected error shows where it happened",
    "NO_COLOR": "set to anything: no colour",
}


def text() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## Exit codes\n", *rows("code", "meaning", {str(int(c)): m for c, m in MEANING.items()})]
    parts += ["", "## Variables\n", *rows("variable", "meaning", {f"`{name}`": m for name, m in VARIABLES.items()})]
    for name, command in commands("everup", app):
        context = click.Context(
            command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=["-h", "--help"]
        )
        parts.append(f"\n## {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n".join(parts) + "\n"


def rows(left: str, right: str, entries: dict[str, str]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {left} | {right} |\n| --- | --- |"
    for name, meaning in entries.items():
        yield f"| {name} | {meaning} |"


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, with their full names."""
    yield name, command
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from commands(f"{name} {word}", below)


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
