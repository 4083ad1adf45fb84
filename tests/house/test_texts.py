"""What every text in the clone keeps to, and which documents there must be."""

from __future__ import annotations

import re
import tomllib

import pytest

import everup
from tests.house import tree

MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:work|root|home/[a-z]\w+|Users/[A-Za-z]\w+|tmp/venv)/|[A-Z]:\\Users\\")
SECRETS = (
    re.compile(r"sk-(?:proj-|ant-api03-|or-v1-)?(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{40,}"),
    re.compile(r"gsk_[A-Za-z0-9]{48,}"),
    re.compile(r"gh[pousr]_[A-Za-z0-9]{36}"),
    re.compile(r"AKIA[0-9A-Z]{16}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]{40}"),
)
DOCUMENTS = (
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/dependencies.md",
    "docs/words.md",
)


def project() -> dict[str, object]:
    """Return the [project] table."""
    table: dict[str, object] = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def test_no_text_names_a_machine() -> None:
    """No file holds an absolute path of somebody's machine."""
    here = tree.name(tree.ROOT / "tests/house/test_texts.py")
    found = {name: hit.group() for name, text in tree.texts() if name != here and (hit := MACHINE_PATH.search(text))}
    assert {} == found


def test_no_text_holds_a_secret() -> None:
    """No file holds anything shaped like a real key."""
    here = tree.name(tree.ROOT / "tests/house/test_texts.py")
    found = [name for name, text in tree.texts() if name != here and any(secret.search(text) for secret in SECRETS)]
    assert [] == found


@pytest.mark.parametrize(
    "text",
    [
        "cd /work/main/x",
        'open("/root/.x")',
        "see /home/maria/everup/y",
        "C:\\Users\\x",
    ],
)
def test_a_planted_path_is_caught(text: str) -> None:
    """A path of a machine is seen wherever it stands."""
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", ["https://x.example/work/main/", "~/root/", "src/work/a", "/etc/everup/"])
def test_a_harmless_path_is_let_through(text: str) -> None:
    """A part of an address or a relative path is no path of a machine."""
    assert not MACHINE_PATH.search(text)


@pytest.mark.parametrize("start", ["sk-proj-", "sk-ant-api03-", "gsk_", "ghp_"])
def test_a_planted_secret_is_caught(start: str) -> None:
    """A key in the shape that providers give out is seen."""
    assert any(secret.search("key = " + start + "aB3" * 20) for secret in SECRETS[:2]) or SECRETS[2].search(
        start + "aB3" * 12
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_documents_exist(document: str) -> None:
    """Every document the project promises is there and says something."""
    assert (tree.ROOT / document).read_text(encoding="utf-8").strip()


def test_one_version() -> None:
    """The package and its metadata agree on the version, and the changelog has a place for the next one."""
    assert everup.__version__ == project()["version"]
    assert "## [Unreleased]" in (tree.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_dependency_has_its_paragraph() -> None:
    """docs/dependencies.md has a row for each direct dependency, its purpose, licence and replacement, and no other."""
    table = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [
        *table["project"]["dependencies"],
        *table["project"]["optional-dependencies"]["local"],
        *table["dependency-groups"]["dev"],
        *table["build-system"]["requires"],
        *(tree.SOURCE / "local" / "model.lock").read_text(encoding="utf-8").splitlines()[:1],
    ]
    declared = sorted(re.split(r"[<>=;\s]", line)[0] for line in lines)
    text = (tree.ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    assert declared == sorted(row[0].strip("`") for row in rows)
    assert [] == [row for row in rows if len(row) != 4 or not all(row)]


def test_the_ci_runs_what_the_readme_says() -> None:
    """The continuous integration calls the very command that contributors are told to use."""
    words = (tree.ROOT / ".ci" / "run").read_text(encoding="utf-8").split("\n")
    assert "exec python3 dev.py test" in words
    for document in ("README.md", "CONTRIBUTING.md"):
        assert "python3 dev.py test" in (tree.ROOT / document).read_text(encoding="utf-8")
