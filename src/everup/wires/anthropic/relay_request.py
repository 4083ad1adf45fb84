"""
A client's Messages request as an upstream of the same wire gets it.

Lives here: the few fields that change; every other value keeps its very bytes and its place, so that prompt caches
hold (WIRES, Caching); and the thinking that somebody else minted (FAULTS ruling 8, 1a). Must not: checking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.route import Candidate

SIGNATURES_MAX = 256
"""Signatures read from one request."""
ALL = "*"
OURS = frozenset({"model", "messages", "stream"})
"""Fields that configured params never set."""
MERGED = frozenset({"metadata", "output_config"})
"""Tables whose missing entries are added one by one."""
MARK = b'thinking"'
CALL_MARK = b'"tool_use"'
THOUGHTS = frozenset({"thinking", "redacted_thinking"})
NOTHING = Raw(b"")


class Kind(Struct):
    """What any object says it is."""

    type: object = None


class Thought(Struct):
    """A block of thinking, or any other."""

    type: object = None
    signature: object = None
    data: object = None

    def seal(self) -> str:
        """
        Return what only its minter accepts, "" of anything but thinking.

        A signature, or hidden thinking's data.
        """
        seal = {"thinking": self.signature, "redacted_thinking": self.data}.get(str(self.type))
        return seal if isinstance(seal, str) else ""


class Turn(Struct):
    """A message: who speaks, and its content."""

    role: object = None
    content: Raw = NOTHING


encode = msgspec.json.Encoder().encode
decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
decode_list = msgspec.json.Decoder(list[Raw]).decode
decode_turn = msgspec.json.Decoder(Turn).decode
decode_turns = msgspec.json.Decoder(list[Turn]).decode
decode_thought = msgspec.json.Decoder(Thought).decode
decode_thoughts = msgspec.json.Decoder(list[Thought]).decode
decode_kind = msgspec.json.Decoder(Kind).decode


def encode_request(asked: Asked, candidate: Candidate, *, foreign: frozenset[str] | None) -> bytes:
    """Return the upstream body for one candidate."""
    fields: dict[str, object] = dict(asked.fields)
    fields["model"] = candidate.model.ref.model
    if candidate.model.params:
        merge_params(fields, candidate.model.params)
    if foreign and not asked.is_plain:
        leave_out(fields, asked.fields["messages"], foreign)
    return encode(fields)


def merge_params(fields: dict[str, object], params: dict[str, object]) -> None:
    """Configured params are added where nothing is said; in some tables too."""
    for name, value in params.items():
        if name in OURS:
            continue
        if fields.get(name) is None:
            fields[name] = value
        elif name in MERGED and isinstance(value, dict) and (said := entries_of(fields[name])) is not None:
            added = {key: each for key, each in value.items() if key not in said}
            if added:
                fields[name] = {**said, **added}


def entries_of(table: object) -> dict[str, object] | None:
    """Return the entries of a table, raw or written already; None for anything else."""
    if isinstance(table, Raw):
        return dict(decode_fields(table)) if bytes(table)[:1] == b"{" else None
    return table if isinstance(table, dict) else None


def read_signatures(asked: Asked) -> tuple[str, ...]:
    """
    Return the signatures of thinking in a request's history, bounded.

    Without thinking it costs nothing.
    """
    if asked.is_plain:
        return ()
    found: dict[str, None] = {}
    for turn in decode_turns(asked.fields["messages"]):
        if MARK in bytes(turn.content):
            found.update(dict.fromkeys(seal for seal in map(Thought.seal, thoughts_in(turn.content)) if seal))
    return tuple(found)[:SIGNATURES_MAX]


def thoughts_in(content: Raw) -> list[Thought]:
    """Return a content's blocks as far as thinking goes, none of anything unknown."""
    try:
        return decode_thoughts(content)
    except msgspec.ValidationError:
        return []


def leave_out(fields: dict[str, object], messages: Raw, foreign: frozenset[str]) -> None:
    """
    The fields with a conversation that has no foreign thinking.

    A turn that was nothing else goes with it.
    A last tool call that lost its thinking is refused while thinking has a budget ("a final assistant message must
    start with a thinking block"): then the model does not think in this answer.
    """
    rows = decode_list(messages)
    kept = [clean(row, foreign) for row in rows]
    if all(before is after for before, after in zip(rows, kept, strict=True)):
        return
    fields["messages"] = [row for row in kept if row is not None]
    last = max((place for place, row in enumerate(rows) if role_of(row) == "assistant"), default=-1)
    row = kept[last] if last >= 0 else None
    if row is not None and row is not rows[last] and CALL_MARK in bytes(row) and has_budget(fields.get("thinking")):
        del fields["thinking"]


def clean(row: Raw, foreign: frozenset[str]) -> Raw | None:
    """
    Return a message without foreign thinking.

    Itself if it has none, None if nothing is left.
    """
    if MARK not in bytes(row):
        return row
    message: dict[str, object] = dict(decode_fields(row))
    content = message.get("content")
    if not isinstance(content, Raw) or bytes(content)[:1] != b"[":
        return row
    blocks = decode_list(content)
    kept = [block for block in blocks if not is_foreign(block, foreign)]
    if len(kept) == len(blocks):
        return row
    message["content"] = kept
    return Raw(encode(message)) if kept else None


def is_foreign(block: Raw, foreign: frozenset[str]) -> bool:
    """Return whether a block is thinking that is left out."""
    if MARK not in bytes(block):
        return False
    try:
        thought = decode_thought(block)
    except msgspec.ValidationError:
        return False
    return str(thought.type) in THOUGHTS if ALL in foreign else thought.seal() in foreign


def role_of(row: Raw) -> object:
    """Return who speaks in a message."""
    return decode_turn(row).role


def has_budget(thinking: object) -> bool:
    """Return whether thinking is turned on with a budget of tokens."""
    if not isinstance(thinking, Raw):
        return isinstance(thinking, dict) and thinking.get("type") == "enabled"
    try:
        return decode_kind(thinking).type == "enabled"
    except msgspec.ValidationError:
        return False
