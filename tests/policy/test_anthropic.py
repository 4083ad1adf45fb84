"""What Anthropic's refusals, error events and headers mean."""

from __future__ import annotations

import json

import pytest

from everup.policy.classify import Refusal, classify_error, classify_refusal
from everup.policy.retry_after import read_hint
from everup.shapes.fault import Fault, FaultKind
from everup.wires.errors_in import read_error

K = FaultKind
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


def told(message: str, kind: str = "invalid_request_error", **details: object) -> bytes:
    """Return an error body."""
    error = {"type": kind, "message": message, **({"details": details} if details else {})}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


def refuse(status: int, body: bytes, **headers: str) -> Fault:
    """Return how a refusal is judged."""
    seen = read_error(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify_refusal(
        Refusal(
            status=status,
            headers=named,
            body=body,
            seen=seen,
            provider="anthropic",
            model="claude-x",
            is_local=False,
        )
    )


@pytest.mark.parametrize(
    ("row", "kind", "status", "body"),
    [
        ("5.1", K.BAD_REQUEST, 400, told("messages: at least one message is required")),
        ("5.1", K.BAD_REQUEST, 400, told("max_tokens: 99 > 64, which is the maximum allowed number of output tokens")),
        ("5.1", K.BAD_REQUEST, 400, told("`max_tokens` must be greater than `thinking.budget_tokens`.")),
        ("5.1", K.BAD_REQUEST, 400, told("messages.2: `tool_use` ids were found without `tool_result` blocks")),
        ("5.2", K.BILLING, 400, told("Your credit balance is too low to access the Anthropic API. Please go to Plans")),
        ("5.2", K.BILLING, 400, told("You have reached your specified workspace API usage limits. You will regain")),
        ("5.2", K.BILLING, 402, told("Check your payment details.", "billing_error")),
        ("5.3", K.CONTEXT_OVERFLOW, 400, told("prompt is too long: 209031 tokens > 200000 maximum")),
        ("5.3", K.CONTEXT_OVERFLOW, 400, told("Prompt is too long")),
        (
            "5.3",
            K.CONTEXT_OVERFLOW,
            400,
            told("input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000, decrease input length"),
        ),
        ("5.4", K.AUTH, 401, told("invalid x-api-key", "authentication_error")),
        ("5.6", K.PERMISSION, 403, told("Your API key does not have permission", "permission_error")),
        ("5.8", K.MODEL_NOT_FOUND, 404, told("model: claude-does-not-exist", "not_found_error")),
        ("5.12", K.CONFLICT, 409, told("The resource was modified", "conflict_error")),
        ("5.13", K.TOO_LARGE, 413, told("Request exceeds the maximum size", "request_too_large")),
        (
            "5.13",
            K.TOO_LARGE,
            400,
            told("messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 6 bytes > 5 bytes"),
        ),
        (
            "5.19",
            K.RATE_LIMIT,
            429,
            told("This request would exceed your organization's rate limit", "rate_limit_error"),
        ),
        (
            "5.20",
            K.BILLING,
            429,
            told(
                "You have reached your API usage limits: your organization has crossed its monthly threshold.",
                "rate_limit_error",
                error_code="enforced_spend_limit_reached",
            ),
        ),
        ("5.23", K.SERVER_ERROR, 500, told("Internal server error", "api_error")),
        ("5.24", K.GATEWAY_TIMEOUT, 504, told("Request timed out", "timeout_error")),
        ("5.26", K.OVERLOADED, 529, told("Overloaded", "overloaded_error")),
        ("5.26", K.OVERLOADED, 500, told("Overloaded", "overloaded_error")),
        ("R8.1a", K.FOREIGN_REASONING, 400, told("messages.1.content.0: Invalid `signature` in `thinking` block")),
        (
            "R8.1a",
            K.FOREIGN_REASONING,
            400,
            told(
                "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When "
                "`thinking` is enabled, a final `assistant` message must start with a thinking block"
            ),
        ),
        (
            "R8.1a",
            K.FOREIGN_REASONING,
            400,
            told("`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."),
        ),
        ("R8.1b", K.UNSUPPORTED, 400, told("Thinking may not be enabled when tool_choice forces tool use.")),
        ("R8.1b", K.UNSUPPORTED, 400, told("tool_choice forces tool use is not compatible with this model.")),
        ("R8.1b", K.UNSUPPORTED, 400, told('"thinking.type.enabled" is not supported for this model.')),
        ("R8.1b", K.UNSUPPORTED, 400, told("`temperature` is deprecated for this model.")),
        ("R8.1b", K.UNSUPPORTED, 400, told("`temperature` may only be set to 1 when thinking is enabled.")),
        ("R8.1b", K.UNSUPPORTED, 400, told("`temperature` and `top_p` cannot both be specified for this model.")),
        ("R8.1b", K.UNSUPPORTED, 400, told("role 'system' is not supported on this model")),
        ("R8.1b", K.UNSUPPORTED, 400, told("This model does not support assistant message prefill.")),
        (
            "R8.1b",
            K.UNSUPPORTED,
            400,
            told(
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
            ),
        ),
        ("R8.1b", K.UNSUPPORTED, 400, told("The compiled grammar is too large")),
        ("R8.1b", K.UNSUPPORTED, 400, told("tools.0.input_schema does not support oneOf, allOf, or anyOf at the root")),
    ],
)
def test_a_refusal(row: str, kind: FaultKind, status: int, body: bytes) -> None:
    """Each refusal means the kind and names the row of the contract that decided it."""
    fault = refuse(status, body)
    assert (kind, row, status) == (fault.kind, fault.rule, fault.status), fault.message


@pytest.mark.parametrize(
    ("kind", "message", "fault_kind"),
    [
        ("overloaded_error", "Overloaded", K.OVERLOADED),
        ("api_error", "Internal server error", K.SERVER_ERROR),
        ("timeout_error", "Timed out", K.GATEWAY_TIMEOUT),
        ("rate_limit_error", "Slow down", K.RATE_LIMIT),
        ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", K.CONTEXT_OVERFLOW),
        ("invalid_request_error", "messages: wrong", K.BAD_REQUEST),
        ("authentication_error", "no", K.AUTH),
        ("billing_error", "no", K.BILLING),
        ("permission_error", "no", K.PERMISSION),
        ("not_found_error", "model: x", K.MODEL_NOT_FOUND),
        ("request_too_large", "no", K.TOO_LARGE),
        ("conflict_error", "no", K.CONFLICT),
        ("a_new_error", "no", K.SERVER_ERROR),
    ],
)
def test_an_error_event(kind: str, message: str, fault_kind: FaultKind) -> None:
    """An error in the middle of a stream means what its type's status would."""
    seen = read_error(told(message, kind))
    assert seen is not None
    assert fault_kind is classify_error(seen, provider="anthropic", model="x").kind


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"anthropic-ratelimit-tokens-reset": "2015-10-21T07:29:00Z", "date": DATE}, 60),
        (
            {
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2015-10-21T07:28:02Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2015-10-21T07:29:30Z",
                "date": DATE,
            },
            90,
        ),
        ({"anthropic-ratelimit-unified-reset": "1445412510", "date": DATE}, 30),
        ({"anthropic-ratelimit-tokens-reset": "2015-10-21T07:29:00Z", "retry-after": "7", "date": DATE}, 7),
        ({"anthropic-ratelimit-tokens-reset": "2015-10-21T07:27:00Z", "date": DATE}, None),
        ({"anthropic-ratelimit-tokens-reset": "2015-10-21T07:29:00Z"}, None),
    ],
)
def test_when_a_limit_is_full_again(headers: dict[str, str], wait_s: float | None) -> None:
    """Reset times count from the answer's own date, the exhausted limit's before any other's."""
    assert wait_s == read_hint(headers)[0]


def test_a_full_account_is_not_waited_for() -> None:
    """A retry-after on a spent account does not make it a rate limit."""
    body = told("You have reached your API usage limits", "rate_limit_error")
    assert refuse(429, body, retry_after="9").retry_after_s is None
