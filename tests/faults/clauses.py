"""
What every case of the fault table must show, as one function per clause.

What must not live here: rows (see `rows`) and sending them (see `harness`). Used by `test_rows` and
`test_rows_abroad`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.faults import harness
from tests.faults.harness import Case, Outcome, Played
from tests.faults.shape import CANARY, FOREIGN, LEAK

ERROR_BYTES_MAX = 2048
TRAIL_BYTES_MAX = 1024


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
    if expect.by == "nobody":
        assert answer.error
        return
    who = case.provider("f" if expect.by == "first" else list(case.chain)[-1])
    assert (expect.says, f"{who}/{harness.MODEL}") == (answer.text, answer.headers.get("x-everup-model"))
    assert (case.form == "streamed") == answer.is_stream
    assert bool(answer.error) != expect.is_complete


def a_cut_is_never_a_clean_end(case: Case, played: Played) -> None:
    """A stream that broke ends in an error event of the client's wire, without `[DONE]` or a reason not told before."""
    expect, answer = case.expect, pick(case, played).answer
    assert answer is not None
    if expect.is_complete:
        assert not answer.is_stream or answer.is_done
        return
    assert not answer.is_done
    assert {"message", "type", "code", "param"} <= set(answer.error)
    is_told = b"finish_reason" in expect.holds
    assert is_told == (b'"finish_reason":"' in answer.body.replace(b": ", b":"))
    assert '"error"' in answer.events[-1]


def the_providers_are_asked(case: Case, played: Played) -> None:
    """Each provider gets exactly as many requests as the row says (C1)."""
    expect, asked = case.expect, pick(case, played).asked
    good = int(expect.by == "second")
    counts = {letter: expect.calls if letter in case.broken else good for letter in case.chain}
    assert counts == {letter: len(requests) for letter, requests in asked.items()}


def the_bodies_are_those_of_a_calm_day(case: Case, played: Played) -> None:
    """Every body sent upstream is byte for byte what its provider is sent without the fault (C2)."""
    for letter, wire in case.chain.items():
        calm = pick(harness.calm(case.row, case.form, wire), played)
        assert (1, 200) == (len(calm.asked["f"]), calm.answer and calm.answer.status)
        sent = {request.sha256 for request in pick(case, played).asked[letter]}
        assert {calm.asked["f"][0].sha256} >= sent, letter


def no_error_text_is_sent(case: Case, played: Played) -> None:
    """No provider's error text ever enters a body (the founding bug); a repair leaves out the reasoning alone."""
    asked = pick(case, played).asked
    assert [] == [each.body for requests in asked.values() for each in requests if CANARY.encode() in each.body]
    if case.row.is_repaired:
        first, *later = [FOREIGN.encode() in request.body for request in asked["f"]]
        assert (True, {False}) == (first, set(later))


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
    for letter in case.broken:
        told = entries(trail, case.provider(letter))
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
    assert refused or f"{case.provider('f')}/{harness.MODEL}" in answer.error["message"]


def no_secret_is_repeated(case: Case, played: Played) -> None:
    """A key that a provider echoes is in no answer, header or trail (C6, S18)."""
    answer = pick(case, played).answer
    assert answer is not None
    assert LEAK.encode() not in answer.body
    assert [] == [name for name, value in answer.headers.items() if LEAK in value]


Clause = Callable[[Case, Played], None]
ALWAYS: tuple[Clause, ...] = (
    the_client_gets,
    a_cut_is_never_a_clean_end,
    no_error_text_is_sent,
    the_trail_tells,
    a_total_failure_is_one_honest_error,
)
CLAUSES: dict[str, Clause] = {
    "C1": the_providers_are_asked,
    "C2": the_bodies_are_those_of_a_calm_day,
    "C6": no_secret_is_repeated,
}
"""By the contract's own names; a row lists those it asserts."""


def judge(case: Case, played: Played) -> None:
    """All that a case must show, shown; `AssertionError` at the first thing that is not."""
    for holds in (*ALWAYS, *(CLAUSES[clause] for clause in case.row.clauses)):
        holds(case, played)


def the_process_kept_its_secrets(played: Played) -> None:
    """The log and /status hold no key and no prompt, no request is left open, and SIGTERM ended with 0."""
    assert LEAK not in played.err
    assert LEAK.encode() not in played.status.body
    assert "Traceback" not in played.err
    assert "Say hello" not in played.err
    assert (200, 0) == (played.status.status, played.exit_code)
    assert played.status.json["requests_open"] <= 1
