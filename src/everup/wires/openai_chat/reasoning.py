"""
Reasoning parts in a conversation, left out where somebody else minted them.

Lives here: every place compatible servers put such parts. Must not: remembering who minted what (see
`engine.minted`). Source: FAULTS ruling 8, 1a.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from collections.abc import Iterable

SIGNATURES_MAX = 256
"""Signatures read from one request or answer."""
DEPTH_MAX = 8
ALL = "*"

MESSAGE_KEYS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
PART_TYPES = frozenset({"thinking", "redacted_thinking", "reasoning"})
SIGNATURE_KEYS = frozenset({"signature", "thought_signature", "thoughtSignature", "encrypted_content"})
SECRET_TYPES = frozenset({"redacted_thinking", "reasoning.encrypted"})
"""Parts whose `data` is the signature."""
SIGNED = (b"ignature", b"encrypted", b"redacted_thinking")
MARKS = (b'"reasoning', b'hinking"', b"ignature", b'"thinking')

decode_messages = msgspec.json.Decoder(list[Raw]).decode
decode_message = msgspec.json.Decoder(dict[str, Raw]).decode


def read_signatures(messages: Raw | None) -> tuple[str, ...]:
    """
    Return the signatures in a conversation, bounded.

    Without one it costs a byte search.
    """
    text = bytes(messages) if messages is not None else b""
    if not any(mark in text for mark in SIGNED):
        return ()
    found: list[str] = []
    collect_signatures(msgspec.json.decode(text), found)
    return tuple(dict.fromkeys(found))


def collect_signatures(value: object, found: list[str], depth: int = 0) -> None:
    """Signatures anywhere in a value are added to `found`, bounded."""
    if depth > DEPTH_MAX or len(found) >= SIGNATURES_MAX:
        return
    if isinstance(value, list):
        for each in value:
            collect_signatures(each, found, depth + 1)
    elif isinstance(value, dict):
        for key, each in value.items():
            is_signature = key in SIGNATURE_KEYS or (key == "data" and value.get("type") in SECRET_TYPES)
            if isinstance(each, str):
                if is_signature and each and len(found) < SIGNATURES_MAX:
                    found.append(each)
            else:
                collect_signatures(each, found, depth + 1)


def without_foreign(messages: Raw, foreign: frozenset[str]) -> Raw:
    """Return the conversation without foreign reasoning; "*" means all of it."""
    text = bytes(messages)
    if not foreign or not any(mark in text for mark in MARKS):
        return messages
    rows = decode_messages(messages)
    cleaned = [clean(row, foreign) for row in rows]
    if all(before is after for before, after in zip(rows, cleaned, strict=True)):
        return messages
    return Raw(msgspec.json.encode(cleaned))


def clean(row: Raw, foreign: frozenset[str]) -> Raw:
    """Return a message without its reasoning if that is foreign, else as it is."""
    text = bytes(row)
    if not any(mark in text for mark in MARKS):
        return row
    if ALL not in foreign:
        found: list[str] = []
        collect_signatures(msgspec.json.decode(text), found)
        if foreign.isdisjoint(found):
            return row
    message: dict[str, object] = dict(decode_message(row))
    is_changed = False
    for key in MESSAGE_KEYS:
        is_changed |= message.pop(key, None) is not None
    for key, edit in (("content", clean_content), ("tool_calls", clean_calls), ("extra_content", clean_extra)):
        value = message.get(key)
        if isinstance(value, Raw):
            before = msgspec.json.decode(value)
            after = edit(before)
            if after != before:
                message[key] = after
                is_changed = True
    return Raw(msgspec.json.encode(message)) if is_changed else row


def clean_content(content: Any) -> Any:
    """Return content without thinking parts; nothing left is an empty text."""
    if not isinstance(content, list):
        return content
    kept = [part for part in content if not (isinstance(part, dict) and part.get("type") in PART_TYPES)]
    return kept if kept or not content else ""


def clean_calls(calls: Any) -> Any:
    """Return tool calls without the thought signatures Gemini hangs on them."""
    if not isinstance(calls, list):
        return calls
    return [clean_call(call) if isinstance(call, dict) else call for call in calls]


def clean_call(call: dict[str, Any]) -> dict[str, Any]:
    """Return one tool call without its signature, wherever it hangs."""
    kept = without(call, ("thought_signature", "thoughtSignature"))
    for key in ("extra_content", "provider_specific_fields"):
        if key in kept:
            inner = clean_extra(kept[key])
            kept = {**kept, key: inner} if inner else without(kept, (key,))
    return kept


def clean_extra(extra: Any) -> Any:
    """Return extra content without signatures; what is empty then goes too."""
    if not isinstance(extra, dict):
        return extra
    kept = {}
    for key, value in without(extra, SIGNATURE_KEYS).items():
        inner = clean_extra(value)
        if inner or not value:
            kept[key] = inner
    return kept


def without(table: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return a table without these keys."""
    gone = frozenset(keys)
    return {key: value for key, value in table.items() if key not in gone}
