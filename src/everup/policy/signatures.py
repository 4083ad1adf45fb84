"""
How refusals are recognised, as tables.

Lives here: error codes, message patterns and statuses, each with the row of FAULTS section 5 it stands for.
Must not: code that walks them (see `classify`). Order matters inside a table: the first match decides.
"""

from __future__ import annotations

import re

from msgspec import Struct

from everup.shapes.fault import FaultKind as K

ANY: frozenset[int] = frozenset()
REFUSED = frozenset({400, 413, 422})
ACCOUNT = frozenset({400, 401, 402, 403, 412, 429})
SERVER = frozenset({498, 500, 502, 503, 529})


class Codes(Struct, frozen=True):
    """
    Error types and codes that mean one kind, whatever the message says.

    Empty statuses mean any.
    """

    row: str
    kind: K
    codes: frozenset[str]
    statuses: frozenset[int] = ANY


class Words(Struct, frozen=True):
    """A message pattern that means one kind, in bodies of these statuses only."""

    row: str
    kind: K
    pattern: re.Pattern[str]
    statuses: frozenset[int] = ANY


def codes(row: str, kind: K, names: str, statuses: frozenset[int] = ANY) -> Codes:
    """Return a row of `EXACT` from names separated by spaces."""
    return Codes(row, kind, frozenset(names.split()), statuses)


def words(row: str, kind: K, statuses: frozenset[int], *patterns: str) -> Words:
    """Return a row of `TEXTS` from alternatives."""
    return Words(row, kind, re.compile("|".join(patterns), re.IGNORECASE), statuses)


EXACT: tuple[Codes, ...] = (
    codes(
        "5.3",
        K.CONTEXT_OVERFLOW,
        "context_length_exceeded exceed_context_size_error model_context_window_exceeded context_window_exceeded",
    ),
    codes(
        "5.1",
        K.BAD_REQUEST,
        "string_above_max_length string_below_min_length array_above_max_length invalid_type"
        " missing_required_parameter invalid_function_parameters",
    ),
    codes(
        "5.20",
        K.BILLING,
        "insufficient_quota credit_balance_exhausted billing_hard_limit_reached enforced_spend_limit_reached"
        " monthly_spend_limit daily_spend_limit organization_spend_limit workspace_spend_limit"
        " project_spend_limit spend_limit_reached spend_limit_exceeded budget_exceeded",
        frozenset({429}),
    ),
    codes(
        "5.2",
        K.BILLING,
        "insufficient_quota credit_balance_exhausted billing_hard_limit_reached enforced_spend_limit_reached"
        " billing_error billing_not_active payment_required insufficient_balance insufficient_credits arrearage"
        " budget_exceeded spend_limit_reached spend_limit_exceeded blocked_api_access",
    ),
    codes(
        "5.4",
        K.AUTH,
        "invalid_api_key authentication_error invalid_authentication_error unauthenticated unauthorized"
        " token_expired expired_api_key api_key_invalid account_deactivated invalid_authentication",
    ),
    codes(
        "5.6",
        K.PERMISSION,
        "permission_error permission_denied unsupported_country_region_territory organization_restricted"
        " ip_not_authorized access_denied",
    ),
    codes(
        "5.8",
        K.MODEL_NOT_FOUND,
        "model_not_found model_not_available model_decommissioned deploymentnotfound deployment_not_found"
        " invalid_model model_not_exist model_not_found_error",
    ),
    codes(
        "5.36",
        K.CONTENT_FILTER,
        "content_filter content_policy_violation responsibleaipolicyviolation moderation_blocked"
        " data_inspection_failed sensitive_words_detected",
    ),
    codes("R8.1a", K.FOREIGN_REASONING, "invalid_encrypted_content invalid_thinking_signature", REFUSED),
    codes("R8.1b", K.UNSUPPORTED, "unsupported_parameter unsupported_value unsupported_model tool_use_failed"),
    codes("5.26", K.OVERLOADED, "overloaded_error overloaded engine_overloaded_error engine_overloaded"),
    codes("5.13", K.TOO_LARGE, "request_too_large"),
    codes("5.22", K.CONCURRENCY, "concurrency_limit_exceeded too_many_concurrent_requests concurrent_limit_exceeded"),
)
"""Specific codes, read before the status."""

OVERFLOW = (
    r"maximum (?:context|prompt) length is \d",
    r"maximum context length of \d+",
    r"input tokens exceed the configured limit",
    r"prompt is too long: \d+ tokens? > \d+|^prompt is too long\.?\s*$",
    r"input length and `?max_tokens`? exceed context limit",
    r"exceeds the maximum number of tokens allowed",
    r"input is too long for requested model",
    r"exceeds? the (?:available )?context (?:size|window|length)",
    r"current length is \d+ while limit is \d+",
    r"`inputs` tokens \+ `max_new_tokens` must be",
    r"(?:is )?longer than the model'?s context length",
    r"maximum input length is (?:about )?[\d,]+ tokens",
    r"too large for model with \d+ maximum context length",
    r"tokens to keep from the initial prompt is greater than the context length",
    r"context the overflows",
    r"input token count \(?\d+\)? exceeds",
    r"prompt is too long: \d+, model maximum context length",
    r"prompt too long; exceeded (?:max )?context length",
    r"longer than the maximum model length of \d",
    r"too long to fit into the model \(context length",
    r"cannot truncate prompt with n_keep",
)
"""FAULTS 5.1: the prompt does not fit the model's window."""

TEXTS: tuple[Words, ...] = (
    words(
        "5.21",
        K.RATE_TOO_LARGE,
        frozenset({400, 413, 429}),
        r"request too large for .{0,300}(?:\bTPM\b|tokens per (?:min|day))",
        r"\brequest too large\b.{0,40}\bTPM\b",
    ),
    words("5.18", K.PERMISSION, frozenset({429}), r"\blimit: 0(?![\d.])"),
    words("5.19", K.RATE_LIMIT, frozenset({429}), r"quota exceeded for (?:quota )?metric"),
    words("5.57", K.OUT_OF_MEMORY, frozenset({500}), r"no slots? available|slot .{0,20}(?:busy|unavailable)"),
    words("5.3", K.CONTEXT_OVERFLOW, frozenset({400, 413, 422, 500}), *OVERFLOW),
    words("5.13", K.TOO_LARGE, REFUSED, r"image exceeds [\d.]+ [kmg]b maximum|image dimensions exceed max"),
    words(
        "5.2",
        K.BILLING,
        ACCOUNT,
        r"credit balance is too low",
        r"insufficient (?:account )?(?:balance|credits?|funds|quota)",
        r"exceeded your current quota",
        r"billing hard limit|hard billing limit",
        r"spend(?:ing)? (?:limit|cap)",
        r"budget (?:limit|has been exceeded|was exceeded|exceeded|exhausted)",
        r"(?:over|exceed\w*|reached) (?:\w+ ){0,3}budget",
        r"payment (?:is )?required|payment method|unpaid|overdue|in arrears",
        r"(?:requires?|need) more credits|not enough credits|out of credits|no credits (?:left|remaining)",
        r"credits? (?:have |has )?(?:been |are )?(?:exhausted|used up|depleted)|add (?:more )?credits|purchase credits",
        r"billing (?:is |has )?(?:not (?:been )?)(?:active|enabled)|enable billing|check your (?:plan and )?billing",
        r"(?:specified|reached your) (?:(?:api|workspace) ){1,2}usage limits",
        r"key limit exceeded",
        r"account (?:\S+ ){0,3}suspended.{0,200}(?:billing|payment|invoice|spend|balance|credit)",
    ),
    words(
        "5.4",
        K.AUTH,
        frozenset({400, 401, 403}),
        r"api[ _-]?key (?:is )?(?:not valid|invalid|expired|not found|missing)",
        r"(?:invalid|incorrect|expired|missing|no) api[ _-]?key",
    ),
    words(
        "5.6",
        K.PERMISSION,
        frozenset({400, 401, 403, 412, 451}),
        r"account (?:\S+ ){0,3}(?:suspended|disabled|deactivated|blocked)",
        r"location is not supported|not (?:available|supported) in your (?:country|region|location)",
        r"organization has been (?:restricted|disabled)",
    ),
    words(
        "R8.1a",
        K.FOREIGN_REASONING,
        frozenset({400, 404, 422}),
        r"thinking`? (?:or `?redacted_thinking`? )?blocks?\b",
        r"(?:invalid|missing|unknown|bad|unverifiable)\b.{0,30}\b(?:thought[_ ]?)?signature\b",
        r"\bsignature`?\b.{0,60}\bthinking\b|\bthinking\b.{0,30}\bsignature\b",
        r"thought_?signature|thought signature",
        r"encrypted[_ ]content",
        r"redacted_thinking",
        r"\b(?:rs|msg)_[a-z0-9]{4,}",
        r"reasoning_(?:content|details)|thinking_blocks|messages?[.\[]\d.{0,60}\breasoning\b",
    ),
    words(
        "5.8",
        K.MODEL_NOT_FOUND,
        frozenset({400, 403, 404, 422, 500}),
        r"not a valid model(?: id)?\b|\binvalid model(?: name| id)?\b|unknown model|no such model",
        r"model\b.{0,200}(?:does not exist|doesn't exist|not exist|not found|has been (?:decommissioned|deprecated))",
        r"model\b.{0,120}(?:is|was) (?:not available|no longer available|unavailable|retired)",
        r"no endpoints found for|does not have access to model|no healthy deployments",
    ),
    words(
        "5.36",
        K.CONTENT_FILTER,
        frozenset({400, 403, 422}),
        r"content (?:management )?polic|content[ _-]?filter|(?:our|the) safety system|inappropriate content",
        r"content exists risk|violat\w+ (?:\S+ ){0,4}(?:usage|safety|content) (?:polic|guideline)",
        r"(?:flagged|blocked) (?:\S+ ){0,3}(?:as|by|for) (?:\S+ ){0,3}(?:moderation|safety|policy|violat)",
        r"requires moderation|prohibited_content",
    ),
    words(
        "R8.1b",
        K.UNSUPPORTED,
        frozenset({400, 404, 422}),
        r"unsupported (?:parameter|value)|(?:does|do) not support\b|doesn't support|is not supported|are not supported",
        r"unrecognized (?:request )?arguments?|extra inputs are not permitted|extra_forbidden",
        r"unknown (?:parameter|field)",
        r"must be verified to|only supported (?:by|for|with|in)|unexpected keyword|unknown variant `|unknown name ",
        r"no endpoints found (?:that|which) support|not a multimodal model|tool choice requires|requires? --\w",
        # Anthropic's words for what a newer or older model, or its schemas, do not take.
        r"is not compatible with|cannot both be specified|is deprecated for this model|may only be set to \d",
        r"may not be enabled when|must be explicitly set to false|compiled grammar is too large",
        r"property '[^']{1,80}' is unsupported|response_format\b.{0,40}\bunavailable",
    ),
    words(
        "R8.1b",
        K.UNSUPPORTED,
        frozenset({500, 501}),
        r"(?:image|audio|video) input is not supported|tools? param requires|requires? --jinja",
        r"does not support (?:image|tool|audio|vision)|missing data required for image input",
    ),
    words(
        "5.57",
        K.OUT_OF_MEMORY,
        frozenset({500, 503}),
        r"out of memory|cudamalloc|requires more system memory|failed to allocate|\bOOM\b|no slots? available",
        r"slot .{0,20}(?:busy|unavailable)|outofmemory|unable to allocate|has terminated: signal: killed",
    ),
    words(
        "5.25",
        K.LOADING,
        frozenset({500, 503}),
        r"(?<!error )loading (?:the )?model|warming up",
        r"model (?:\S+ ){0,2}(?:is )?(?:currently |still |being )*load(?:ing|ed)",
    ),
    words(
        "5.26",
        K.OVERLOADED,
        SERVER,
        r"overloaded|(?:at|over|exceeded|no) capacity|slow down|maximum pending requests exceeded",
    ),
    words(
        "5.22",
        K.CONCURRENCY,
        frozenset({429, 503}),
        r"concurren(?:t|cy)|simultaneous|parallel requests|too many (?:open|active|in-flight) requests",
    ),
)
"""Message patterns, read last and only in bodies of error statuses."""

STATUS_OF: dict[str, int] = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "badrequesterror": 400,
    "bad_request": 400,
    "invalid_argument": 400,
    "invalid_prompt": 400,
    "failed_precondition": 400,
    "not_found_error": 404,
    "notfounderror": 404,
    "not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limited": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "ratelimiterror": 429,
    "requests": 429,
    "tokens": 429,
    "throttling": 429,
    "throttlingexception": 429,
    "conflict_error": 409,
    "request_timeout": 408,
    "timeout_error": 504,
    "timeout": 504,
    "deadline_exceeded": 504,
    "unavailable": 503,
    "unavailable_error": 503,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "api_error": 500,
    "server_error": 500,
    "internal": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "internalservererror": 500,
}
"""General types and codes: the status they stand for where there is none, or where the status says less."""

STATUSES: dict[int, tuple[str, K]] = {
    400: ("5.1", K.BAD_REQUEST),
    401: ("5.4", K.AUTH),
    402: ("5.5", K.BILLING),
    403: ("5.6", K.PERMISSION),
    404: ("5.9", K.WRONG_PATH),
    405: ("5.10", K.WRONG_PROTOCOL),
    406: ("5.10", K.WRONG_PROTOCOL),
    407: ("4.4/85", K.PROXY),
    408: ("5.11", K.REQUEST_TIMEOUT),
    409: ("5.12", K.CONFLICT),
    410: ("5.8", K.MODEL_NOT_FOUND),
    412: ("5.6", K.PERMISSION),
    413: ("5.13", K.TOO_LARGE),
    415: ("5.10", K.WRONG_PROTOCOL),
    421: ("5.15", K.MISDIRECTED),
    422: ("5.14", K.BAD_REQUEST),
    424: ("5.23", K.SERVER_ERROR),
    425: ("5.15", K.MISDIRECTED),
    426: ("5.15", K.MISDIRECTED),
    429: ("5.19", K.RATE_LIMIT),
    451: ("5.6", K.PERMISSION),
    498: ("5.26", K.OVERLOADED),
    499: ("5.23", K.SERVER_ERROR),
    500: ("5.23", K.SERVER_ERROR),
    501: ("5.10", K.WRONG_PROTOCOL),
    502: ("5.24", K.BAD_GATEWAY),
    503: ("5.25", K.UNAVAILABLE),
    504: ("5.24", K.GATEWAY_TIMEOUT),
    524: ("5.27", K.GATEWAY_TIMEOUT),
    529: ("5.26", K.OVERLOADED),
    530: ("5.27", K.BAD_GATEWAY),
    **dict.fromkeys((520, 521, 522, 523, 525, 526, 527), ("5.27", K.BAD_GATEWAY)),
}
"""What a status means by itself."""

PAGES: dict[int, tuple[str, K]] = {
    **dict.fromkeys((400, 401, 402, 403, 451), ("5.7", K.BLOCKED_PAGE)),
}
"""What a status means when an HTML page came with it: a portal or a firewall spoke, not the provider."""

MODEL_WORDS = re.compile(r"\bmodels?\b(?! ?list)|\bdeployment\b|\bno endpoints found\b", re.IGNORECASE)
"""A 404 that speaks of a model is about the model; any other is about the address."""

OVERFLOW_PARAMS = ("", "messages", "prompt", "input", "contents", "max_tokens", "max_completion_tokens")
"""Fields an overflow may be blamed on; the same words about another field quote something."""
