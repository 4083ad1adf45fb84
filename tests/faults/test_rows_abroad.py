"""
Every row of the fault table where the provider speaks another wire than the client, over sockets.

An OpenAI client, Anthropic-shaped and Ollama-shaped providers: a broken one alone, with a good one of the other wire
behind it in both orders, and some with both broken and a third of the client's own wire.
"""

from __future__ import annotations

import asyncio

import pytest

from everup.testing.scripts import Send
from tests.faults import clauses, harness
from tests.faults.abroad import CHANGED, OWN, SHAPELESS, rows_of
from tests.faults.harness import Case, Played
from tests.faults.rows import ROWS

# The tables are sent once, in a fixture; each of their requests has its own bound there.
pytestmark = pytest.mark.timeout(20, func_only=True)

WIRES = ("anthropic", "ollama")
CASES = {wire: harness.judged(wire) for wire in WIRES}


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Return the outcomes of each broken provider's wire, each table sent once for all tests."""
    return {wire: asyncio.run(harness.play(CASES[wire], tmp_path_factory.mktemp(wire))) for wire in WIRES}


@pytest.mark.parametrize("wire", WIRES)
def test_no_row_is_left_out_without_a_reason(wire: str) -> None:
    """Each row of the table is sent in this wire in both forms, alone and with another, or its reason stands here."""
    sent = {(case.row.id, case.form, case.mode) for case in CASES[wire]}
    known = {row.id for row in ROWS}
    assert set() == (set(SHAPELESS[wire]) | set(CHANGED[wire])) - known
    assert all(SHAPELESS[wire].values())
    every = {row.id for row in (*ROWS, *OWN[wire]) if row.id not in SHAPELESS[wire]}
    assert {(id_, form, mode) for id_ in every for form in harness.FORMS for mode in harness.MODES} <= sent
    assert len(rows_of(wire)) == len(every)
    assert set(harness.TRIO) - set(SHAPELESS[wire]) == {id_ for id_, _, mode in sent if mode == "trio"}


@pytest.mark.parametrize("wire", WIRES)
def test_every_body_is_of_its_own_wire(wire: str) -> None:
    """No row that shows a wire says anything in another's words."""
    foreign = {"anthropic": (b"chat.completion", b'"choices"', b'"done"'), "ollama": (b"chat.completion", b"_delta")}
    scripts = [script for row in rows_of(wire) for script in row.scripts(harness.DIALECTS[wire])]
    steps = [step for script in scripts for step in (*script.whole, *script.streamed)]
    data = b"".join(step.data for step in steps if isinstance(step, Send))
    assert [] == [word for word in foreign[wire] if word in data]


@pytest.mark.parametrize("case", [case for wire in WIRES for case in CASES[wire]], ids=lambda case: case.name)
def test_the_row_holds(case: Case, played: dict[str, Played]) -> None:
    """Answer, attempts (C1), bodies (C2), trail, total failure and secrets (C6) are what the row says."""
    clauses.judge(case, played[case.dialect])


@pytest.mark.parametrize("wire", WIRES)
def test_the_process_keeps_its_secrets_and_ends_well(wire: str, played: dict[str, Played]) -> None:
    """After every fault the log and /status hold no key, no request is left open, and SIGTERM ends with 0."""
    clauses.the_process_kept_its_secrets(played[wire])
