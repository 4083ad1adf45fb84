"""The rows of known providers: complete, usable, and the same in the documents."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from everup.config.address import url_doubt, url_fault
from everup.config.words import VARIABLE, model_fault, name_fault
from everup.providers.known import KNOWN, ROWS, WIRES, KnownProvider
from everup.shapes.route import EMBEDDED_URL
from everup.wires.base import Wire
from everup.wires.openai_chat.quirks import NO_STREAM_OPTIONS, OPENROUTER_WORDS


def doc_row(row: KnownProvider) -> str:
    """Return a provider's line in docs/providers.md."""
    key = f"`{row.key_env}`" if row.key_env else ""
    if row.key_env and (row.auth_header, row.auth_prefix) != ("authorization", "Bearer "):
        key += f" in `{row.auth_header}`"
    models = ", ".join(f"`{model}`" for model in row.default_models)
    place = f"`{row.base_url}`" if row.base_url else f"yours: `{row.base_url_form}`"
    return f"| `{row.name}` | `{row.wire}` | {place} | {key} | {models} |"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_could_be_used_as_it_is(row: KnownProvider) -> None:
    """A known provider has a usable address, a wire that exists, and either a key or a reason to need none."""
    assert "" == name_fault(row.name)
    assert row.wire in WIRES
    assert "" == ((row.base_url != EMBEDDED_URL and url_fault(row.base_url or row.base_url_form)) or "")
    assert not row.base_url.endswith("/")
    assert bool(row.base_url) != bool(row.base_url_form)
    assert row.is_local != bool(row.key_env)
    assert not row.key_env or VARIABLE.fullmatch(row.key_env)


def test_quirks_are_flags_that_the_wire_understands() -> None:
    """A quirk on a row is one that the wire acts upon."""
    assert {NO_STREAM_OPTIONS, OPENROUTER_WORDS} == {quirk for row in ROWS for quirk in row.quirks}


@pytest.mark.parametrize("row", [row for row in ROWS if not row.is_local and row.base_url], ids=lambda row: row.name)
def test_every_remote_row_has_dated_default_models(row: KnownProvider) -> None:
    """A provider that costs money names the models to start with and the day they were chosen."""
    assert row.default_models
    assert "" == "".join(map(model_fault, row.default_models))
    assert date.fromisoformat(row.dated)
    assert "" == url_doubt(row.base_url, row.wire)


def test_names_are_unique() -> None:
    """No two rows share a name or a key variable."""
    variables = [row.key_env for row in ROWS if row.key_env]
    assert len(ROWS) == len(KNOWN)
    assert len(variables) == len(set(variables))


def test_the_wires_are_those_that_exist() -> None:
    """The wires a provider may name are exactly those in the table of wires."""
    table = pytest.importorskip("everup.wires.table", reason="the table of wires is not there yet")
    wires: dict[str, Wire] = table.WIRES
    assert set(WIRES) == set(wires)


def test_the_page_lists_the_rows(root: Path) -> None:
    """The table in docs/providers.md is the rows, in their order."""
    text = (root / "docs" / "providers.md").read_text(encoding="utf-8")
    table = text.partition("<!-- rows -->\n")[2].partition("<!-- end -->")[0].splitlines()[2:]
    assert [doc_row(row) for row in ROWS] == table
