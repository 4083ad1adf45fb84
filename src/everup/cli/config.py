"""
`everup config`: what is wrong with a config file, and what it comes to.

What must not live here: judging a configuration (see the room `config`). Prints no secret and no configured
value of a faulty line.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click

from everup.cli import place
from everup.cli.exits import Ended, Exit
from everup.cli.screen import say, show_json, tell
from everup.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sized

    from everup.config.problem import Problem
    from everup.shapes.snapshot import Snapshot

UNREAD = re.compile(r"(?::(\d+):(\d+))?: error: (.*)", re.DOTALL)
"""What follows the path in a line of `ConfigError`."""
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

    FILE is the one in everup's home unless given. The exit code is 78 if there is an error. A key that cannot be
    had in this terminal (an unset variable, an absent file) is a warning.

    Example: everup config check everup.toml
    """
    path = place.config_path(file)
    try:
        loaded = place.read_config(path)
    except ConfigError as error:
        show_problems([unread(line, str(path)) for line in error.problems], as_json=as_json)
        raise Ended(Exit.CONFIG) from None
    if loaded is None:
        if file:
            raise Ended(Exit.CONFIG, f"there is no file {path}")
        absent = f"There is no config file ({path}): everup uses what it finds on this machine."
        return show_json([]) if as_json else say(absent)
    problems = [*loaded.problems, *missing_keys(loaded.snapshot, str(path))]
    show_problems(problems, as_json=as_json)
    if loaded.errors:
        raise Ended(Exit.CONFIG)
    if not as_json:
        say(f"{path}: good ({count(loaded.snapshot.providers, 'provider')}, {count(loaded.snapshot.routes, 'route')})")
    return None


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
        tell(str(each))
    if text := render(loaded.snapshot if loaded else Snapshot(), defaults=defaults).strip():
        say(text)


def show_problems(problems: list[Problem], *, as_json: bool) -> None:
    """The problems stand on stdout."""
    if as_json:
        return show_json([as_dict(each) for each in problems])
    for each in problems:
        say(str(each))
    return None


def unread(line: str, path: str) -> Problem:
    """Return the problem of a file that could not be read at all."""
    from everup.config.problem import Problem, Severity

    found = UNREAD.fullmatch(line.removeprefix(path))
    row, column, reason = found.groups() if found else (0, 0, line)
    return Problem(path=path, line=int(row or 0), column=int(column or 0), reason=reason, severity=Severity.ERROR)


def missing_keys(snapshot: Snapshot, path: str) -> list[Problem]:
    """Return a warning for each key that cannot be had in this terminal, from here."""
    import asyncio

    from everup.config.problem import Problem, Severity
    from everup.credentials.holder import Credentials
    from everup.disk.read import read_file

    sentences = asyncio.run(Credentials(os.environ, read_file).load(snapshot))
    return [Problem(path=path, line=0, column=0, reason=each, severity=Severity.WARNING) for each in sentences]


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
