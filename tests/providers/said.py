"""
What each known provider says when a prompt is too long, and when an account has no credit.

Lives here: data for `test_said`, bodies as they are reported publicly, shortened; empty where only the status is
known. Must not: tests.
"""

from __future__ import annotations

import json

from everup.shapes.fault import FaultKind

K = FaultKind
Said = tuple[str, FaultKind, int, object]
"""Provider, what it must mean, status, body."""


def openai(message: str, kind: str | None = "invalid_request_error", code: object = None) -> dict[str, object]:
    """Return an error in OpenAI's envelope."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(message: str, kind: str = "invalid_request_error") -> dict[str, object]:
    """Return an error in Anthropic's envelope."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def google(status: int, name: str, message: str) -> list[object]:
    """Return an error as Google's OpenAI-compatible endpoint sends it: in a list."""
    return [{"error": {"code": status, "message": message, "status": name}}]


SAID: tuple[Said, ...] = (
    ("anthropic", K.CONTEXT_OVERFLOW, 400, anthropic("prompt is too long: 209031 tokens > 200000 maximum")),
    (
        "anthropic",
        K.CONTEXT_OVERFLOW,
        400,
        anthropic(
            "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000, decrease input length or "
            "`max_tokens` and try again"
        ),
    ),
    ("anthropic", K.BILLING, 400, anthropic("Your credit balance is too low to access the Anthropic API.")),
    ("anthropic", K.BILLING, 402, anthropic("Your account has a billing issue.", "billing_error")),
    ("anthropic", K.BILLING, 400, anthropic("You have reached your specified API usage limits.")),
    (
        "openai",
        K.CONTEXT_OVERFLOW,
        400,
        openai("Your input exceeds the context window of this model.", code="context_length_exceeded"),
    ),
    ("openai", K.CONTEXT_OVERFLOW, 400, openai("Input tokens exceed the configured limit of 272000 tokens.")),
    ("openai", K.BILLING, 429, openai("You exceeded your current quota.", "insufficient_quota", "insufficient_quota")),
    ("openai", K.BILLING, 429, openai("Your account is not active.", "billing_not_active", "billing_not_active")),
    ("openai", K.BILLING, 429, openai("Spend limit.", "x", "project_spend_limit_exceeded")),
    (
        "openrouter",
        K.CONTEXT_OVERFLOW,
        400,
        openai(
            "This endpoint's maximum context length is 131072 tokens. However, you requested about 132463 tokens.",
            code=400,
        ),
    ),
    (
        "openrouter",
        K.BILLING,
        402,
        openai("This request requires more credits, or fewer max_tokens. You can only afford 222.", code=402),
    ),
    ("openrouter", K.BILLING, 403, openai("Key limit exceeded (total limit).", code=403)),
    (
        "groq",
        K.CONTEXT_OVERFLOW,
        400,
        openai("Please reduce the length of the messages or completion.", code="context_length_exceeded"),
    ),
    ("groq", K.BILLING, 400, openai("API access is blocked.", code="blocked_api_access")),
    (
        "mistral",
        K.CONTEXT_OVERFLOW,
        400,
        {
            "object": "error",
            "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum "
            "context length",
            "type": "invalid_request_prompt",
            "code": "3051",
        },
    ),
    ("mistral", K.BILLING, 402, {}),
    (
        "deepseek",
        K.CONTEXT_OVERFLOW,
        400,
        openai("This model's maximum context length is 131072 tokens. However, you requested 139162 tokens."),
    ),
    ("deepseek", K.BILLING, 402, openai("Insufficient Balance", "unknown_error", "invalid_request_error")),
    (
        "deepseek",
        K.UNSUPPORTED,
        400,
        openai("This response_format type is unavailable now", code="invalid_request_error"),
    ),
    (
        "google",
        K.CONTEXT_OVERFLOW,
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        ),
    ),
    ("google", K.BILLING, 429, google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.")),
    (
        "xai",
        K.CONTEXT_OVERFLOW,
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        },
    ),
    *(
        (
            "xai",
            K.BILLING,
            status,
            {
                "code": "The caller does not have permission to execute the specified operation",
                "error": "Your team 1 has either used all available credits or reached its monthly spending limit. To "
                "continue making API requests, please purchase more credits or raise your spending limit.",
            },
        )
        for status in (403, 429)
    ),
    ("xai", K.BILLING, 403, {"code": "personal-team-blocked:spending-limit", "error": "You have run out of credits."}),
    (
        "together",
        K.CONTEXT_OVERFLOW,
        422,
        openai("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000"),
    ),
    (
        "together",
        K.CONTEXT_OVERFLOW,
        400,
        openai("The input (265330 tokens) is longer than the model's context length (262144 tokens)."),
    ),
    (
        "together",
        K.BILLING,
        402,
        openai("Credit limit exceeded. Please navigate to your billing page.", "credit_limit"),
    ),
    (
        "fireworks",
        K.CONTEXT_OVERFLOW,
        400,
        openai("The prompt is too long: 221782, model maximum context length: 202752"),
    ),
    (
        "fireworks",
        K.BILLING,
        412,
        openai(
            "Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past "
            "invoices.",
            "error",
            "PRECONDITION_FAILED",
        ),
    ),
    (
        "cerebras",
        K.CONTEXT_OVERFLOW,
        400,
        {
            "message": "Please reduce the length of the messages or completion. Current length is 42328 while limit is "
            "40000",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
    ),
    ("cerebras", K.BILLING, 402, {}),
    (
        "azure",
        K.CONTEXT_OVERFLOW,
        400,
        openai("This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
    ),
    ("azure", K.BILLING, 429, openai("You exceeded your current quota.", "insufficient_quota", "insufficient_quota")),
    ("ollama", K.CONTEXT_OVERFLOW, 400, {"error": "prompt too long; exceeded max context length by 17 tokens"}),
    ("ollama", K.CONTEXT_OVERFLOW, 400, {"error": "the input length exceeds the context length"}),
    ("ollama", K.BILLING, 402, {"error": "this model requires a subscription or usage credits"}),
    (
        "lmstudio",
        K.CONTEXT_OVERFLOW,
        400,
        {
            "error": "Trying to keep the first 10136 tokens when context the overflows. However, the model is loaded "
            "with context length of only 7866 tokens, which is not enough."
        },
    ),
    ("lmstudio", K.CONTEXT_OVERFLOW, 400, {"error": "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)"}),
    (
        "llamacpp",
        K.CONTEXT_OVERFLOW,
        400,
        openai(
            "request (4476 tokens) exceeds the available context size (4096 tokens)", "exceed_context_size_error", 400
        ),
    ),
    (
        "vllm",
        K.CONTEXT_OVERFLOW,
        400,
        openai(
            "'max_tokens' or 'max_completion_tokens' is too large: 2000. This model's maximum context length is 4096 "
            "tokens and your request has 2104 input tokens",
            "BadRequestError",
            400,
        ),
    ),
    (
        "vllm",
        K.CONTEXT_OVERFLOW,
        400,
        openai("The decoder prompt (length 25938) is longer than the maximum model length of 4096.", "x", 400),
    ),
    (
        "vllm",
        K.CONTEXT_OVERFLOW,
        400,
        openai("The prompt (total length 25938) is too long to fit into the model (context length 4096).", "x", 400),
    ),
)


def body_of(said: object) -> bytes:
    """Return the bytes of a body."""
    return json.dumps(said).encode()
