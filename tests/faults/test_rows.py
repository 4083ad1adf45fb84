"""Every row of the fault table, over sockets, through a whole everup: attempts, status, trail, bodies, secrets."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.faults import harness, rows
from tests.faults.harness import JUDGED, Case, Outcome, Played
from tests.faults.shape import CANARY, LEAK

# The table is sent once, in a fixture; each of its requests has its own bound there.
pytestmark = pytest.mark.timeout(20, func_only=True)

ERROR_BYTES_MAX = 2048
TRAIL_BYTES_MAX = 1024


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return the outcomes of the whole table, sent once for all tests."""
    return asyncio.run(harness.play(harness.CASES, tmp_path_factory.mktemp("rows")))


def pick(case: Case, played: Played) -> Outcome:
    """Return a case's outcome; it fails here if the client itself got no answer."""
    outcome = played.outcomes[case.name]
    assert "" == outcome.error
    assert [] == outcome.complaints
    return outcome


def entries(trail: str, provider: str) -> list[str]:
    """Return the failed attempts that a trail tells of one provider."""
    told = (entry.strip() for entry in trail.split(";"))
    return [each for each in told if each.startswith(f"{provider}/") and "=ok " not in each]


def the_client_gets(case: Case, played: Played) -> None:
    """Status, text, completeness and the model that answered are the row's."""
    expect, answer = case.expect, pick(case, played).answer
    assert answer is not None
    assert (expect.status, expect.is_complete) == (answer.status, answer.is_complete), answer.body[:600]
    assert expect.holds in answer.body
    who = {"first": f"f-{case.name}/m", "second": f"s-{case.name}/m"}.get(expect.by)
    if expect.by == "nobody":
        assert answer.error
        return
    assert (expect.says, who) == (answer.text, answer.headers.get("x-everup-model"))
    assert (case.form == "streamed") == answer.is_stream
    assert bool(answer.error) != expect.is_complete
    assert expect.is_complete or not answer.is_done


def the_providers_are_asked(case: Case, played: Played) -> None:
    """Each provider gets exactly as many requests as the row says (C1)."""
    expect, outcome = case.expect, pick(case, played)
    assert (expect.calls, int(expect.by == "second")) == (len(outcome.first), len(outcome.second))


def the_bodies_are_those_of_a_calm_day(case: Case, played: Played) -> None:
    """Every body sent upstream is byte for byte what is sent without the fault, and holds no error text (C2)."""
    outcome = pick(case, played)
    calm = pick(harness.calm(case.row, case.form), played)
    assert (1, 200) == (len(calm.first), calm.answer and calm.answer.status)
    sent = [*outcome.first, *outcome.second]
    assert [] == [request.body for request in sent if CANARY.encode() in request.body]
    if case.row.is_repaired:
        assert {True} == {b"rs_foreign" not in request.body for request in outcome.first[1:]}
        return
    assert {calm.first[0].sha256} >= {request.sha256 for request in sent}


def the_trail_tells(case: Case, played: Played) -> None:
    """The trail names each failed attempt with its kind, in order, within its size and in ASCII."""
    expect, answer = case.expect, pick(case, played).answer
    assert answer is not None
    trail = answer.trail
    assert len(trail) <= TRAIL_BYTES_MAX
    assert trail.isascii()
    assert re.fullmatch(r"[A-Za-z0-9_-]{8,64}", answer.headers.get("x-everup-request-id", ""))
    if not expect.is_complete:
        # The header went out with the first content: what happened later is in the error event.
        return
    told = entries(trail, f"f-{case.name}")
    assert len(expect.trail) == len(told), trail
    assert [] == [(word, entry) for word, entry in zip(expect.trail, told, strict=True) if word not in entry]
    if case.row.billed and expect.by != "first":
        assert all("possibly billed" in entry for entry in told), trail


def a_total_failure_is_one_honest_error(case: Case, played: Played) -> None:
    """An error names each candidate with its cause, in at most 2 KiB, and tells SDKs not to try again."""
    answer = pick(case, played).answer
    assert answer is not None
    if case.expect.by != "nobody":
        assert "x-should-retry" not in answer.headers
        return
    assert len(answer.body) <= ERROR_BYTES_MAX
    assert "false" == answer.headers.get("x-should-retry")
    assert {"message", "type", "code", "param"} <= set(answer.error)
    refused = case.expect.status in {400, 413, 422}
    assert refused or f"f-{case.name}/m" in answer.error["message"]


def no_secret_is_repeated(case: Case, played: Played) -> None:
    """A key that a provider echoes is in no answer, header or trail (C6, S18)."""
    answer = pick(case, played).answer
    assert answer is not None
    assert LEAK.encode() not in answer.body
    assert [] == [name for name, value in answer.headers.items() if LEAK in value]


CLAUSES = (
    the_client_gets,
    the_providers_are_asked,
    the_bodies_are_those_of_a_calm_day,
    the_trail_tells,
    a_total_failure_is_one_honest_error,
    no_secret_is_repeated,
)


def test_every_row_of_the_contract_is_here() -> None:
    """No row of FAULTS section 5 and no ruling that adds one is left without a test or a reason."""
    assert [] == rows.missing()
    assert len(rows.ROWS) == len({row.id for row in rows.ROWS})
    assert all(Path(file).name for file in rows.ELSEWHERE.values())


@pytest.mark.parametrize("row", rows.UNTESTED, ids=lambda row: row.id)
def test_what_cannot_be_sent_says_why(row: rows.Untested) -> None:
    """A row that cannot be provoked over a socket is skipped by name, with its reason."""
    pytest.skip(f"{row.id}: {row.reason}")


@pytest.mark.parametrize("case", JUDGED, ids=lambda case: case.name)
def test_the_row_holds(case: Case, played: Played) -> None:
    """Answer, attempts (C1), bodies (C2), trail, total failure and secrets (C6) are what the row says."""
    for holds in CLAUSES:
        holds(case, played)


def test_the_process_keeps_its_secrets_and_ends_well(played: Played) -> None:
    """After every fault the log and /status hold no key, no request is left open, and SIGTERM ends with 0."""
    assert LEAK not in played.err
    assert LEAK.encode() not in played.status.body
    assert "Traceback" not in played.err
    assert "Say hello" not in played.err
    assert (200, 0) == (played.status.status, played.exit_code)
    assert played.status.json["requests_open"] <= 1
