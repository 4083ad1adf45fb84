"""No file above 400 lines, no function above 60: a room that outgrows its size is split by decision."""

from __future__ import annotations

import ast

import pytest

from tests.house import tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FOLDERS = ("src/", "tests/", "bench/", "dev.py")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}


def too_long(source: ast.Module) -> list[str]:
    """Return the functions of a module that are longer than allowed, docstring and decorators included."""
    return [
        f"{function.name}: {lines} lines"
        for function in tree.functions(source)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]


def test_no_file_is_too_long() -> None:
    """No Python file has more than 400 lines."""
    lengths = {
        tree.name(path): path.read_text(encoding="utf-8").count("\n")
        for path in tree.files()
        if path.suffix == ".py" and tree.name(path).startswith(FOLDERS)
    }
    assert {} == {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX}


def test_no_function_is_too_long() -> None:
    """No function has more than 60 lines."""
    assert {} == {name: long for name, source in tree.python(*FOLDERS) if (long := too_long(source))}


@pytest.mark.parametrize(("lines", "is_caught"), [(60, False), (61, True)])
def test_the_limit_is_sixty(lines: int, *, is_caught: bool) -> None:
    """A function of exactly 60 lines passes and one more is caught."""
    source = ast.parse("async def walk():\n" + "    pass\n" * (lines - 1))
    assert is_caught == bool(too_long(source))


def test_no_vague_names() -> None:
    """No file in the package has a name that could hold anything."""
    assert [] == [name for name, _ in tree.python("src/") if VAGUE & set(name.removesuffix(".py").split("/"))]
