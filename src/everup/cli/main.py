"""
The front door: the commands, and where every error becomes a sentence.

What must not live here: a command (each group has its file). Called as `everup` and by `python -m everup`.
"""

from __future__ import annotations

import os
import sys

import click

from everup import __version__
from everup.cli import chat, config, env, keys, local, models, run, status, version
from everup.cli.exits import Ended, Exit
from everup.cli.screen import tell
from everup.errors import ConfigError, CredentialError, EverupError, TransportError


class InOrder(click.Group):
    """A group whose help lists the commands as they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the commands' names in that order."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="everup %(version)s")
def app() -> None:
    """
    One address for your apps, in front of all your language models.

    It answers as long as any of the models can. Start it with `everup run`; then, in another terminal,
    `eval "$(everup env)"` and `everup chat "Hello"`.
    """


for command in (
    run.run,
    env.env,
    chat.chat,
    models.models,
    status.status,
    keys.keys,
    local.local,
    config.config,
    version.version,
):
    app.add_command(command)


def main() -> None:
    """The process ends with one of the codes in `exits`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a letter the terminal lacks is no reason to fail
    sys.exit(guarded())


def guarded() -> int:
    """Return the command's exit code; whatever it raised was told in words."""
    try:
        code = called()
        sys.stdout.flush()
    except BrokenPipeError:
        leave_pipe()
        return Exit.FAILED
    except Exception as error:
        if os.environ.get("EVERUP_DEBUG"):
            raise
        code, sentence = told(error)
        if sentence:
            tell(f"everup: {sentence}")
    return code


def called() -> int:
    """Return the code that the command ended with, 0 unless it said otherwise."""
    try:
        # A model's question may hold a *: on Windows click would put file names in its place.
        code = app.main(prog_name="everup", standalone_mode=False, windows_expand_args=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return Exit.INTERRUPTED
    return code if isinstance(code, int) else Exit.OK


def leave_pipe() -> None:
    """Nobody reads stdout, and Python's last flush must not complain."""
    sys.stdout = None  # what Python itself sets when there is no stdout


def told(error: Exception) -> tuple[Exit, str]:
    """Return exit code and sentence for an error; no secret, no traceback."""
    name = type(error).__name__
    words = f"an error in everup itself ({name}); EVERUP_DEBUG=1 before the same command shows where"
    match error:
        case Ended():
            return error.code, error.message
        case ConfigError():
            return Exit.CONFIG, "\n".join(error.problems)
        case CredentialError():
            words = f"{error.reason}\n  fix: {error.fix}" if error.fix else error.reason
        case EverupError():
            words = str(error)
        case OSError():
            words = ": ".join(filter(None, (str(error.filename or ""), error.strerror or name)))
    return Exit.NOT_RUNNING if isinstance(error, TransportError) else Exit.FAILED, words
