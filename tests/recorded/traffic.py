"""
The recorded traffic: every interaction of every file, and what is replayed of it.

Lives here: reading the files, and the table of what is left out and why. Must not: expectations (see `told`) or
anything of everup's. The recordings stay where they are, beside the clone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
ABSENT = "no recorded traffic: neither ../shared/traffic nor $EVERUP_TEST_SHARED/traffic exists"
CHAT, MESSAGES = "openai_chat", "anthropic"

WIRES = (("POST", "*/chat/completions", CHAT), ("POST", "api.anthropic.com/v1/messages", MESSAGES))
"""What is replayed: method, host and path, the wire it speaks."""

EXCLUDED = (
    ("POST", "*/responses", "OpenAI Responses, a wire that everup does not speak yet"),
    ("*", "*/responses/*", "OpenAI Responses: reading, compacting and counting"),
    ("*", "*/v1/conversations*", "OpenAI Responses: stored conversations"),
    ("*", "*/v1/files*", "OpenAI: files, which no chat wire carries"),
    ("*", "*/v1/vector_stores*", "OpenAI: vector stores, which no chat wire carries"),
    ("*", "*.googleapis.com/*enerateContent", "Gemini's own wire, which everup does not speak yet"),
    ("*", "generativelanguage.googleapis.com/*/cachedContents*", "Gemini: its cache"),
    ("*", "generativelanguage.googleapis.com/*/fileSearchStores*", "Gemini: its file stores"),
    ("POST", "api.anthropic.com/v1/messages/count_tokens", "counting tokens; its one refusal is replayed as a chat's"),
    ("GET", "*", "a file that the recording client fetched for itself"),
    ("", "*.xai.yaml", "xAI over gRPC: samples of another form, without HTTP"),
)
"""What is not: method, host and path (or the file's name), why."""

HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive", "date"})
"""Headers that belong to the recorded connection and not to the answer."""


class Recording(Struct, frozen=True, kw_only=True):
    """One interaction: `name` is its file and place, `wire` "" where it is not replayed, for `reason`."""

    name: str
    method: str = ""
    place: str = ""
    wire: str = ""
    reason: str = ""
    request: Any = None
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def is_stream(self) -> bool:
        """Return whether its answer is an event stream."""
        return dict(self.headers).get("content-type", "").startswith("text/event-stream")

    @property
    def json(self) -> Any:
        """Return its answer's JSON."""
        return json.loads(self.body)


def folder() -> Path:
    """Return the folder of recordings, which may be absent."""
    return Path(os.environ.get("EVERUP_TEST_SHARED", ROOT.parent / "shared")) / "traffic" / "recorded"


@cache
def everything() -> tuple[Recording, ...]:
    """Return every interaction of every file; none where there are no files or no PyYAML."""
    try:
        import yaml  # noqa: PLC0415 - read at collection: without it the tests skip by name
    except ImportError:
        return ()
    found: list[Recording] = []
    for path in sorted(folder().glob("*/*.yaml")):
        document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        for nth, pair in enumerate(document["interactions"]):
            found.append(read(f"{path.parent.name}/{path.stem}#{nth}", path.name, pair))
    return tuple(found)


def read(name: str, file: str, pair: dict[str, Any]) -> Recording:
    """Return one interaction; `ValueError` where no row says what becomes of it."""
    asked, answer = pair.get("request"), pair.get("response")
    if asked is None or answer is None:
        return Recording(name=name, reason=why(name, "", file))
    url = urlsplit(asked["uri"])
    place = f"{url.hostname}{url.path}"
    wire = next((each for method, glob, each in WIRES if method == asked["method"] and fnmatchcase(place, glob)), "")
    return Recording(
        name=name,
        method=asked["method"],
        place=place,
        wire=wire,
        reason="" if wire else why(name, asked["method"], place),
        request=asked.get("parsed_body") or request_of(asked.get("body")),
        status=answer["status"]["code"],
        headers=tuple(headers_of(answer.get("headers") or {})),
        body=body_of(answer),
    )


def why(name: str, method: str, place: str) -> str:
    """Return the reason why an interaction is not replayed."""
    for verb, glob, reason in EXCLUDED:
        if fnmatchcase(method, verb) and fnmatchcase(place, glob):
            return reason
    raise ValueError(f"{name}: {method} {place} is neither replayed nor named in EXCLUDED")


def request_of(body: object) -> Any:
    """Return a request's fields from a body that was not parsed, None where it has none."""
    if isinstance(body, dict):
        return body
    try:
        return json.loads(body) if isinstance(body, str | bytes) else None
    except ValueError:
        return None


def headers_of(headers: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The headers of the answer itself, names in lower case."""
    for name, values in headers.items():
        if name.lower() not in HOP:
            for value in values if isinstance(values, list) else [values]:
                yield name.lower(), str(value)


def body_of(answer: dict[str, Any]) -> bytes:
    """Return the answer's bytes; of JSON that was parsed when recorded, bytes that say the same."""
    if "parsed_body" in answer:
        return json.dumps(answer["parsed_body"], ensure_ascii=False, separators=(",", ":")).encode()
    body = answer.get("body") or ""
    text = body.get("string", "") if isinstance(body, dict) else body
    return text if isinstance(text, bytes) else str(text).encode()


def replayed(wire: str, *, is_stream: bool | None = None) -> list[Any]:
    """Return one pytest parameter for each recording of a wire (and form), or a single one that skips by name."""
    found = [each for each in everything() if each.wire == wire and is_stream in {None, each.is_stream}]
    if not found:
        reason = "PyYAML is not installed: recorded traffic cannot be read" if folder().is_dir() else ABSENT
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(each, id=each.name) for each in found]
