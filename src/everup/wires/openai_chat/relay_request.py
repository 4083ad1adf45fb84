"""
A client's request as an upstream of the same wire gets it.

Lives here: the few fields that change; every other value keeps its very bytes and its place, so that prompt
caches hold (WIRES, Caching). Must not: checking, and translated requests (see `request_out`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from everup.wires.openai_chat.quirks import NO_STREAM_OPTIONS
from everup.wires.openai_chat.reasoning import without_foreign

if TYPE_CHECKING:
    from everup.shapes.asked import Asked
    from everup.shapes.route import Candidate

encode = msgspec.json.Encoder().encode
decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode

OURS = frozenset({"model", "messages", "stream", "stream_options"})
"""Fields that configured params never set."""
LIMIT_NAMES = frozenset({"max_tokens", "max_completion_tokens"})
"""Two names of one limit: a client that uses one has set both."""
USAGE_ONLY = Raw(b'{"include_usage":true}')


def encode_request(asked: Asked, candidate: Candidate, *, foreign: frozenset[str] | None) -> bytes:
    """Return the upstream body for one candidate."""
    fields: dict[str, object] = dict(asked.fields)
    fields["model"] = candidate.model.ref.model
    if candidate.model.params:
        merge_params(fields, candidate.model.params)
    if NO_STREAM_OPTIONS in candidate.provider.quirks:
        fields.pop("stream_options", None)
    elif asked.is_stream and not asked.wants_usage:
        fields["stream_options"] = with_usage(asked.fields.get("stream_options"))
    if foreign and not asked.is_plain:
        fields["messages"] = without_foreign(asked.fields["messages"], foreign)
    return encode(fields)


def merge_params(fields: dict[str, object], params: dict[str, object]) -> None:
    """Configured params are added where the client said nothing."""
    has_limit = not LIMIT_NAMES.isdisjoint(fields)
    for name, value in params.items():
        if name not in fields and name not in OURS and not (has_limit and name in LIMIT_NAMES):
            fields[name] = value


def with_usage(options: Raw | None) -> object:
    """
    Return stream options that ask for the usage chunk.

    The client's other options stay.
    """
    if options is None or bytes(options) == b"null":
        return USAGE_ONLY
    kept: dict[str, object] = dict(decode_fields(options))
    kept["include_usage"] = True
    return kept
