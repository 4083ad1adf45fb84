"""
Why the embedded model cannot run, in words, with the command that helps.

Lives here: every cause found by us, since llama.cpp gives one sentence for all of them (BUILDING, section 2).
Must not: starting anything. Called by `embedded`.
"""

from __future__ import annotations

import importlib.util
import os
import signal

from msgspec import Struct

from everup.disk.big import read_head
from everup.errors import EverupError, StoreError
from everup.local.gguf import MAGIC, HeadTooShort, NotGguf, least_bytes
from everup.local.model_file import ANOTHER, GET_IT, NAMED_IN, ModelFile

SERVER_PACKAGE = "xllamacpp"
HEAD_BYTES_MAX = 33_554_432  # a vocabulary of 250,000 words takes about 12 MB
OVERHEAD_BYTES = 300_000_000  # measured: 240 MB beside the weights with two slots of 4,096 tokens
INSTALL = (
    "`pipx install '.[local]'` in the clone, or `python3 dev.py run`; where the package has no build "
    "(Alpine, Windows on ARM, macOS 12 and older) start Ollama, LM Studio or llama-server"
)
SMALLER = f"free some memory, or name a smaller GGUF file in {NAMED_IN}"
SIGNALS = {
    "SIGKILL": "it was killed, most likely because memory ran out",
    "SIGILL": "this processor lacks instructions that its build needs",
}


class EmbeddedDown(EverupError):
    """The embedded model cannot answer now: the cause, and what to do about it."""

    def __init__(self, cause: str, fix: str = "") -> None:
        super().__init__(f"{cause}; {fix}" if fix else cause)
        self.cause = cause
        self.fix = fix


class Ended(Struct, frozen=True):
    """How a child ended early: status, the error it told, the end of its stderr."""

    status: int | None
    error: str = ""
    stderr: str = ""


def look_before(model: ModelFile, package: str = SERVER_PACKAGE) -> None:
    """Raises EmbeddedDown when it is plain already that a start must fail."""
    if importlib.util.find_spec(package) is None:
        raise EmbeddedDown(f"the embedded model's server (Python package {package}) is not installed", INSTALL)
    head = head_of(model, len(MAGIC))
    if head != MAGIC:
        what = "is empty" if not head else "is not a GGUF file"
        raise EmbeddedDown(f"the model file {model.path} {what}", remedy(model))


def explain(model: ModelFile, ended: Ended, free_bytes: int | None) -> EmbeddedDown:
    """Return why a start failed: the file, the way the child ended, memory."""
    if "ImportError" in ended.error or "ModuleNotFoundError" in ended.error:
        return EmbeddedDown(f"the embedded model's server cannot be loaded: {ended.error}", INSTALL)
    if bad := bad_file(model):
        return EmbeddedDown(bad, remedy(model))
    if ended.status is not None and ended.status < 0 and not ended.error:
        return EmbeddedDown(f"the embedded model's server died while starting: {end_words(ended.status)}", SMALLER)
    needed = model.bytes + OVERHEAD_BYTES
    if free_bytes is not None and free_bytes < needed:
        wanted, free = needed // 1_000_000, free_bytes // 1_000_000
        return EmbeddedDown(f"there is probably too little memory: about {wanted} MB wanted, {free} MB free", SMALLER)
    said = ended.error or last_line(ended.stderr) or end_words(ended.status)
    return EmbeddedDown(f"the embedded model's server could not load {model.path.name}: {said}", remedy(model))


def end_words(status: int | None) -> str:
    """Return what an exit status means for a person."""
    if status is None or status >= 0:
        return f"it ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return SIGNALS.get(name, f"it crashed ({name})")


def last_line(text: str) -> str:
    """Return the last line that says something, at most 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def bad_file(model: ModelFile) -> str:
    """Return in words that a file is cut or damaged, nothing where it seems whole."""
    size = model.path.stat().st_size if model.path.exists() else 0
    head = head_of(model, HEAD_BYTES_MAX)
    try:
        needed = least_bytes(head)
    except HeadTooShort:
        return f"the model file {model.path} is cut off inside its head ({size:,} bytes)" if len(head) == size else ""
    except NotGguf:
        return f"the model file {model.path} is damaged, or of a GGUF version that is not known here"
    if needed <= size:
        return ""
    return f"the model file {model.path} is cut off: {size:,} of at least {needed:,} bytes"


def head_of(model: ModelFile, bytes_max: int) -> bytes:
    """Return the head of a model file; EmbeddedDown when it cannot be read."""
    try:
        return read_head(model.path, bytes_max)
    except StoreError as error:
        raise EmbeddedDown(f"the model file {model.path} cannot be read: {error.cause}", remedy(model)) from error


def remedy(model: ModelFile) -> str:
    """Return what to do about a bad file."""
    return f"move {model.path} away and run `{GET_IT}`, or {ANOTHER}"


def free_memory() -> int | None:
    """Return the bytes of memory free now, None where the platform does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
