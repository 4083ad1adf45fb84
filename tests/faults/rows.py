"""The whole table: every row of FAULTS section 5 and the rulings that add to it, as data."""

from __future__ import annotations

from tests.faults import rows_broken, rows_refused, rows_streams, rows_wire
from tests.faults.rows_wire import UNTESTED
from tests.faults.shape import Row

ROWS: tuple[Row, ...] = (*rows_refused.ROWS, *rows_broken.ROWS, *rows_streams.ROWS, *rows_wire.ROWS)

ELSEWHERE = {
    "5.58": "tests/faults/test_total_failure.py",
    "R4": "tests/faults/test_rulings.py",
    "R6": "tests/faults/test_rulings.py",
    "R7": "tests/faults/test_rulings.py",
}
"""Rows that take more than one request; the file that sends them."""

REQUIRED = (*(f"5.{n}" for n in range(1, 59)), "R4", "R6", "R7", "R8.1a", "R8.1b")


def covers(required: str, id_: str) -> bool:
    """Return whether a row's id is this id or a variant of it (`5.15.421`, `5.42b`)."""
    rest = id_.removeprefix(required)
    return id_.startswith(required) and (rest == "" or not rest[0].isdigit())


def missing() -> list[str]:
    """Return the ids of the contract that no row stands for."""
    known = [*(row.id for row in ROWS), *ELSEWHERE, *(row.id for row in UNTESTED)]
    return [required for required in REQUIRED if not any(covers(required, id_) for id_ in known)]
