"""
TOML text to a configuration: syntax first, then every entry.

What must not live here: the meaning of settings (see `build`). Called by app and cli at start, later by reload.
"""

from __future__ import annotations

import ast
import codecs
import hashlib
import re
import tomllib
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from everup.config.build import build_snapshot
from everup.config.problem import Problem, Report, Severity
from everup.disk.read import ReadState, read_file
from everup.errors import ConfigError
from everup.shapes.snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES_MAX = 1_048_576
PLACE = re.compile(r"^(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)
TWICE = re.compile(r"^Cannot declare (\((?:'[A-Za-z0-9_-]+', ?)*(?:'[A-Za-z0-9_-]+')?\)) twice$")
"""A table's name as a Python tuple; one with stranger characters is left as the parser wrote it."""
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""What Windows editors put first."""


class Loaded(Struct, frozen=True, kw_only=True):
    """A snapshot of everything good, and what was not."""

    snapshot: Snapshot
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that switched something off."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


def load(text: str, path: str) -> Loaded:
    """
    Return a TOML text as a snapshot with its problems.

    `ConfigError` when it is no TOML at all.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((syntax_problem(str(error), text, path),)) from None
    except (ValueError, RecursionError) as error:
        # tomllib lets two things through: numbers beyond Python's digits, and nesting beyond its stack.
        reason = "nested too deeply" if isinstance(error, RecursionError) else "a number or date that cannot be"
        raise ConfigError((f"{path}:1:1: error: {reason}",)) from None
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return load_document(document, Report(path, text), sha256=digest)


def load_document(document: dict[str, object], report: Report, *, sha256: str = "") -> Loaded:
    """Return nested tables as a snapshot with its problems."""
    snapshot = build_snapshot(document, report, sha256=sha256)
    problems = report.problems()
    warnings = tuple(str(problem) for problem in problems)
    return Loaded(snapshot=msgspec.structs.replace(snapshot, warnings=warnings), problems=problems)


def load_file(path: Path) -> Loaded:
    """
    Return a config file as a snapshot with its problems.

    `ConfigError` when it cannot be read.
    """
    read = read_file(path, FILE_BYTES_MAX)
    if read.state is ReadState.ABSENT:
        raise ConfigError((f"{path}: error: there is no such file",))
    if read.state is not ReadState.OK:
        raise ConfigError((f"{path}: error: it cannot be read: {read.cause}",))
    return load(decode(read.data, str(path)), str(path))


def decode(data: bytes, path: str) -> str:
    """Return a file's bytes as text; UTF-8, or what a byte order mark says."""
    encoding = next((name for mark, name in BOMS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ConfigError((f"{path}:{line}:{column}: error: this byte is not {encoding.upper()} text",)) from None


def syntax_problem(message: str, text: str, path: str) -> str:
    """
    Return a syntax error as `file:line:column: error: reason`.

    The parser's texts name keys, never values.
    """
    found = PLACE.match(message)
    reason = plain(found[1] if found else message)
    if found and found[2]:
        line, column = int(found[2]), int(found[3])
    else:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    return f"{path}:{line}:{column}: error: {reason[:1].lower()}{reason[1:]}"


def plain(reason: str) -> str:
    """Return a reason of the parser, its two riddles in the words of a TOML file."""
    if reason == "Cannot overwrite a value":
        return "this setting is there twice, or a table has its name"
    if found := TWICE.match(reason):
        return f"the table [{'.'.join(map(str, ast.literal_eval(found[1])))}] is there twice"
    return reason
