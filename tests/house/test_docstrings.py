"""Every public thing says what comes out of it, and every test says what it shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house import tree

FIRST_LINE_MAX = 79
DOOR_SIGN_LINES_MAX = 8
INHERITS = {"override", "overload", "setter"}
SECOND_SENTENCE = re.compile(r"[.!?]\s+[A-Z]")


def is_exempt(node: tree.Definition) -> bool:
    """Return whether a definition is private, magic, or takes its docstring from another one."""
    marks = {ast.unparse(mark).split(".")[-1] for mark in node.decorator_list}
    return node.name.startswith("_") or bool(marks & INHERITS)


def public(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, tree.Definition]]:
    """Yield the public classes, functions and methods of a module with their names; nested functions are private."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not is_exempt(child):
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{prefix}{child.name}.")


def complaint(node: ast.Module | tree.Definition) -> str:
    """Return what is wrong with a docstring; nothing when it is there and its first line is short."""
    text = ast.get_docstring(node)
    if not text:
        return "no docstring"
    first = text.split("\n")[0]
    return f"first line has {len(first)} characters" if len(first) > FIRST_LINE_MAX else ""


def complaints(source: ast.Module) -> list[str]:
    """Return what is wrong with the docstrings of a module."""
    found = [("module", complaint(source)), *((name, complaint(node)) for name, node in public(source))]
    sign = [line for line in (ast.get_docstring(source) or "").split("\n") if line.strip()]
    if len(sign) > DOOR_SIGN_LINES_MAX:
        found.append(("module", f"door sign of {len(sign)} lines"))
    return [f"{name}: {wrong}" for name, wrong in found if wrong]


def sentence_complaint(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what is wrong with a test's docstring; nothing when it is one sentence."""
    text = ast.get_docstring(node) or ""
    if not text:
        return "no docstring"
    if not text.endswith("."):
        return "does not end like a sentence"
    return "more than one sentence" if "\n\n" in text or SECOND_SENTENCE.search(text) else ""


def test_every_public_thing_has_a_docstring() -> None:
    """Every public module, class, function and method of the package has a docstring with a short first line."""
    assert [] == [f"{name}: {bad}" for name, source in tree.python("src/", "dev.py") for bad in complaints(source)]


def test_every_test_says_what_it_shows() -> None:
    """Every test's docstring is one sentence of behaviour."""
    found = {
        f"{name}::{node.name}": wrong
        for name, source in tree.python("tests/")
        for node in tree.functions(source)
        if node.name.startswith("test_") and (wrong := sentence_complaint(node))
    }
    assert {} == found


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(): ...", ["module: no docstring", "f: no docstring"]),
        ('"""M."""\nclass A:\n    """A."""\n    def b(self): ...', ["A.b: no docstring"]),
        ('"""M."""\ndef _f(): ...\nclass A:\n    """A."""\n    def __init__(self): ...', []),
        ('"""' + "x" * 80 + '"""', ["module: first line has 80 characters"]),
        ('"""' + "x\n" * 9 + '"""', ["module: door sign of 9 lines"]),
    ],
)
def test_a_planted_lack_is_caught(code: str, expected: list[str]) -> None:
    """A missing or overlong docstring is found and named."""
    assert expected == complaints(ast.parse(code))


@pytest.mark.parametrize(
    ("text", "is_caught"),
    [("", True), ("No full stop", True), ("One. Two.", True), ("One.\n\nMore.", True), ("A rate of 1.5 works.", False)],
)
def test_a_test_docstring_is_one_sentence(text: str, *, is_caught: bool) -> None:
    """A test docstring that is missing, unfinished or longer than a sentence is found."""
    source = ast.parse(f'def test_x():\n    """{text}"""')
    assert is_caught == bool(sentence_complaint(next(tree.functions(source))))
