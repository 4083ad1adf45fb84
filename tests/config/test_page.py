"""docs/config.md is made from the schema and the limits."""

from __future__ import annotations

from pathlib import Path

import msgspec

from everup.config.limit_words import LIMIT_WORDS
from everup.config.page import SECTIONS, facts, render_page
from everup.config.parse import load
from everup.shapes.limits import Limits


def test_the_page_has_not_drifted(root: Path) -> None:
    """The page in the clone is what `render_page()` returns; write that to docs/config.md after a change."""
    assert render_page() == (root / "docs" / "config.md").read_text(encoding="utf-8")


def test_every_limit_is_described() -> None:
    """Each limit has its line, and no line is about a limit that is gone."""
    assert set(Limits.__struct_fields__) == set(LIMIT_WORDS)


def test_every_setting_is_described() -> None:
    """Each setting has a description and a type in words."""
    fields = [field for _, _, schema in SECTIONS for field in msgspec.structs.fields(schema)]
    assert [] == [field.name for field in fields if not all(facts(field.type)[::2])]


def test_the_example_of_the_page_is_good() -> None:
    """What the page shows as an example has no problem."""
    example = render_page().partition("```toml\n")[2].partition("```")[0]
    assert [] == [str(problem) for problem in load(example, "/etc/everup.toml").problems]
