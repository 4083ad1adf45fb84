"""Total failure: the client's status and words (ruling 5)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from everup.policy.exhausted import make_failure
from everup.policy.faults import make_fault
from everup.policy.step import Stop, Why
from everup.shapes.attempt import AttemptRecord
from everup.shapes.failure import Failure
from everup.shapes.fault import Fault, FaultKind
from everup.shapes.route import Needs, Skip
from tests.policy.make import plan_of

PLAN = plan_of("a/m", "b/m")


def failure(
    *faults: Fault, why: Why = Why.NONE_LEFT, until: float = 0.0, by_name: bool = False, limited: bool = False
) -> Failure:
    """Return what a client is told after these faults, one per candidate."""
    plan = replace(PLAN, route=replace(PLAN.route, is_asked_by_name=by_name))
    records = [
        AttemptRecord(n=n + 1, candidate=f"{'ab'[n % 2]}/m", profile="k0", total_ms=5, fault=fault)
        for n, fault in enumerate(faults)
    ]
    return make_failure(plan, records, Stop(why, until, limited), now_mono_s=0.0, trail="t", kept_out=[])


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ([FaultKind.RATE_LIMIT, FaultKind.RATE_LIMIT], 429),
        ([FaultKind.RATE_LIMIT, FaultKind.CONNECT], 503),
        ([FaultKind.AUTH, FaultKind.BILLING], 503),
        ([FaultKind.PERMISSION], 503),
        ([FaultKind.MODEL_NOT_FOUND], 503),
        ([FaultKind.CONTEXT_OVERFLOW, FaultKind.CONTEXT_OVERFLOW], 400),
        ([FaultKind.UNSUPPORTED, FaultKind.UNSUPPORTED], 400),
        ([FaultKind.UNSUPPORTED, FaultKind.CONNECT], 503),
        ([FaultKind.TOO_LARGE], 413),
    ],
)
def test_the_client_s_status_follows_from_all_faults(faults: list[FaultKind], status: int) -> None:
    """The status is the ruling's, and an upstream's 401, 402 or 403 is never it."""
    assert status == failure(*(make_fault(kind, status=401) for kind in faults)).status


def test_a_refusal_is_told_in_the_provider_s_words_with_its_status() -> None:
    """A 422 that ended the walk is the client's, in the provider's own words."""
    refusal = make_fault(FaultKind.BAD_REQUEST, "top_p must be below 1", status=422, code="bad_top_p")
    told = failure(make_fault(FaultKind.CONNECT), refusal, why=Why.REFUSED)
    assert (422, "bad_top_p", "top_p must be below 1") == (told.status, told.code, told.message)


def test_if_all_refuse_the_first_refusal_is_told() -> None:
    """Two providers that refuse a parameter give the first one's 400."""
    faults = [make_fault(FaultKind.UNSUPPORTED, words, status=400) for words in ("first", "second")]
    assert "first" == failure(*faults).message


def test_a_missing_model_is_a_404_only_by_name() -> None:
    """A model asked for by its own name may be missing; a route's may not."""
    gone = make_fault(FaultKind.MODEL_NOT_FOUND, status=404)
    assert (404, "model_not_found") == (failure(gone, by_name=True).status, failure(gone, by_name=True).code)
    assert failure(gone).status == 503


def test_the_deadline_is_a_504() -> None:
    """A request that its deadline ended says so."""
    assert failure(make_fault(FaultKind.FIRST_EVENT), why=Why.DEADLINE).status == 504


def test_the_smallest_retry_after_is_passed_on_and_no_sdk_retries() -> None:
    """A 429 carries the shortest time; after attempts the client is told not to retry by itself."""
    told = failure(*(make_fault(FaultKind.RATE_LIMIT, retry_after_s=s) for s in (40.0, 30.0)))
    assert (30.0, False) == (told.retry_after_s, told.should_retry)


def test_nothing_sent_and_soon_well_may_be_retried() -> None:
    """Only when nothing was sent and recovery is within a minute is the client told to try again."""
    soon, late = failure(why=Why.RETRY_LATER, until=20.0), failure(why=Why.RETRY_LATER, until=90.0)
    assert (503, True, 20.0) == (soon.status, soon.should_retry, soon.retry_after_s)
    assert not late.should_retry
    assert failure(why=Why.RETRY_LATER, until=PLAN.deadline_mono_s, limited=True).status == 429


def test_each_candidate_is_named_with_its_cause() -> None:
    """The error lists every candidate, its cause and what to do."""
    told = failure(make_fault(FaultKind.BILLING, "no credit", status=402), make_fault(FaultKind.CONNECT, "refused"))
    assert "a/m (k0): billing 402: no credit; its account has no credit: top it up" == told.lines[0]
    assert "b/m (k0): connect: refused" == told.lines[1]


def test_an_empty_route_says_what_to_do() -> None:
    """With nothing configured the error names what would help."""
    told = make_failure(plan_of(), [], Stop(Why.NONE_LEFT), now_mono_s=0.0, trail="", kept_out=[])
    assert 503 == told.status
    assert "OPENAI_API_KEY" in told.hint


def test_a_missing_capability_is_named() -> None:
    """When every model lacks something the error says which model lacks what."""
    plan = replace(plan_of(needs=Needs(tools=True)), skipped=(Skip("embedded/x", "no tools"),))
    told = make_failure(plan, [], Stop(Why.NONE_LEFT), now_mono_s=0.0, trail="", kept_out=[])
    assert (503, ("embedded/x: left out, no tools",)) == (told.status, told.lines)


def test_a_prompt_too_long_for_every_window_is_the_request_s_fault() -> None:
    """When every window is too small the client gets the code that its compaction looks for."""
    plan = replace(plan_of(), skipped=(Skip("embedded/x", "window 4,096 < about 9,031 tokens"),))
    told = make_failure(plan, [], Stop(Why.NONE_LEFT), now_mono_s=0.0, trail="", kept_out=[])
    assert (400, "context_length_exceeded") == (told.status, told.code)


def told_of(*each: tuple[str, FaultKind], **fields: object) -> Failure:
    """Return what a client is told after these attempts, by candidate."""
    records = [
        AttemptRecord(n=n + 1, candidate=name, profile="k0", total_ms=5, fault=make_fault(kind, **fields))  # type: ignore[arg-type]
        for n, (name, kind) in enumerate(each)
    ]
    return make_failure(PLAN, records, Stop(Why.NONE_LEFT), now_mono_s=0.0, trail="t", kept_out=[])


def test_a_candidate_s_last_word_counts() -> None:
    """A stale connection or a 500 before a limit or a refusal does not turn it into a 503."""
    stale, limited = ("a/m", FaultKind.STALE), ("a/m", FaultKind.RATE_LIMIT)
    assert 429 == told_of(stale, limited).status
    assert 429 == told_of(("a/m", FaultKind.SERVER_ERROR), limited, ("b/m", FaultKind.RATE_LIMIT)).status
    assert 400 == told_of(stale, ("a/m", FaultKind.UNSUPPORTED)).status
    assert 503 == told_of(stale, limited, ("b/m", FaultKind.CONNECT)).status


def test_who_was_not_asked_does_not_hide_a_refusal() -> None:
    """A missing key beside the only refusal leaves the refusal the client's answer; alone it is a 503."""
    assert 400 == told_of(("a/m", FaultKind.NO_CREDENTIAL), ("b/m", FaultKind.CONTEXT_OVERFLOW)).status
    assert 503 == told_of(("a/m", FaultKind.NO_CREDENTIAL)).status


def test_full_queues_alone_may_be_retried() -> None:
    """When nobody was asked because every queue was full, the client may come back at once."""
    busy = told_of(("a/m", FaultKind.QUEUE_FULL), ("b/m", FaultKind.NO_CREDENTIAL))
    assert (503, True, 1.0) == (busy.status, busy.should_retry, busy.retry_after_s)
    assert not told_of(("a/m", FaultKind.QUEUE_FULL), ("b/m", FaultKind.CONNECT)).should_retry
    assert not told_of(("a/m", FaultKind.NO_CREDENTIAL)).should_retry


def test_the_same_line_is_told_once() -> None:
    """A model that said "loading" sixty times takes one line."""
    assert 1 == len(told_of(*[("a/m", FaultKind.LOADING)] * 60).lines)


def test_nothing_sent_by_the_deadline_is_a_504() -> None:
    """A deadline that passes while everybody is kept out is a 504 that says so."""
    told = failure(why=Why.DEADLINE)
    assert 504 == told.status
    assert "deadline" in told.message
