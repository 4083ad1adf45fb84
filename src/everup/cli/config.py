"""
`everup config`: what is wrong with a config file, and what it comes to.

What must not live here: judging a configuration (see the room `config`). Prints no secret and no configured
value of a faulty line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from everup.cli import place
from everup.cli.exits import Ended, Exit
from everup.cli.screen import say, show_json, tell
from everup.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sized

    from everup.config.problem import Problem

FILE = click.argument("file", metavar="[FILE]", default="")


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command()
@FILE
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
def check(file: str, *, as_json: bool) -> None:
    """
    Say what is wrong with a config file, line by line.

    FILE is the one in everup's home unless given. The exit code is 78 if there is an error.

    Example: everup config check everup.toml
    """
    path = place.config_path(file)
    try:
        loaded = place.read_config(path)
    except ConfigError as error:
        for problem in error.problems:
            say(problem)
        raise Ended(Exit.CONFIG) from None
    if loaded is None:
        if file:
            raise Ended(Exit.CONFIG, f"there is no file {path}")
        say(f"There is no config file ({path}): everup uses what it finds on this machine.")
        return
    if as_json:
        show_json([as_dict(each) for each in loaded.problems])
    else:
        for each in loaded.problems:
            say(problem_line(each))
    if any(each.severity == "error" for each in loaded.problems):
        raise Ended(Exit.CONFIG)
    if not as_json:
        say(f"{path}: good ({count(loaded.snapshot.providers, 'provider')}, {count(loaded.snapshot.routes, 'route')})")


@config.command()
@FILE
@click.option("--defaults", is_flag=True, help="Show every setting, also those left alone.")
def show(file: str, *, defaults: bool) -> None:
    """
    Show the configuration as everup understands it.

    FILE is the one in everup's home unless given. Secrets are not shown, only where they come from.

    Example: everup config show --defaults
    """
    from everup.config.show import render
    from everup.shapes.snapshot import Snapshot

    path = place.config_path(file)
    loaded = place.read_config(path)
    if loaded is None and file:
        raise Ended(Exit.CONFIG, f"there is no file {path}")
    if loaded is None:
        tell(f"There is no config file ({path}): everup uses what it finds on this machine.")
    for each in loaded.problems if loaded else ():
        tell(problem_line(each))
    if text := render(loaded.snapshot if loaded else Snapshot(), defaults=defaults).strip():
        say(text)


def problem_line(problem: Problem) -> str:
    """Return `file:line:column: error|warning: reason`, as compilers write it."""
    where = f"{problem.path}:{problem.line}:{problem.column}" if problem.line else problem.path
    return f"{where}: {problem.severity}: {problem.reason}"


def as_dict(problem: Problem) -> dict[str, str | int]:
    """Return a problem for JSON."""
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "severity": str(problem.severity),
        "reason": problem.reason,
    }


def count(things: Sized, name: str) -> str:
    """Return how many there are, in words."""
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
