"""
`everup chat`: one question, or a conversation, in the terminal.

What must not live here: HTTP (see `gateway`) and reading a stream (see `answer`). Text of a conversation is
kept in memory for its length only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from everup.cli.exits import Ended, Exit
from everup.cli.options import URL
from everup.cli.screen import show_part, tell, tell_dim

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.cli.answer import Told
    from everup.cli.gateway import Address

STDIN_CHARS_MAX = 8_388_608
PROMPT = "> "
LEAVE = ("/exit", "/quit")


class Conversation:
    """The messages so far and how they are sent; a failed turn leaves no trace."""

    def __init__(self, address: Address, *, model: str, system: str, is_stream: bool, has_trail: bool) -> None:
        self.address = address
        self.model = model
        self.is_stream = is_stream
        self.has_trail = has_trail
        self.messages = [{"role": "system", "content": system}] if system else []

    def turn(self, text: str) -> None:
        """The answer is shown and who gave it told; `Ended` if there is none."""
        import asyncio

        from everup.cli.answer import answered

        asked = [*self.messages, {"role": "user", "content": text}]
        body: dict[str, object] = {"model": self.model, "messages": asked, "stream": self.is_stream}
        told = asyncio.run(answered(self.address, body, show_part))
        self.close_line(told)
        if told.fault:
            raise Ended(Exit.FAILED, told.fault)
        self.messages = [*asked, {"role": "assistant", "content": told.text}]

    def close_line(self, told: Told) -> None:
        """The last line is ended, model and trail stand on stderr."""
        if told.text and not told.text.endswith("\n"):
            show_part("\n")
        if told.model:
            tell_dim(f"[{told.model}]")
        if self.has_trail and told.trail:
            tell_dim(f"[trail: {told.trail}]")


@click.command()
@click.argument("message", metavar="[MESSAGE]", default="")
@click.option("--model", "-m", metavar="NAME", default="default", show_default=True, help="A route or a model.")
@click.option("--system", metavar="TEXT", default="", help="A system message to begin with.")
@click.option("--trail", is_flag=True, help="Show each attempt, why it failed and how long it took.")
@click.option("--no-stream", is_flag=True, help="Ask for the answer in one piece.")
@URL
def chat(message: str, *, model: str, system: str, trail: bool, no_stream: bool, url: str) -> None:
    """
    Ask a question, or hold a conversation.

    Without MESSAGE: on a terminal a conversation until /exit, in a pipe one question from stdin. Which model
    answered is told on stderr.

    Example: everup chat --trail "Name three rivers."
    """
    from everup.cli.gateway import find_gateway

    address = find_gateway(url)
    talk = Conversation(address, model=model, system=system, is_stream=not no_stream, has_trail=trail)
    if message:
        talk.turn(message)
    elif sys.stdin.isatty():
        converse(talk, input)
    else:
        talk.turn(piped())


def piped() -> str:
    """Return what stdin brings."""
    text = sys.stdin.read(STDIN_CHARS_MAX + 1)
    if len(text) > STDIN_CHARS_MAX:
        raise Ended(Exit.USAGE, f"stdin brings more than {STDIN_CHARS_MAX} characters")
    if not text.strip():
        raise Ended(Exit.USAGE, "there is no message: give one, or pipe one in")
    return text


def converse(talk: Conversation, read_line: Callable[[str], str]) -> None:
    """Return once the person left; errors and Ctrl-C end one answer, not the talk."""
    edit_lines()
    tell_dim(f"Talking to {talk.model} at {talk.address.shown}. /exit or Ctrl-D leaves, Ctrl-C ends an answer.")
    while True:
        try:
            text = read_line(PROMPT).strip()
        except EOFError:
            return tell("")
        except KeyboardInterrupt:
            tell("")
            continue
        if text in LEAVE:
            return None
        if text:
            try_turn(talk, text)


def try_turn(talk: Conversation, text: str) -> None:
    """One turn was tried, a failure told; `Ended` if none can work."""
    try:
        talk.turn(text)
    except KeyboardInterrupt:
        tell_dim("\n[stopped; this turn is not kept]")
    except Ended as end:
        if end.code is not Exit.FAILED:
            raise
        tell(end.message)


def edit_lines() -> None:
    """Where Python has readline, lines can be edited and brought back."""
    try:
        import readline  # noqa: F401  # its import alone changes input()
    except ImportError:  # Windows: the console does it
        return
