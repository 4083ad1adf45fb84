"""What a person sees: terminals and pipes."""

from __future__ import annotations

import io

import pytest

from everup.cli import screen


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_a_terminal_is_not_driven_by_text() -> None:
    """Escape sequences lose their escape on a terminal, lines and tabs stay, and a pipe gets everything."""
    text = "a\x1b]0;title\x07\tb\n\x9b2J\x00"
    assert "a]0;title\tb\n2J" == screen.harmless(text, Terminal())
    assert text == screen.harmless(text, io.StringIO())


@pytest.mark.parametrize(
    ("environ", "is_coloured"), [({"TERM": "xterm"}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour(environ: dict[str, str], is_coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """Colour is for terminals that can, unless NO_COLOR says no."""
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert is_coloured == screen.is_coloured(Terminal())
    assert not screen.is_coloured(io.StringIO())


def test_plain_columns() -> None:
    """Columns are as wide as their widest cell and lines have no blanks at their end."""
    rows = [("a", "long cell"), ("longer", "b")]
    assert "NAME    WHY\na       long cell\nlonger  b" == screen.columns(("NAME", "WHY"), rows)


def test_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the same cells stand in a drawn table, and markup in a cell is only text."""
    out = Terminal()
    monkeypatch.setattr("os.environ", {"TERM": "xterm", "COLUMNS": "60"})
    monkeypatch.setattr("sys.stdout", out)
    screen.show_table(("NAME", "WHY"), [("[red]a", "b"), ("x" * 70, "c")])
    assert "[red]a" in out.getvalue()
    assert "─" in out.getvalue()
    assert 70 == out.getvalue().count("x"), "a long name is folded, not cut short"


def test_a_table_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR a table is plain on a terminal too."""
    out = Terminal()
    monkeypatch.setattr("os.environ", {"TERM": "xterm", "NO_COLOR": "1"})
    monkeypatch.setattr("sys.stdout", out)
    screen.show_table(("NAME", "WHY"), [("a", "b")])
    assert "NAME  WHY\na     b\n" == out.getvalue()
