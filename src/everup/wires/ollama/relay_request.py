"""
A client's request as an upstream of the same wire gets it.

Lives here: the few fields that change; every other value keeps its very bytes and its place, so that prompt caches
hold (WIRES, Caching). Must not: checking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.route import Candidate

ALL = "*"
OURS = frozenset({"model", "messages", "stream"})
"""Fields that configured params never set."""
MERGED = "options"
"""The table whose missing entries are added one by one."""

encode = msgspec.json.Encoder().encode
decode_table = msgspec.json.Decoder(dict[str, Raw]).decode
decode_rows = msgspec.json.Decoder(list[dict[str, Raw]]).decode


def encode_request(asked: Asked, candidate: Candidate, *, foreign: frozenset[str] | None) -> bytes:
    """
    Return the upstream body for one candidate.

    Thinking has no signature here: only "*" leaves any out.
    """
    fields: dict[str, object] = dict(asked.fields)
    fields["model"] = candidate.model.ref.model
    merge_params(fields, candidate.model.params)
    if foreign and ALL in foreign and not asked.is_plain:
        rows = decode_rows(asked.fields["messages"])
        fields["messages"] = [{name: raw for name, raw in row.items() if name != "thinking"} for row in rows]
    return encode(fields)


def merge_params(fields: dict[str, object], params: dict[str, object]) -> None:
    """Configured params are added where the client said nothing."""
    for name, value in params.items():
        if name == MERGED and isinstance(value, dict):
            fields[name] = {**value, **said_in(fields.get(name))}
        elif name not in fields and name not in OURS:
            fields[name] = value


def said_in(options: object) -> dict[str, object]:
    """Return the options that are set already."""
    if isinstance(options, Raw):
        return dict(decode_table(options)) if bytes(options)[:1] == b"{" else {}
    return options if isinstance(options, dict) else {}


def read_signatures(_asked: Asked) -> tuple[str, ...]:
    """Return the reasoning signatures in a request's history: this wire has none."""
    return ()
