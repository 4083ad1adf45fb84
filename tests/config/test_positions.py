"""Places of settings in a text, found by walking what tomllib has accepted."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everup.config.positions import find_positions
from everup.config.show import toml

TEXT = '''# a = 1
top = 1.5
[one]  # [two]
a = """
b = "not a key" """
b = { c = [1, "]", {d = 2}], "e f" = 1979-05-27 07:32:00 }
[one.two.three]
x.y.'z "q"' = [
  1, # comment ]
  [2, 3],
]
[[list]]
k = 1
[list.inner]
m = 1
[[list]]
  k = 2
[one."a.b"]
n = """"quoted""""
o = \'\'\''literal'\'\'\'\'
'''


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("top",), (2, 1)),
        (("one",), (3, 1)),
        (("one", "a"), (4, 1)),
        (("one", "b"), (6, 1)),
        (("one", "b", "c"), (6, 7)),
        (("one", "b", "c", 1), (6, 15)),
        (("one", "b", "c", 2, "d"), (6, 21)),
        (("one", "b", "e f"), (6, 30)),
        (("one", "two", "three"), (7, 1)),
        (("one", "two", "three", "x", "y", 'z "q"'), (8, 5)),
        (("one", "two", "three", "x", "y", 'z "q"', 1, 1), (10, 7)),
        (("list", 0, "k"), (13, 1)),
        (("list", 0, "inner", "m"), (15, 1)),
        (("list", 1), (16, 1)),
        (("list", 1, "k"), (17, 3)),
        (("one", "a.b"), (18, 1)),
        (("one", "a.b", "n"), (19, 1)),
        (("one", "a.b", "o"), (20, 1)),
    ],
)
def test_each_setting_is_found_where_it_stands(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    """Dotted and quoted keys, inline tables, lists, arrays of tables and misleading strings do not confuse it."""
    tomllib.loads(TEXT)
    assert place == find_positions(TEXT)[path]


KEYS = st.one_of(st.sampled_from(["a", "b", "c"]), st.text(max_size=4))
LEAVES = st.one_of(
    st.integers(-9, 9), st.booleans(), st.text(max_size=6), st.floats(allow_nan=False, allow_infinity=False)
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=10
)


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Return the path of everything inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = [paths_of(item, (*path, key)) for key, item in items]
    return set().union({path} if path else set(), *inside)


@settings(deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_every_path_of_a_document_has_a_place(document: dict[str, object]) -> None:
    """Whatever a valid text holds, each of its settings has a place, and there its key or value begins."""
    text = "".join(f"{toml_key(key)} = {toml(value)}\n" for key, value in document.items())
    assert document == tomllib.loads(text)
    found = find_positions(text)
    assert paths_of(document) <= set(found)
    lines = text.split("\n")
    for path, (line, column) in found.items():
        if isinstance(path[-1], str):
            assert lines[line - 1][column - 1 :].startswith((path[-1], toml_key(path[-1])))


def toml_key(key: str) -> str:
    """Return a key in quotes."""
    return json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")


@settings(deadline=None)
@given(st.text(alphabet="[]{}=.,\"'#\n \\ab1", max_size=60))
def test_any_text_ends(text: str) -> None:
    """A text that is no TOML may give nonsense but always ends."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert isinstance(find_positions(text), dict)
