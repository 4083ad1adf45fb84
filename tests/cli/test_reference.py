"""docs/cli.md says what the commands say."""

from __future__ import annotations

import re

import click
import pytest

from tests.cli import reference


def test_the_page_is_up_to_date() -> None:
    """The page is what the commands' own help gives (`python -m tests.cli.reference` writes it)."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.text()


@pytest.mark.parametrize(("name", "command"), [*reference.commands("everup", reference.app)])
def test_every_command_explains_itself(name: str, command: click.Command) -> None:
    """Each command says what it does in one line and shows itself in use."""
    first = (command.help or "").strip().split("\n")[0]
    assert first.endswith(".")
    if not isinstance(command, click.Group):
        assert re.search(rf"Example: .*{name}", command.help or "")
        assert len(command.get_short_help_str(60)) <= 60
