"""
How a command ends: the exit codes, and the exception that carries one.

What must not live here: printing (see `main`). Raised by every command.
"""

from __future__ import annotations

from enum import IntEnum

from everup.errors import EverupError


class Exit(IntEnum):
    """The exit codes; docs/cli.md lists them for people who write scripts."""

    OK = 0
    FAILED = 1
    """What was asked for did not work: an error answer, an incomplete answer, a key that does not exist."""
    USAGE = 2
    """An option or argument that everup does not know."""
    NOT_RUNNING = 3
    """No gateway answers at the address."""
    KEY_REFUSED = 4
    """The gateway does not accept the key, or the key lacks the scope."""
    CONFIG = 78
    """The configuration has an error, or the port is taken (EX_CONFIG of sysexits)."""
    INTERRUPTED = 130
    """Ctrl-C."""


MEANING = {
    Exit.OK: "it worked",
    Exit.FAILED: "what was asked for failed: an error answer, an incomplete answer, no such key",
    Exit.USAGE: "an option or argument that everup does not know",
    Exit.NOT_RUNNING: "no gateway answers at the address",
    Exit.KEY_REFUSED: "the gateway refuses the key, or the key lacks the scope",
    Exit.CONFIG: "an error in the configuration, or the port is taken",
    Exit.INTERRUPTED: "ended by Ctrl-C",
}


class Ended(EverupError):
    """A command that cannot go on: its exit code, and the sentence for stderr."""

    def __init__(self, code: Exit, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
