"""Every row of the fault table, over sockets, through a whole everup: attempts, status, trail, bodies, secrets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults import clauses, harness, rows
from tests.faults.harness import Case, Played

# The table is sent once, in a fixture; each of its requests has its own bound there.
pytestmark = pytest.mark.timeout(20, func_only=True)

CASES = harness.judged("openai")


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return the outcomes of the whole table, sent once for all tests."""
    return asyncio.run(harness.play(CASES, tmp_path_factory.mktemp("rows")))


def test_every_row_of_the_contract_is_here() -> None:
    """No row of FAULTS section 5 and no ruling that adds one is left without a test or a reason."""
    assert [] == rows.missing()
    assert len(rows.ROWS) == len({row.id for row in rows.ROWS})
    assert all(Path(file).name for file in rows.ELSEWHERE.values())


@pytest.mark.parametrize("row", rows.UNTESTED, ids=lambda row: row.id)
def test_what_cannot_be_sent_says_why(row: rows.Untested) -> None:
    """A row that cannot be provoked over a socket is skipped by name, with its reason."""
    pytest.skip(f"{row.id}: {row.reason}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_row_holds(case: Case, played: Played) -> None:
    """Answer, attempts (C1), bodies (C2), trail, total failure and secrets (C6) are what the row says."""
    clauses.judge(case, played)


def test_the_process_keeps_its_secrets_and_ends_well(played: Played) -> None:
    """After every fault the log and /status hold no key, no request is left open, and SIGTERM ends with 0."""
    clauses.the_process_kept_its_secrets(played)
