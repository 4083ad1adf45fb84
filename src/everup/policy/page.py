"""
`docs/faults.md`: what everup does about each failure.

Made from the table of verdicts.
What must not live here: a verdict (see `faults`). A test compares the page in the clone with `render_page()`.
"""

from __future__ import annotations

from everup.policy.faults import RULES, Backoff, Rule
from everup.shapes.fault import FaultKind, Next, Scope
from everup.shapes.limits import Limits

LIMITS = Limits()

GROUPS: tuple[tuple[str, FaultKind], ...] = (
    ("The request itself was refused", FaultKind.BAD_REQUEST),
    ("The account was refused", FaultKind.BILLING),
    ("The model or the address is not there", FaultKind.MODEL_NOT_FOUND),
    ("The provider is in trouble", FaultKind.REQUEST_TIMEOUT),
    ("The answer is unusable", FaultKind.EMPTY_BODY),
    ("The way there is broken", FaultKind.CONNECT),
    ("A clock of ours ran out", FaultKind.FIRST_EVENT),
    ("Our own side", FaultKind.NO_CREDENTIAL),
)
"""Each heading with the first kind below it."""

MEANINGS: dict[FaultKind, str] = {
    FaultKind.BAD_REQUEST: "the request is malformed",
    FaultKind.UNSUPPORTED: "this model does not know a parameter",
    FaultKind.FOREIGN_REASONING: "reasoning parts that another endpoint or account made",
    FaultKind.CONTEXT_OVERFLOW: "the prompt is longer than this model's window",
    FaultKind.TOO_LARGE: "the body has too many bytes",
    FaultKind.RATE_TOO_LARGE: "one request above the whole rate limit",
    FaultKind.CONTENT_FILTER: "refused for its content",
    FaultKind.BILLING: "no credit, or a spend limit",
    FaultKind.AUTH: "the key was refused",
    FaultKind.PERMISSION: "the key may not use this model",
    FaultKind.RATE_LIMIT: "too many requests",
    FaultKind.CONCURRENCY: "too many at once; one slot fewer is used from then on",
    FaultKind.MODEL_NOT_FOUND: "the provider has no such model",
    FaultKind.WRONG_PATH: "nothing answers at this base URL",
    FaultKind.WRONG_PROTOCOL: "the server speaks something else",
    FaultKind.REDIRECT: "a redirect; never followed",
    FaultKind.BLOCKED_PAGE: "403 with an HTML page: a firewall, not the provider",
    FaultKind.HTML_PAGE: "200 with an HTML page: a login page, not an answer",
    FaultKind.REQUEST_TIMEOUT: "408",
    FaultKind.CONFLICT: "409",
    FaultKind.MISDIRECTED: "421, 425 or 426",
    FaultKind.SERVER_ERROR: "500 and unknown errors",
    FaultKind.BAD_GATEWAY: "502, and what a CDN says in its place",
    FaultKind.GATEWAY_TIMEOUT: "504",
    FaultKind.UNAVAILABLE: "503",
    FaultKind.OVERLOADED: "529, overloaded for everybody",
    FaultKind.LOADING: "the model is being loaded; waited for at a local server only",
    FaultKind.OUT_OF_MEMORY: "a local server ran out of memory",
    FaultKind.EMPTY_BODY: "200 and nothing in it",
    FaultKind.EMPTY_ANSWER: "a complete answer that says nothing",
    FaultKind.MALFORMED: "200 and no completion in it",
    FaultKind.OVERSIZE: "an answer above the limit",
    FaultKind.BAD_HTTP: "bytes that are not HTTP",
    FaultKind.CONNECT: "refused, unreachable, or no connection in time",
    FaultKind.DNS: "the name cannot be looked up",
    FaultKind.TLS: "no trusted connection; never tried without trust",
    FaultKind.PROXY: "the proxy does not let the request through",
    FaultKind.STALE: "a kept connection that had been closed",
    FaultKind.RESET: "the connection ended before the answer",
    FaultKind.CUT: "the connection ended inside the answer",
    FaultKind.FIRST_EVENT: "no first event in time",
    FaultKind.OPENING: "events, but no content in time",
    FaultKind.STALL: "silence after content",
    FaultKind.ANSWER: "no whole answer in time; the next one starts beside it",
    FaultKind.DEADLINE: "the request's own deadline",
    FaultKind.NO_CREDENTIAL: "the key cannot be had; nothing is sent",
    FaultKind.QUEUE_FULL: "no free slot in time; nothing is sent",
    FaultKind.LOCAL_RESOURCE: "this machine ran out of something",
    FaultKind.EMBEDDED_DOWN: "the embedded model cannot be started",
    FaultKind.SUPERSEDED: "another answer came first",
}

SPOKEN = {
    Next.SAME: "the same again",
    Next.PROFILE: "its next key",
    Next.MODEL: "the next model",
    Next.CLIENT: "the client is told",
}
HELD = {
    Scope.NONE: "",
    Scope.ENDPOINT: "the provider",
    Scope.ENDPOINT_MODEL: "the model",
    Scope.PROFILE: "the key",
    Scope.PROFILE_MODEL: "the key and model",
}

INTRO = """\
# Faults

What everup does when an attempt fails. A client sees none of it as long as some candidate can answer: the trail
(`x-everup-trail`) tells what was tried, `everup status` what is cooling down. Only what a provider or the way to it
did can move a request on; an error of everup's own never does, never costs a second call, and starts no cooldown.

- **Then**: where the request goes, in order; whoever is not ready is passed over by name.
- **Cooldown**: what is left alone, and for how long. A range doubles with each cooldown in a row, with chance in it.
  A provider's own `Retry-After` is kept exactly, from 1 s to a day.
- **Alone**: the client's status if nothing else went wrong either.
- **Billed**: whether the provider may charge for an attempt that ended so. The trail says so each time.
"""

RULINGS: tuple[tuple[str, str], ...] = (
    (
        "What was shown stays",
        (
            "Until the first content nothing of an attempt reaches the client, not even a head, so a failure costs it "
            "nothing. A cut after content ends in an error event of the client's own wire and a broken connection; it "
            "never looks complete, and nobody else is asked."
        ),
    ),
    (
        "Clocks",
        (
            f"A provider has {LIMITS.first_event_s:g} s for its first event and 1 s more for each "
            f"{LIMITS.first_event_tokens_per_s:g} prompt tokens ({LIMITS.first_event_reasoning_s:g} s with reasoning, "
            f"{LIMITS.first_event_local_s:g} s for local servers), then {LIMITS.opening_s:g} s to its first content, "
            f"{LIMITS.opening_quiet_s:g} s of them without a byte. It is left only while another candidate "
            "could begin at "
            f"once; else only the request's deadline counts ({LIMITS.deadline_s:g} s, or what the client says). After "
            f"content, {LIMITS.stall_pings_s:g} s without anything but pings are a cut. A whole answer has "
            f"{LIMITS.answer_s:g} s and 1 s more for each {LIMITS.answer_tokens_per_s:g} tokens it may have; "
            "then the next "
            "candidate starts beside it, and the first complete answer wins. Twice the slow end of what was observed "
            "widens a clock."
        ),
    ),
    (
        "Patience",
        (
            "Another key of the same model is tried at once. Before the route's first model is left, a "
            "`Retry-After` of "
            f"up to {LIMITS.patience_s:g} s is waited for."
        ),
    ),
    (
        "What may have been billed",
        (
            "Everybody else goes first; when nobody is left, it is sent once more, on a new connection. A "
            "kept connection "
            "that ends within a second and without a byte was closed before: that costs nothing and is "
            "repeated on a new "
            "one."
        ),
    ),
    (
        "When all fail",
        (
            "429 if all are rate limits; the provider's own 400, 413 or 422 if it refused the request, or "
            "if all did; 404 "
            "only for a model asked for by its name; 504 if the deadline ended it; else 503. A provider's "
            "401, 402 or 403 "
            "is never the client's status: it would say that its key is wrong. `x-should-retry` is `false`, "
            "except where "
            "nothing was sent and recovery is at most a minute away."
        ),
    ),
    (
        "Cooldowns only order",
        (
            "If everybody is cooling down, the soonest is waited for when that is within "
            f"{LIMITS.cooldown_wait_s:g} s, "
            "else the least bad is tried. An unpaid account or a refused key is tried too when nothing else "
            "is left, once "
            f"in {LIMITS.blocked_probe_every_s:g} s for all requests together. Only when every provider itself names a "
            "time beyond the deadline is nothing sent: 429. Failures of requests that were under way together are one "
            "cooldown."
        ),
    ),
    (
        "Back soon",
        (
            f"What is cheap to test again is left alone for at most {LIMITS.cheap_cooldown_max_s:g} s. Then "
            "one request "
            "tries it; meanwhile others use who is ready, and those who have nobody wait for the outcome, "
            "but not longer "
            f"than {LIMITS.probe_wait_s:g} s. Its first content makes it everybody's again."
        ),
    ),
    (
        "The one repair",
        (
            "A provider that refuses reasoning parts of another one is asked once more without them, if that changes "
            "anything. Who made which signature is remembered by its hash, so that the next request is clean at once. "
            "Nothing else of a request is ever changed, and no error text enters one."
        ),
    ),
    (
        "A broken event",
        ("In a stream that goes on it is left out and counted. Inside a tool call or structured output it is a cut."),
    ),
)


def render_page() -> str:
    """Return the whole page."""
    parts = [INTRO]
    starts = {first: title for title, first in GROUPS}
    for kind in FaultKind:
        if kind in starts:
            parts.append(
                f"\n## {starts[kind]}\n\n| fault | is | then | cooldown | alone | billed |\n" + 6 * "| --- " + "|\n"
            )
        parts.append(row_of(kind, RULES[kind]))
    parts.append("\n# The rules behind it\n")
    parts += [f"\n{n}. **{title}.** {text}\n" for n, (title, text) in enumerate(RULINGS, start=1)]
    return "".join(parts)


def row_of(kind: FaultKind, rule: Rule) -> str:
    """Return one kind's line of its table."""
    billed = "maybe" if rule.possibly_billed else "no"
    cells = (f"`{kind}`", MEANINGS[kind], then(rule), cooldown(kind, rule), str(rule.client_status), billed)
    return f"| {' | '.join(cells)} |\n"


def then(rule: Rule) -> str:
    """Return where the walk goes, in words."""
    words = []
    for step in rule.path:
        told = SPOKEN[step]
        if step is Next.SAME:
            times = f" up to {rule.same_max} times" if rule.same_max > 1 else ""
            pause = f" after {'up to ' if rule.is_jittered else ''}{rule.wait_s:g} s" if rule.wait_s else ""
            told = f"{told}{times}{pause}"
        words.append(told)
    return ", then ".join(words)


def cooldown(kind: FaultKind, rule: Rule) -> str:
    """Return what is left alone and for how long, in words."""
    backoff = rule.backoff
    if backoff is None:
        return "none"
    first_s, last_s = bounds_s(kind, backoff)
    span = told_s(first_s) if first_s == last_s else f"{told_s(first_s)} to {told_s(last_s)}"
    after = f" with the {ordinal(backoff.after)} in {told_s(backoff.within_s)}" if backoff.after > 1 else ""
    return f"{HELD[rule.scope]}: {span}{after}"


def bounds_s(kind: FaultKind, backoff: Backoff) -> tuple[float, float]:
    """Return the shortest and the longest pause of a kind, as the limits have it."""
    if kind is FaultKind.BILLING:
        return LIMITS.billing_cooldown_first_s, LIMITS.billing_cooldown_max_s
    return backoff.first_s, min(backoff.max_s, LIMITS.cheap_cooldown_max_s) if backoff.is_cheap else backoff.max_s


def told_s(seconds: float) -> str:
    """Return seconds in the unit a person would use."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def ordinal(n: int) -> str:
    """Return a small number as a place."""
    return {2: "second", 3: "third"}.get(n, f"{n}th")
