"""
The fault table in other wires: which rows have no shape there and why, and where something else must follow.

What must not live here: rows (see `rows_*`) and their bytes (see `dialects`). Nothing is left out but by a line here.
"""

from __future__ import annotations

from msgspec import structs

from tests.faults import rows_anthropic, rows_ollama
from tests.faults.rows import ROWS
from tests.faults.shape import Row, served

CODE = "only a code tells this fault, and this wire's errors carry none"
TYPE = "only the error's type tells this fault, and this wire's errors are a text"
LINE = "the stop reason and the end of a stream are one line"
MINTED = "this wire has no signatures that could be somebody else's"

SHAPELESS: dict[str, dict[str, str]] = {
    "anthropic": {"5.3": CODE, "5.36b": CODE},
    "ollama": {
        "5.3": CODE,
        "5.31": TYPE,
        "5.31b": TYPE,
        "5.36": "no reason of this wire says that a filter withheld the answer",
        "5.36b": CODE,
        "5.38": TYPE,
        "5.38b": TYPE,
        "5.40": LINE,
        "5.40b": LINE,
        "5.42f": "a line ends in LF, and to JSON a CR is a blank: there is no other form of it",
        "R8.1a": MINTED,
        "R8.1a.b": MINTED,
    },
}
"""The rows of the table that a wire cannot say, each with its reason."""

CALLS = served(says="", holds=b'{\\"a\\": [true]}')
# What a translator has never heard of has no place in the client's wire.
KNOWN = {"pair": served(), "alone": served()}
CHANGED: dict[str, dict[str, dict[str, object]]] = {
    "anthropic": {
        "5.37": KNOWN,
        "5.43": {
            # A whole call's input is an object: only a stream can hold one that is no JSON.
            "pair": served(says="", holds=b'{\\"a\\": true}'),
            "alone": served(says="", holds=b'"toolu_b"'),
            "streamed_pair": served(says="", holds=b'{\\"a\\": tru"'),
            "streamed_alone": served(says="", holds=b"}{"),
        },
    },
    "ollama": {"5.37": KNOWN, "5.43": {"pair": CALLS, "alone": CALLS}},
}
"""What else must follow in a wire, by the row's fields."""

OWN: dict[str, tuple[Row, ...]] = {"anthropic": rows_anthropic.ROWS, "ollama": rows_ollama.ROWS}
"""Rows that no other wire can say."""
EVERY_ROW = (*ROWS, *(row for rows in OWN.values() for row in rows))


def rows_of(dialect: str) -> tuple[Row, ...]:
    """Return the rows of one wire: those of the table that have a shape in it, and its own."""
    left_out, changed = SHAPELESS.get(dialect, {}), CHANGED.get(dialect, {})
    kept = [structs.replace(row, **changed.get(row.id, {})) for row in ROWS if row.id not in left_out]
    return (*kept, *OWN.get(dialect, ()))
