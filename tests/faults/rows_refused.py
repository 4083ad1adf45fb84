"""Rows in which the provider says no with a status of its own: FAULTS section 5, 1 to 29 and 57, ruling 8."""

from __future__ import annotations

from everup.testing import scripts as s
from tests.faults.dialects import Complaint, once, refused
from tests.faults.shape import FOREIGN, SAYS, Row, failed, moved, served

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + SAYS.encode() + b"</body></html>"
THINKING = [
    {"role": "user", "content": "Say hello to row one."},
    {
        "role": "assistant",
        "content": "Hello.",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": FOREIGN, "id": "rs_foreign", "index": 0}],
    },
    {"role": "user", "content": "Again."},
]


GEMINI = Complaint(
    None,
    429,
    "You exceeded your current quota, please check your plan and billing. Quota exceeded for metric: "
    f"free_tier_requests, limit: 20, model: m. Please retry in 10h17m3.5s. {SAYS}",
    {"status": "RESOURCE_EXHAUSTED"},
)


def page(status: int) -> s.Script:
    """Return a refusal that is a web page."""
    return s.body(status, HTML, "text/html; charset=utf-8")


ROWS: tuple[Row, ...] = (
    Row(
        id="5.1",
        about="400 schema",
        first=refused(400, "invalid_request_error", None, f"Invalid schema for function 'f': {SAYS}"),
        pair=failed(400, "bad_request 400"),
        alone=failed(400, "bad_request 400"),
    ),
    Row(
        id="5.2",
        about="400 that means billing",
        first=refused(400, "invalid_request_error", None, f"Your credit balance is too low to access the API. {SAYS}"),
        pair=moved("billing 400"),
        alone=failed(503, "billing 400"),
    ),
    Row(
        id="5.3",
        about="context overflow by code",
        first=refused(400, "invalid_request_error", "context_length_exceeded", f"This model's maximum context {SAYS}"),
        pair=moved("context_overflow 400"),
        alone=failed(400, "context_overflow 400"),
    ),
    Row(
        id="5.3b",
        about="context overflow by words",
        first=refused(400, "invalid_request_error", None, f"prompt is too long: 9031 tokens > 4096 maximum {SAYS}"),
        pair=moved("context_overflow 400"),
        alone=failed(400, "context_overflow 400"),
    ),
    Row(
        id="5.4",
        about="401",
        first=refused(401, "invalid_request_error", "invalid_api_key", f"Incorrect API key provided: {SAYS}"),
        pair=moved("auth 401"),
        alone=failed(503, "auth 401"),
    ),
    Row(
        id="5.5",
        about="402",
        first=refused(402, "billing_error", None, f"Insufficient balance {SAYS}"),
        pair=moved("billing 402"),
        alone=failed(503, "billing 402"),
    ),
    Row(
        id="5.6",
        about="403 permission",
        first=refused(403, "permission_error", "model_not_allowed", f"Your project has no access to the model {SAYS}"),
        pair=moved("permission 403"),
        alone=failed(503, "permission 403"),
    ),
    Row(
        id="5.7",
        about="403 page of a firewall",
        first=page(403),
        pair=moved("blocked_page 403"),
        alone=failed(503, "blocked_page 403"),
    ),
    Row(
        id="5.8",
        about="404 unknown model",
        first=refused(404, "invalid_request_error", "model_not_found", f"The model `m` does not exist {SAYS}"),
        pair=moved("model_not_found 404"),
        alone=failed(503, "model_not_found 404"),
    ),
    Row(
        id="5.9",
        about="404 wrong path",
        first=s.body(404, b'{"detail":"Not Found"}'),
        pair=moved("wrong_path 404"),
        alone=failed(503, "wrong_path 404"),
    ),
    *(
        Row(
            id=f"5.10.{status}",
            about=f"{status} wrong protocol",
            first=refused(status, None, None, SAYS),
            pair=moved(f"wrong_protocol {status}"),
            alone=failed(503, f"wrong_protocol {status}"),
        )
        for status in (405, 406, 415, 501)
    ),
    Row(
        id="5.11",
        about="408",
        first=refused(408, "timeout", None, SAYS),
        pair=moved("request_timeout 408"),
        alone=failed(503, "request_timeout 408", "request_timeout 408"),
        billed=True,
    ),
    Row(
        id="5.12",
        about="409 twice",
        first=refused(409, None, None, SAYS),
        pair=moved("conflict 409", "conflict 409"),
        alone=failed(503, "conflict 409", "conflict 409"),
    ),
    Row(
        id="5.12b",
        about="409 once",
        first=once(refused(409, None, None, SAYS)),
        pair=served("conflict 409"),
        alone=served("conflict 409"),
    ),
    Row(
        id="5.13",
        about="413 bytes",
        first=refused(413, "request_too_large", None, f"Request exceeds the maximum size {SAYS}"),
        pair=moved("too_large 413"),
        alone=failed(413, "too_large 413"),
    ),
    Row(
        id="5.14",
        about="422",
        first=refused(422, "invalid_request_error", None, f"messages.0.role: field required {SAYS}"),
        pair=failed(422, "bad_request 422"),
        alone=failed(422, "bad_request 422"),
    ),
    *(
        Row(
            id=f"5.15.{status}",
            about=f"{status} once",
            first=once(refused(status, None, None, SAYS)),
            pair=served(f"misdirected {status}"),
            alone=served(f"misdirected {status}"),
        )
        for status in (421, 425, 426)
    ),
    Row(
        id="5.15b",
        about="421 twice",
        first=refused(421, None, None, SAYS),
        pair=moved("misdirected 421", "misdirected 421"),
        alone=failed(503, "misdirected 421", "misdirected 421"),
    ),
    Row(
        id="5.16",
        about="429 with a long Retry-After",
        first=refused(429, "rate_limit_error", None, SAYS, retry_after="30"),
        pair=moved("rate_limit 429"),
        alone=failed(429, "rate_limit 429"),
    ),
    Row(
        id="5.16b",
        about="429 with a Retry-After within patience",
        first=once(refused(429, "rate_limit_error", None, SAYS, retry_after="1")),
        pair=served("rate_limit 429"),
        alone=served("rate_limit 429"),
    ),
    Row(
        id="5.16c",
        about="429 with a short Retry-After and no patience",
        first=once(refused(429, "rate_limit_error", None, SAYS, retry_after="2")),
        pair=moved("rate_limit 429"),
        alone=served("rate_limit 429"),
        clocks={"patience": 0},
    ),
    Row(
        id="5.17",
        about="429 with a date one second after its own Date",
        first=once(
            refused(
                429,
                "rate_limit_error",
                None,
                SAYS,
                date="Sun, 06 Nov 1994 08:49:36 GMT",
                retry_after="Sun, 06 Nov 1994 08:49:37 GMT",
            ),
        ),
        pair=served("rate_limit 429"),
        alone=served("rate_limit 429"),
    ),
    *(
        Row(
            id=f"5.17{letter}",
            about=f"429 with a useless Retry-After: {hint}",
            first=refused(429, "rate_limit_error", None, SAYS, date="Sun, 06 Nov 1994 08:49:37 GMT", retry_after=hint),
            pair=moved("rate_limit 429"),
            alone=failed(429, "rate_limit 429"),
        )
        for letter, hint in (("b", "Sun, 06 Nov 1994 08:00:00 GMT"), ("c", "soon"), ("d", "-5"), ("e", "NaN"))
    ),
    Row(
        id="5.18",
        about="429 with retry-after-ms",
        first=once(refused(429, "rate_limit_error", None, SAYS, retry_after_ms="300")),
        pair=served("rate_limit 429"),
        alone=served("rate_limit 429"),
    ),
    Row(
        id="5.18b",
        about="429 with a reset of six minutes",
        first=refused(
            429,
            "requests",
            "rate_limit_exceeded",
            SAYS,
            x_ratelimit_remaining_requests="0",
            x_ratelimit_reset_requests="6m0s",
        ),
        pair=moved("rate_limit 429"),
        alone=failed(429, "rate_limit 429"),
    ),
    Row(
        id="5.18c",
        about="429 whose words say when",
        first=lambda d: s.body(429, d.error_json(GEMINI)),
        pair=moved("rate_limit 429"),
        alone=failed(429, "rate_limit 429"),
    ),
    Row(
        id="5.18d",
        about="429 with a quota of none for this model",
        first=refused(
            429, None, 429, f"Quota exceeded for metric: generate_content_free_tier_requests, limit: 0, model: m {SAYS}"
        ),
        pair=moved("permission 429"),
        alone=failed(503, "permission 429"),
    ),
    Row(
        id="5.19",
        about="429 without a hint",
        first=refused(429, "rate_limit_error", "rate_limit_exceeded", SAYS),
        pair=moved("rate_limit 429"),
        alone=failed(429, "rate_limit 429"),
    ),
    *(
        Row(
            id=f"5.20.{code}",
            about=f"429 {code}",
            first=refused(429, code, code, f"You exceeded your current quota {SAYS}", retry_after="1"),
            pair=moved("billing 429"),
            alone=failed(503, "billing 429"),
        )
        for code in ("insufficient_quota", "credit_balance_exhausted", "enforced_spend_limit_reached")
    ),
    Row(
        id="5.21",
        about="429 request too large for the rate",
        first=refused(
            429,
            "tokens",
            "rate_limit_exceeded",
            f"Request too large for m on tokens per min (TPM): Limit 30000, Requested 41000. {SAYS}",
        ),
        pair=moved("rate_too_large 429"),
        alone=failed(429, "rate_too_large 429"),
    ),
    Row(
        id="5.22",
        about="429 concurrency, twice",
        first=refused(429, "rate_limit_error", "concurrency_limit_exceeded", f"Too many concurrent requests. {SAYS}"),
        pair=moved("concurrency 429", "concurrency 429"),
        alone=failed(429, "concurrency 429", "concurrency 429"),
    ),
    Row(
        id="5.22b",
        about="429 concurrency, once",
        first=once(refused(429, None, "concurrency_limit_exceeded", f"Too many concurrent requests. {SAYS}")),
        pair=served("concurrency 429"),
        alone=served("concurrency 429"),
    ),
    Row(
        id="5.28",
        about="redirect",
        first=s.body(307, SAYS.encode(), "text/plain", location="http://127.0.0.1:9/v1/chat/completions"),
        pair=moved("redirect 307"),
        alone=failed(503, "redirect 307"),
    ),
    Row(
        id="5.29",
        about="early heads",
        first=lambda d: d.first.after(s.Send(s.head(100)), s.Send(s.head(103, {"link": "</a>; rel=preload"}))),
        pair=served(),
        alone=served(),
    ),
    Row(
        id="5.36b",
        about="400 content policy",
        first=refused(400, "invalid_request_error", "content_policy_violation", f"Your request was rejected {SAYS}"),
        pair=failed(400, "content_filter 400"),
        alone=failed(400, "content_filter 400"),
    ),
    Row(
        id="5.57",
        about="a local model that was not pulled",
        first=refused(404, "api_error", None, f"model 'm' not found, try pulling it first {SAYS}"),
        pair=moved("model_not_found 404"),
        alone=failed(503, "model_not_found 404"),
        provider={"local": True},
    ),
    Row(
        id="5.57b",
        about="a local model out of memory",
        first=refused(500, "api_error", None, f"CUDA error: out of memory {SAYS}"),
        pair=moved("out_of_memory 500"),
        alone=failed(503, "out_of_memory 500"),
        provider={"local": True},
    ),
    Row(
        id="R8.1a",
        about="400 about somebody else's reasoning, once",
        first=once(
            refused(400, "invalid_request_error", None, f"The encrypted_content of item rs_foreign is invalid {SAYS}"),
        ),
        pair=served("foreign_reasoning 400"),
        alone=served("foreign_reasoning 400"),
        fields={"messages": THINKING},
        is_repaired=True,
    ),
    Row(
        id="R8.1a.b",
        about="400 about somebody else's reasoning, even without it",
        first=refused(
            400, "invalid_request_error", None, f"messages.1: Invalid `signature` in `thinking` block {SAYS}"
        ),
        pair=moved("foreign_reasoning 400", "foreign_reasoning 400"),
        alone=failed(400, "foreign_reasoning 400", "foreign_reasoning 400"),
        fields={"messages": THINKING},
        is_repaired=True,
    ),
    *(
        Row(
            id=f"R8.1b.{n}",
            about=f"400 {message}",
            first=refused(400, "invalid_request_error", code, f"{message} {SAYS}"),
            pair=moved("unsupported 400"),
            alone=failed(400, "unsupported 400"),
        )
        for n, (code, message) in enumerate(
            (
                ("unsupported_parameter", "Unsupported parameter: 'max_tokens'"),
                ("unsupported_value", "Unsupported value: 'temperature'"),
                (None, "This model does not support tools"),
                (None, "Unrecognized argument: reasoning_effort"),
                (None, "thing: Extra inputs are not permitted"),
                (None, "Your organization must be verified to stream this model"),
            )
        )
    ),
)
