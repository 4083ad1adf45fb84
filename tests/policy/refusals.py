"""
Refusals as providers write them, each with the row of FAULTS section 5 it stands for.

Lives here: data for `test_classify`. Must not: tests.
"""

from __future__ import annotations

import json

from msgspec import Struct

from everup.shapes.fault import FaultKind

K = FaultKind
HTML = b"<!doctype html><html><body>Sign in to the hotel's network</body></html>"


class Case(Struct, frozen=True):
    """A refusal and what it must mean."""

    row: str
    kind: FaultKind
    status: int
    body: bytes
    headers: dict[str, str] = {}
    is_local: bool = False


def err(message: str = "", kind: str | None = None, code: object = None, **fields: object) -> bytes:
    """Return an OpenAI error body."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **fields}}).encode()


def case(row: str, kind: FaultKind, status: int, body: bytes = b"", *, is_local: bool = False, **headers: str) -> Case:
    """Return a case."""
    return Case(row, kind, status, body, headers, is_local)


def ollama(row: str, kind: FaultKind, status: int, text: str) -> Case:
    """Return a case of a local Ollama server, whose error is one text."""
    return Case(row, kind, status, json.dumps({"error": text}).encode(), is_local=True)


OLLAMA = (
    ollama("5.57", K.MODEL_NOT_FOUND, 404, 'model "qwen3:8b" not found, try pulling it first'),
    ollama("5.57", K.MODEL_NOT_FOUND, 404, "model 'qwen3:8b' not found"),
    ollama("5.57", K.OUT_OF_MEMORY, 500, "model requires more system memory (9.1 GiB) than is available (7.2 GiB)"),
    ollama("5.57", K.OUT_OF_MEMORY, 500, "llama runner process has terminated: cudaMalloc failed: out of memory"),
    ollama("5.57", K.OUT_OF_MEMORY, 500, "llama runner process has terminated: signal: killed"),
    ollama("5.57", K.OUT_OF_MEMORY, 500, "llama runner process has terminated: unable to allocate CUDA0 buffer"),
    ollama("5.57", K.OUT_OF_MEMORY, 500, "kIOGPUCommandBufferCallbackErrorOutOfMemory"),
    ollama("5.23", K.SERVER_ERROR, 500, "llama runner process has terminated: exit status 2"),
    ollama("5.23", K.SERVER_ERROR, 500, "llama runner process has terminated: error loading model: unknown"),
    ollama("5.23", K.SERVER_ERROR, 500, "error parsing tool call: raw='{', err=unexpected end of JSON input"),
    ollama("5.25", K.LOADING, 500, "unexpected server status: llm server loading model"),
    ollama("5.26", K.OVERLOADED, 503, "server busy, please try again.  maximum pending requests exceeded"),
    ollama("5.3", K.CONTEXT_OVERFLOW, 400, "the input length exceeds the context length"),
    ollama("5.3", K.CONTEXT_OVERFLOW, 500, "the input length exceeds the context length"),
    ollama("R8.1b", K.UNSUPPORTED, 400, "registry.ollama.ai/library/gemma:2b does not support tools"),
    ollama("R8.1b", K.UNSUPPORTED, 400, '"gemma:2b" does not support thinking'),
    ollama("R8.1b", K.UNSUPPORTED, 400, 'think value "high" is not supported for this model'),
    ollama("R8.1b", K.UNSUPPORTED, 500, "this model is missing data required for image input"),
    ollama("5.4", K.AUTH, 401, "unauthorized"),
    ollama("5.6", K.PERMISSION, 403, "this model requires a subscription, upgrade for access"),
)
INVALID = "invalid_request_error"
CASES = (
    case("5.1", K.BAD_REQUEST, 400, err("Invalid type for 'messages[0].content'", INVALID, "invalid_type")),
    case("5.1", K.BAD_REQUEST, 400, err("messages.2: tool_call_id not found in earlier tool_calls", INVALID)),
    case("5.1", K.BAD_REQUEST, 400, err("`max_tokens` must be greater than `thinking.budget_tokens`", INVALID)),
    case("5.2", K.BILLING, 400, err("Your credit balance is too low to access the Anthropic API.", INVALID)),
    case(
        "5.2", K.BILLING, 400, err("You have reached your specified API usage limits. You will regain access", INVALID)
    ),
    case("5.2", K.BILLING, 401, err("Insufficient balance", "x")),
    case("5.2", K.BILLING, 403, err("Budget limit for this key reached: $10.00", "forbidden")),
    case("5.2", K.BILLING, 403, err("Key limit exceeded (total limit). Manage it using your settings", code=403)),
    case("5.2", K.BILLING, 412, err("Account x is suspended, possibly due to reaching the monthly spending limit")),
    case("5.6", K.PERMISSION, 412, err("Account acme is suspended")),
    case("5.3", K.CONTEXT_OVERFLOW, 400, err("too long", INVALID, "context_length_exceeded")),
    case("5.3", K.CONTEXT_OVERFLOW, 413, err("too long", "x", "context_length_exceeded")),
    case("5.4", K.AUTH, 401, err("Incorrect API key provided", INVALID, "invalid_api_key")),
    case("5.4", K.AUTH, 401, b"nope"),
    case(
        "5.4", K.AUTH, 400, err("API key not valid. Please pass a valid API key.", code=400, status="INVALID_ARGUMENT")
    ),
    case("5.5", K.BILLING, 402, err("Payment")),
    case("5.6", K.PERMISSION, 403, err("You do not have permission", "permission_error")),
    case(
        "5.6",
        K.PERMISSION,
        403,
        err("Country, region, or territory not supported", "x", "unsupported_country_region_territory"),
    ),
    case(
        "5.6",
        K.PERMISSION,
        400,
        err("User location is not supported for the API use.", code=400, status="FAILED_PRECONDITION"),
    ),
    case("5.7", K.BLOCKED_PAGE, 403, HTML),
    case("5.7", K.BLOCKED_PAGE, 401, b"\n " + HTML),
    case("5.8", K.MODEL_NOT_FOUND, 404, err("The model `x` does not exist", INVALID, "model_not_found")),
    case("5.8", K.MODEL_NOT_FOUND, 403, err("Project p does not have access to model x", INVALID, "model_not_found")),
    case("5.8", K.MODEL_NOT_FOUND, 400, err("x is not a valid model ID", code=400)),
    case("5.8", K.MODEL_NOT_FOUND, 400, err("Model Not Exist", INVALID, "invalid_request_error")),
    case("5.8", K.MODEL_NOT_FOUND, 400, err("The model `y` has been decommissioned", INVALID, "model_decommissioned")),
    case("5.8", K.MODEL_NOT_FOUND, 404, err("The model `m` does not exist.", "NotFoundError", 404)),
    case("5.8", K.MODEL_NOT_FOUND, 404, err("No endpoints found for a/b.", code=404)),
    case("5.9", K.WRONG_PATH, 404, b'{"detail":"Not Found"}'),
    case("5.9", K.WRONG_PATH, 404, b"404 page not found"),
    case("5.9", K.WRONG_PATH, 404, HTML),
    case("5.9", K.WRONG_PATH, 404, err("Invalid URL (POST /v2/chat/completions)", INVALID)),
    *(case("5.10", K.WRONG_PROTOCOL, status, err("no")) for status in (405, 406, 415, 501)),
    case("5.11", K.REQUEST_TIMEOUT, 408, err("slow")),
    case("5.12", K.CONFLICT, 409, err("conflict")),
    case("5.13", K.TOO_LARGE, 413, err("Request exceeds the maximum size", "request_too_large")),
    case("5.13", K.TOO_LARGE, 413, b"<html><body>413 Request Entity Too Large</body></html>"),
    case(
        "5.14",
        K.BAD_REQUEST,
        422,
        b'{"detail":[{"loc":["body","n"],"msg":"value is not a valid integer","type":"int"}]}',
    ),
    *(case("5.15", K.MISDIRECTED, status) for status in (421, 425, 426)),
    case("5.16", K.RATE_LIMIT, 429, err("slow down"), retry_after="30"),
    case(
        "5.17",
        K.RATE_LIMIT,
        429,
        err("slow down"),
        retry_after="Wed, 21 Oct 2015 07:28:20 GMT",
        date="Wed, 21 Oct 2015 07:28:00 GMT",
    ),
    case("5.18", K.RATE_LIMIT, 429, err("slow"), retry_after_ms="1500"),
    case("5.18", K.RATE_LIMIT, 429, err("slow", "requests", "rate_limit_exceeded"), x_ratelimit_reset_requests="6m0s"),
    case(
        "5.18",
        K.RATE_LIMIT,
        429,
        err(
            "You exceeded your current quota, please check your plan and billing details. "
            "Quota exceeded for metric: f, limit: 20. Please retry in 10h17m.",
            code=429,
            status="RESOURCE_EXHAUSTED",
        ),
    ),
    case("5.18", K.PERMISSION, 429, err("Quota exceeded for metric: f, limit: 0, model: pro", code=429)),
    case("5.19", K.RATE_LIMIT, 429, b""),
    case(
        "5.19", K.RATE_LIMIT, 429, err("Rate limit reached for m on tokens per min (TPM): Limit 9, Used 8, Requested 2")
    ),
    case("5.19", K.RATE_LIMIT, 400, err("too fast", "rate_limit_error")),
    case("5.20", K.BILLING, 429, err("You exceeded your current quota", "insufficient_quota", "insufficient_quota")),
    case("5.20", K.BILLING, 429, err("x", code="credit_balance_exhausted"), retry_after="1"),
    case("5.20", K.BILLING, 429, err("x", code="team_monthly_spend_limit")),
    case("5.20", K.BILLING, 429, err("x", code="enforced_spend_limit_reached")),
    case("5.20", K.BILLING, 429, err("You exceeded your current quota, please check your plan and billing details.")),
    case(
        "5.21",
        K.RATE_TOO_LARGE,
        429,
        err("Request too large for m on tokens per min (TPM): Limit 3, Requested 4", "tokens", "rate_limit_exceeded"),
    ),
    case(
        "5.21",
        K.RATE_TOO_LARGE,
        413,
        err(
            "Request too large for model `m` in organization `o` on tokens per minute (TPM): Limit 6000",
            "tokens",
            "rate_limit_exceeded",
        ),
    ),
    case("5.22", K.CONCURRENCY, 429, err("Too many concurrent requests")),
    case("5.23", K.SERVER_ERROR, 500, err("The server had an error", "server_error")),
    case("5.23", K.SERVER_ERROR, 599),
    case("5.24", K.BAD_GATEWAY, 502, HTML),
    case("5.24", K.GATEWAY_TIMEOUT, 504, b"timeout"),
    case("5.25", K.UNAVAILABLE, 503, err("later"), retry_after="7"),
    case("5.25", K.UNAVAILABLE, 503, err("Loading model", "unavailable_error", 503)),
    case("5.25", K.LOADING, 503, err("Loading model", "unavailable_error", 503), is_local=True),
    case("5.26", K.OVERLOADED, 529, err("Overloaded", "overloaded_error")),
    case(
        "5.26",
        K.OVERLOADED,
        503,
        err("The model is overloaded. Please try again later.", code=503, status="UNAVAILABLE"),
    ),
    *(case("5.27", K.BAD_GATEWAY, status, HTML) for status in (520, 521, 522, 523, 525, 526, 527, 530)),
    case("5.27", K.GATEWAY_TIMEOUT, 524, HTML),
    *(
        case("5.28", K.REDIRECT, status, HTML, location="https://other.example/x?key=1")
        for status in (301, 302, 307, 308)
    ),
    case("5.30", K.EMPTY_BODY, 204),
    case("5.34", K.MALFORMED, 206, b"{}"),
    case("5.36", K.CONTENT_FILTER, 400, err("The response was filtered", None, "content_filter")),
    case("5.36", K.CONTENT_FILTER, 400, err("Rejected by our safety system", INVALID, "content_policy_violation")),
    case("5.36", K.CONTENT_FILTER, 400, err("Content Exists Risk", INVALID, INVALID)),
    case("5.57", K.MODEL_NOT_FOUND, 404, err("model 'q' not found, try pulling it first", "api_error"), is_local=True),
    case("5.57", K.OUT_OF_MEMORY, 500, err("llama runner: CUDA error: out of memory"), is_local=True),
    case(
        "5.57", K.OUT_OF_MEMORY, 500, err("model requires more system memory (5 GiB) than is available"), is_local=True
    ),
    case("5.57", K.OUT_OF_MEMORY, 503, err("no slot available"), is_local=True),
    case(
        "R8.1a", K.FOREIGN_REASONING, 400, err("messages.1.content.0: Invalid `signature` in `thinking` block", INVALID)
    ),
    case(
        "R8.1a",
        K.FOREIGN_REASONING,
        400,
        err("The encrypted content could not be verified", INVALID, "invalid_encrypted_content"),
    ),
    case(
        "R8.1a",
        K.FOREIGN_REASONING,
        400,
        err("Function call is missing a thought_signature in functionCall parts", code=400),
    ),
    case("R8.1a", K.FOREIGN_REASONING, 404, err("Item with id 'rs_68a1b2c3' not found.", INVALID)),
    case(
        "R8.1a",
        K.FOREIGN_REASONING,
        400,
        err("Item 'msg_0a1b2c' of type 'message' was provided without its reasoning", INVALID),
    ),
    case("R8.1a", K.FOREIGN_REASONING, 400, err("property 'messages[1].reasoning_content' is unsupported", INVALID)),
    case("R8.1b", K.UNSUPPORTED, 400, err("Unsupported parameter: 'max_tokens'", INVALID, "unsupported_parameter")),
    case("R8.1b", K.UNSUPPORTED, 400, err("does not support 'system' with this model", INVALID, "unsupported_value")),
    case("R8.1b", K.UNSUPPORTED, 400, err("m does not support tools")),
    case("R8.1b", K.UNSUPPORTED, 400, err("Unrecognized request argument supplied: top_k", INVALID)),
    case("R8.1b", K.UNSUPPORTED, 422, b'{"detail":[{"loc":["body","top_k"],"msg":"Extra inputs are not permitted"}]}'),
    case("R8.1b", K.UNSUPPORTED, 400, err("Your organization must be verified to stream this model.", INVALID)),
    case("R8.1b", K.UNSUPPORTED, 404, err("No endpoints found that support image input", code=404)),
    case(
        "R8.1b", K.UNSUPPORTED, 500, err("image input is not supported - hint: provide the mmproj", "server_error", 500)
    ),
    case("R8.1b", K.UNSUPPORTED, 400, err("Failed to call a function", INVALID, "tool_use_failed")),
    *OLLAMA,
    case("4.4/85", K.PROXY, 407),
)

OVERFLOWS = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
    "prompt is too long: 209031 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Input is too long for requested model.",
    "the request exceeds the available context size (4096 tokens), try increasing it",
    "Please reduce the length of the messages. Current length is 9000 while limit is 8192",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "The maximum input length is 131072 tokens",
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
)
