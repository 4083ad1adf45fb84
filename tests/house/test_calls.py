"""
Which room may open files, read the environment, the clock or a socket, and print.

The table is DESIGN section 2. A call is judged by what its name means after the module's imports, so that
`from time import time` and `import os as system` are seen too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house import tree

# kind -> where it may be, below src/everup/. A folder ends with a slash.
ALLOWED = {
    "files": ("disk/", "probe/", "testing/", "local/child.py"),
    "environment": ("app.py", "cli/", "testing/"),
    "wall clock": ("app.py", "cli/", "config/", "credentials/", "disk/", "observe/", "probe/", "testing/"),
    "monotonic clock": ("cli/", "disk/", "local/child.py", "observe/", "probe/", "testing/"),
    "socket": ("net/", "probe/", "serve.py", "testing/", "local/child.py"),
    "print": ("cli/", "local/child.py"),
}
NAMES = {
    "files": ("open", "io.open", "os.open", "os.fdopen", "codecs.open"),
    "environment": ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"),
    "wall clock": (
        "time.time",
        "time.time_ns",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.date.today",
    ),
    "monotonic clock": ("time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns"),
    "socket": ("socket",),
    "print": ("print",),
}
KIND_OF = {name: kind for kind, names in NAMES.items() for name in names}
PATH_METHODS = {"read_text", "write_text", "read_bytes", "write_bytes"}
MODE = re.compile(r"[rwxab][bt+]*")


def meanings(source: ast.Module) -> dict[str, str]:
    """Return what each imported name stands for, as a dotted path."""
    known = {}
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            known.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom) and node.module:
            known.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return known


def dotted(node: ast.AST, known: dict[str, str]) -> str:
    """Return the dotted path an expression names, or nothing for anything else."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value, known)):
        return f"{owner}.{node.attr}"
    return ""


def is_path_call(call: ast.Call, method: str) -> bool:
    """Return whether a method call opens a path: `.read_text()`, `.open("rb")`, not `pool.open(request)`."""
    if method != "open":
        return method in PATH_METHODS
    given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "mode")]
    if not given:
        return not call.keywords or any(word.arg == "encoding" for word in call.keywords)
    first = given[0]
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and bool(MODE.fullmatch(first.value))


def seen(source: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and kind of everything in the table that a module does."""
    known = meanings(source)
    for node in ast.walk(source):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if "socket" in modules:
                yield node.lineno, "socket"
        elif isinstance(node, ast.Name | ast.Attribute) and (kind := KIND_OF.get(dotted(node, known))):
            if kind != "socket":
                yield node.lineno, kind
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_path_call(node, node.func.attr):
            yield node.lineno, "files"


def breaches(source: ast.Module, where: str) -> list[str]:
    """Return what a module does that its room may not; `where` is its path below src/everup/."""
    return sorted({f"line {line}: {kind}" for line, kind in seen(source) if not where.startswith(ALLOWED[kind])})


def test_no_room_does_what_only_another_may() -> None:
    """Files, environment, clocks, sockets and printing stay in the rooms that DESIGN gives them to."""
    found = {name: breaches(source, name.removeprefix("src/everup/")) for name, source in tree.python("src/everup/")}
    assert {} == {name: bad for name, bad in found.items() if bad}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("open('x')", "files"),
        ("from pathlib import Path\nPath('x').open()", "files"),
        ("def f(path): path.open('rb')", "files"),
        ("def f(path): path.open(encoding='utf-8')", "files"),
        ("def f(path): return path.read_text()", "files"),
        ("import os\nos.open('x', 0)", "files"),
        ("import os\nos.environ['HOME']", "environment"),
        ("from os import environ as e\ne.get('x')", "environment"),
        ("import os as system\nsystem.getenv('x')", "environment"),
        ("import time\ntime.time()", "wall clock"),
        ("from time import time\nnow = time", "wall clock"),
        ("from datetime import datetime\ndatetime.now()", "wall clock"),
        ("import datetime as d\nd.datetime.utcnow()", "wall clock"),
        ("from time import monotonic\nmonotonic()", "monotonic clock"),
        ("def f():\n    import socket", "socket"),
        ("from socket import create_connection", "socket"),
        ("print('x')", "print"),
        ("log = print", "print"),
    ],
)
def test_a_planted_breach_is_caught(code: str, kind: str) -> None:
    """Each forbidden call is seen in the engine, whatever name it was imported under."""
    assert {kind} == {breach.split(": ")[1] for breach in breaches(ast.parse(code), "engine/run.py")}


@pytest.mark.parametrize(
    "code",
    [
        "pool.open(request)",
        "loop.time()",
        "self.open(name, key=1)",
        "clock.now()",
        "from x import time\ntime()",
        "console.print()",
    ],
)
def test_what_only_looks_like_it_is_let_through(code: str) -> None:
    """A method of our own that shares a name with a forbidden call is no breach."""
    assert [] == breaches(ast.parse(code), "engine/run.py")


def test_the_allowed_room_is_let_through() -> None:
    """The same call is no breach in the room that owns it."""
    assert [] == breaches(ast.parse("open('x')"), "disk/read.py")


def test_every_allowed_place_exists() -> None:
    """The table names no room that is gone."""
    places = {place for places in ALLOWED.values() for place in places}
    assert [] == sorted(place for place in places if not (tree.SOURCE / place).exists())
