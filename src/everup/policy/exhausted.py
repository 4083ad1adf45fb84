"""
What a client is told when no candidate answered.

What must not live here: a wire's encoding. Source: FAULTS ruling 5 and row 58. An upstream's 401, 402 or 403 is
never the client's status: it would say that *their* key is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from everup.policy.faults import RULES
from everup.policy.step import Stop, Why
from everup.policy.trail import tell_fault
from everup.shapes.failure import Failure
from everup.shapes.fault import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everup.shapes.attempt import AttemptRecord
    from everup.shapes.route import Plan

SHOULD_RETRY_WITHIN_S = 60.0

REFUSALS = frozenset(
    {
        FaultKind.BAD_REQUEST,
        FaultKind.UNSUPPORTED,
        FaultKind.FOREIGN_REASONING,
        FaultKind.CONTEXT_OVERFLOW,
        FaultKind.TOO_LARGE,
        FaultKind.CONTENT_FILTER,
    }
)
RATE_LIMITS = frozenset({FaultKind.RATE_LIMIT, FaultKind.RATE_TOO_LARGE, FaultKind.CONCURRENCY})
UNSENT = frozenset({FaultKind.NO_CREDENTIAL, FaultKind.QUEUE_FULL})
"""Our own side: nobody was asked, so they do not say what is wrong with a request that somebody was asked."""
BUSY_S = 1.0
"""When to come back after all queues were full: slots are given back all the time."""
KIND_OF_STATUS = {400: "invalid_request", 404: "not_found", 413: "invalid_request", 429: "rate_limit", 504: "timeout"}

CODES = {FaultKind.CONTEXT_OVERFLOW: "context_length_exceeded"}
"""Codes that clients look for, whatever the provider calls it; elsewhere its own code is kept."""

ADVICE = {
    FaultKind.AUTH: "its key was refused: check the key and start everup again",
    FaultKind.BILLING: "its account has no credit: top it up",
    FaultKind.NO_CREDENTIAL: "its key is missing",
}


def make_failure(
    plan: Plan, records: Sequence[AttemptRecord], stop: Stop, *, now_mono_s: float, trail: str, kept_out: Sequence[str]
) -> Failure:
    """
    Return the one error of a request that nothing answered.

    `kept_out` are ready sentences about candidates that were not tried ("openai/x: cooling ...").
    """
    faults = [record.fault for record in records if record.fault is not None]
    lines = [line_of(record, record.fault) for record in records if record.fault is not None]
    lines += [f"{skip.name}: left out, {skip.reason}" for skip in plan.skipped]
    lines += kept_out
    lines = list(dict.fromkeys(lines))
    if not plan.candidates:
        return nothing_able(plan, tuple(lines), trail)
    if not faults:
        return nothing_sent(stop, tuple(lines), now_mono_s=now_mono_s, trail=trail)
    verdicts = last_words(records)
    refusal = refused(faults, verdicts, stop)
    if refusal is not None:
        return told_refusal(refusal, tuple(lines), trail)
    status, code = status_of(plan, verdicts, stop)
    hints = [fault.retry_after_s for fault in verdicts if fault.retry_after_s is not None]
    is_busy = status == 503 and FaultKind.QUEUE_FULL in {fault.kind for fault in verdicts} <= UNSENT
    return Failure(
        status=status,
        kind=KIND_OF_STATUS.get(status, "unavailable"),
        code=code,
        message=headline(plan, stop, len(faults)),
        lines=tuple(lines),
        retry_after_s=BUSY_S if is_busy else min(hints) if status == 429 and hints else None,
        should_retry=is_busy,
        trail=trail,
    )


def last_words(records: Sequence[AttemptRecord]) -> list[Fault]:
    """
    Return each candidate's last fault, in the order they were first asked.

    A stale connection before a refusal does not hide it. Those nobody was asked for count only by themselves.
    """
    last = {(record.candidate, record.profile): record.fault for record in records if record.fault is not None}
    return [fault for fault in last.values() if fault.kind not in UNSENT] or list(last.values())


def status_of(plan: Plan, faults: Sequence[Fault], stop: Stop) -> tuple[int, str]:
    """
    Return the client's status and code for attempts that all failed.

    None of them a refusal of the request.
    """
    if stop.why is Why.DEADLINE:
        return 504, "deadline_exceeded"
    if all(fault.kind in RATE_LIMITS for fault in faults):
        return 429, "rate_limit_exceeded"
    if plan.route.is_asked_by_name and all(fault.kind is FaultKind.MODEL_NOT_FOUND for fault in faults):
        return 404, "model_not_found"
    return 503, "all_candidates_failed"


def refused(faults: Sequence[Fault], verdicts: Sequence[Fault], stop: Stop) -> Fault | None:
    """
    Return the refusal that is the client's answer.

    The one that ended the walk, or the first if all refused.
    A request that one candidate finds malformed and another could not be asked about stays a 503.
    """
    if stop.why is Why.REFUSED and faults[-1].kind in REFUSALS:
        return faults[-1]
    return verdicts[0] if all(fault.kind in REFUSALS for fault in verdicts) else None


def told_refusal(fault: Fault, lines: tuple[str, ...], trail: str) -> Failure:
    """
    Return a provider's own refusal of the request.

    In its own words and with its own status.
    """
    allowed = RULES[fault.kind].client_status
    status = fault.status if fault.status in {400, 413, 422} else allowed
    return Failure(
        status=status,
        kind=KIND_OF_STATUS.get(status, "invalid_request"),
        code=CODES.get(fault.kind) or (str(fault.kind) if fault.code.isdigit() else fault.code or str(fault.kind)),
        message=fault.message or "The provider refused the request.",
        param=fault.param,
        lines=lines if len(lines) > 1 else (),
        trail=trail,
    )


def nothing_able(plan: Plan, lines: tuple[str, ...], trail: str) -> Failure:
    """
    Return the error of a route without a candidate.

    Nothing configured, or nothing that can do what was asked.
    """
    if not plan.skipped:
        return Failure(
            status=503,
            kind="unavailable",
            code="no_candidate",
            message=f"The route {plan.route.name!r} has no model yet.",
            hint="Set a provider's key (for example OPENAI_API_KEY), start a local server such as Ollama, "
            "or run `everup local get`; everup picks it up.",
            trail=trail,
        )
    if all(skip.reason.startswith("window ") for skip in plan.skipped):
        return Failure(
            status=400,
            kind="invalid_request",
            code="context_length_exceeded",
            message="The prompt is longer than the window of every model of this route.",
            lines=lines,
            trail=trail,
        )
    return Failure(
        status=503,
        kind="unavailable",
        code="no_capable_candidate",
        message=f"No model of the route {plan.route.name!r} can do what this request needs.",
        hint="Add a model that can to the route.",
        lines=lines,
        trail=trail,
    )


def nothing_sent(stop: Stop, lines: tuple[str, ...], *, now_mono_s: float, trail: str) -> Failure:
    """
    Return the error of a request that was not sent to anyone.

    All are kept out, or the time was up first.
    """
    in_s = max(stop.until_mono_s - now_mono_s, 0.0)
    status = 504 if stop.why is Why.DEADLINE else 429 if stop.is_limited else 503
    why = "The deadline came before any candidate was back" if status == 504 else "Every candidate is kept out for now"
    is_soon = stop.why is Why.RETRY_LATER and in_s <= SHOULD_RETRY_WITHIN_S
    return Failure(
        status=status,
        kind=KIND_OF_STATUS.get(status, "unavailable"),
        code={504: "deadline_exceeded", 429: "rate_limit_exceeded"}.get(status, "all_candidates_cooling"),
        message=f"{why}; nothing was sent.",
        lines=lines,
        retry_after_s=in_s if stop.why is Why.RETRY_LATER else None,
        should_retry=is_soon,
        trail=trail,
    )


def headline(plan: Plan, stop: Stop, attempts: int) -> str:
    """Return the first sentence of a total failure."""
    asked = f"{'model' if plan.route.is_asked_by_name else 'route'} {plan.route.name!r}"
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    if stop.why is Why.DEADLINE:
        return f"The deadline ended the request after {tries} on {asked}."
    return f"No candidate of {asked} answered ({tries})."


def line_of(record: AttemptRecord, fault: Fault) -> str:
    """Return one candidate with its cause, as a person reads it."""
    who = record.candidate if record.profile in {"", "default"} else f"{record.candidate} ({record.profile})"
    advice = ADVICE.get(fault.kind, "")
    words = "; ".join(each for each in (fault.message, advice) if each)
    return f"{who}: {tell_fault(fault)}{': ' if words else ''}{words}"
