"""
The table of verdicts: what follows from each kind of fault.

What must not live here: recognising a fault (see `classify`) or remembering one (see `cooldown`).
Source: FAULTS section 5 and rulings 4, 6, 7 and 8; `docs/faults.md` is generated from it.
"""

from __future__ import annotations

from msgspec import Struct, structs

from everup.shapes.fault import Fault, FaultKind, Next, Scope

SAME, PROFILE, MODEL, CLIENT = Next.SAME, Next.PROFILE, Next.MODEL, Next.CLIENT


class Backoff(Struct, frozen=True, kw_only=True):
    """
    How long a fault keeps its target out.

    Growing by doubling from `first_s` to `max_s`.
    It begins with the `after`-th failure inside `within_s`. `is_cheap`: costs nothing to test again, so that
    ruling 7 caps it. `is_blocked`: only something outside can end it (a payment, a new key); ruling 6 probes it.
    """

    first_s: float
    max_s: float
    after: int = 1
    within_s: float = 30.0
    is_cheap: bool = False
    is_blocked: bool = False


class Rule(Struct, frozen=True, kw_only=True):
    """
    The verdict on one kind.

    `path` is where the walk looks, in order: SAME at most once (`same_max` times), then wider. `wait_s` is the
    pause before SAME, jittered where `is_jittered`; `client_status` is what the client sees if this alone ended it.
    """

    row: str
    path: tuple[Next, ...]
    scope: Scope = Scope.NONE
    backoff: Backoff | None = None
    same_max: int = 1
    wait_s: float = 0.0
    is_jittered: bool = False
    possibly_billed: bool = False
    client_status: int = 503
    is_counted: bool = True
    """Whether an attempt that ended so uses up one of the request's attempts."""


FLAKY = Backoff(first_s=5, max_s=120, after=3, is_cheap=True)
UNREACHED = Backoff(first_s=2, max_s=60, is_cheap=True)
SLOW = Backoff(first_s=30, max_s=300, after=2, within_s=600)
UNTIL_CONFIG = Backoff(first_s=3600, max_s=3600)
SOFT = FLAKY

RULES: dict[FaultKind, Rule] = {
    FaultKind.BAD_REQUEST: Rule(row="5.1", path=(CLIENT,), client_status=400),
    FaultKind.UNSUPPORTED: Rule(row="R8.1b", path=(MODEL,), client_status=400),
    FaultKind.FOREIGN_REASONING: Rule(row="R8.1a", path=(SAME, MODEL), client_status=400),
    FaultKind.CONTEXT_OVERFLOW: Rule(row="5.3", path=(MODEL,), client_status=400),
    FaultKind.TOO_LARGE: Rule(row="5.13", path=(MODEL,), client_status=413),
    FaultKind.RATE_TOO_LARGE: Rule(row="5.21", path=(MODEL,), client_status=429),
    FaultKind.CONTENT_FILTER: Rule(row="5.36", path=(CLIENT,), client_status=400),
    FaultKind.BILLING: Rule(
        row="5.2",
        path=(PROFILE, MODEL),
        scope=Scope.PROFILE,
        backoff=Backoff(first_s=600, max_s=3600, is_blocked=True),
    ),
    FaultKind.AUTH: Rule(
        row="5.4",
        path=(PROFILE, MODEL),
        scope=Scope.PROFILE,
        backoff=Backoff(first_s=3600, max_s=3600, is_blocked=True),
    ),
    FaultKind.PERMISSION: Rule(
        row="5.6", path=(PROFILE, MODEL), scope=Scope.PROFILE_MODEL, backoff=Backoff(first_s=3600, max_s=3600)
    ),
    FaultKind.RATE_LIMIT: Rule(
        row="5.19",
        path=(PROFILE, MODEL),
        scope=Scope.PROFILE_MODEL,
        backoff=Backoff(first_s=15, max_s=600),
        client_status=429,
    ),
    FaultKind.CONCURRENCY: Rule(row="5.22", path=(SAME, PROFILE, MODEL), wait_s=1.0, client_status=429),
    FaultKind.MODEL_NOT_FOUND: Rule(
        row="5.8",
        path=(MODEL,),
        scope=Scope.ENDPOINT_MODEL,
        backoff=Backoff(first_s=3600, max_s=3600),
        client_status=404,
    ),
    FaultKind.WRONG_PATH: Rule(row="5.9", path=(MODEL,), scope=Scope.ENDPOINT, backoff=UNTIL_CONFIG),
    FaultKind.WRONG_PROTOCOL: Rule(row="5.10", path=(MODEL,), scope=Scope.ENDPOINT, backoff=UNTIL_CONFIG),
    FaultKind.REDIRECT: Rule(row="5.28", path=(MODEL,), scope=Scope.ENDPOINT, backoff=UNTIL_CONFIG),
    FaultKind.BLOCKED_PAGE: Rule(
        row="5.7", path=(MODEL,), scope=Scope.ENDPOINT, backoff=Backoff(first_s=30, max_s=600)
    ),
    FaultKind.HTML_PAGE: Rule(row="5.32", path=(MODEL,), scope=Scope.ENDPOINT, backoff=Backoff(first_s=30, max_s=600)),
    FaultKind.REQUEST_TIMEOUT: Rule(
        row="5.11",
        path=(PROFILE, MODEL),
        scope=Scope.PROFILE_MODEL,
        backoff=Backoff(first_s=5, max_s=120, is_cheap=True),
        possibly_billed=True,
    ),
    FaultKind.CONFLICT: Rule(row="5.12", path=(SAME, MODEL), wait_s=1.0),
    FaultKind.MISDIRECTED: Rule(row="5.15", path=(SAME, MODEL)),
    FaultKind.SERVER_ERROR: Rule(
        row="5.23", path=(SAME, MODEL), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY, wait_s=0.5, is_jittered=True
    ),
    FaultKind.BAD_GATEWAY: Rule(row="5.24", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY),
    FaultKind.GATEWAY_TIMEOUT: Rule(
        row="5.24", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY, possibly_billed=True
    ),
    FaultKind.UNAVAILABLE: Rule(row="5.25", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY),
    FaultKind.OVERLOADED: Rule(
        row="5.26",
        path=(MODEL,),
        scope=Scope.ENDPOINT_MODEL,
        backoff=Backoff(first_s=5, max_s=120, is_cheap=True),
    ),
    FaultKind.LOADING: Rule(row="5.25", path=(SAME, MODEL), same_max=60, wait_s=1.0, is_counted=False),
    FaultKind.OUT_OF_MEMORY: Rule(
        row="5.57", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=Backoff(first_s=30, max_s=30)
    ),
    FaultKind.EMPTY_BODY: Rule(
        row="5.30", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY, possibly_billed=True
    ),
    FaultKind.EMPTY_ANSWER: Rule(row="5.35", path=(SAME, MODEL), possibly_billed=True),
    FaultKind.MALFORMED: Rule(
        row="5.34", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY, possibly_billed=True
    ),
    FaultKind.OVERSIZE: Rule(
        row="5.47", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY, possibly_billed=True
    ),
    FaultKind.BAD_HTTP: Rule(
        row="5.48", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=FLAKY, possibly_billed=True
    ),
    FaultKind.CONNECT: Rule(row="5.50", path=(MODEL,), scope=Scope.ENDPOINT, backoff=UNREACHED),
    FaultKind.DNS: Rule(row="5.53", path=(MODEL,), scope=Scope.ENDPOINT, backoff=UNREACHED),
    FaultKind.TLS: Rule(row="5.52", path=(MODEL,), scope=Scope.ENDPOINT, backoff=Backoff(first_s=600, max_s=600)),
    FaultKind.PROXY: Rule(row="4.4/85", path=(MODEL,), scope=Scope.ENDPOINT, backoff=UNREACHED),
    FaultKind.STALE: Rule(row="R4", path=(SAME, MODEL), is_counted=False),
    FaultKind.RESET: Rule(row="5.51", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=SOFT, possibly_billed=True),
    FaultKind.CUT: Rule(row="5.39", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=SOFT, possibly_billed=True),
    FaultKind.FIRST_EVENT: Rule(
        row="5.44", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=SLOW, possibly_billed=True
    ),
    FaultKind.OPENING: Rule(row="5.44", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=SLOW, possibly_billed=True),
    FaultKind.STALL: Rule(row="5.45", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=SOFT, possibly_billed=True),
    FaultKind.ANSWER: Rule(row="R2", path=(MODEL,), scope=Scope.ENDPOINT_MODEL, backoff=SLOW, possibly_billed=True),
    FaultKind.DEADLINE: Rule(row="R2", path=(CLIENT,), possibly_billed=True, client_status=504),
    FaultKind.NO_CREDENTIAL: Rule(row="R12", path=(PROFILE, MODEL), scope=Scope.PROFILE, is_counted=False),
    FaultKind.QUEUE_FULL: Rule(row="L10", path=(PROFILE, MODEL), is_counted=False),
    FaultKind.LOCAL_RESOURCE: Rule(row="4.3/57", path=(SAME, MODEL), wait_s=0.5),
    FaultKind.EMBEDDED_DOWN: Rule(row="5.50", path=(MODEL,), scope=Scope.ENDPOINT, backoff=UNREACHED),
    FaultKind.SUPERSEDED: Rule(row="R2", path=(CLIENT,), possibly_billed=True),
}


def make_fault(
    kind: FaultKind,
    message: str = "",
    *,
    row: str = "",
    status: int = 0,
    code: str = "",
    retry_after_s: float | None = None,
    possibly_billed: bool | None = None,
    param: str = "",
) -> Fault:
    """
    Return a fault of this kind with the table's verdict filled in.

    `row` names a finer row than the table's.
    """
    rule = RULES[kind]
    return Fault(
        kind=kind,
        scope=rule.scope,
        next=rule.path[0],
        rule=row or rule.row,
        message=message,
        status=status,
        code=code,
        retry_after_s=retry_after_s,
        possibly_billed=rule.possibly_billed if possibly_billed is None else possibly_billed,
        param=param,
    )


def with_billing(fault: Fault) -> Fault:
    """Return the fault marked as possibly billed: something had been generated."""
    return fault if fault.possibly_billed else structs.replace(fault, possibly_billed=True)
