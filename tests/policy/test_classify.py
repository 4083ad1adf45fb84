"""Every row of FAULTS section 5 and ruling 8 that a refusal, an error object or a connection can mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.errors import Sent, TransportError, TransportKind
from everup.policy.classify import ErrorSeen, Refusal, classify_error, classify_refusal, classify_transport
from everup.policy.signatures import EXACT, STATUSES, TEXTS
from everup.shapes.fault import Fault, FaultKind, Scope
from everup.shapes.limits import Limits
from everup.wires.errors_in import read_error
from tests.policy.refusals import CASES, INVALID, OVERFLOWS, Case, err

K = FaultKind


def refuse(
    status: int, body: bytes = b"", *, model: str = "m-1", provider: str = "p", is_local: bool = False, **headers: str
) -> Fault:
    """Return how a refusal is judged; `retry_after="3"` becomes a header."""
    return classify_refusal(
        Refusal(
            status=status,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            body=body,
            seen=read_error(body),
            provider=provider,
            model=model,
            is_local=is_local,
        )
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row}-{case.status}-{case.kind}")
def test_row(case: Case) -> None:
    """Each refusal means the kind and names the row of the contract that decided it."""
    fault = refuse(case.status, case.body, is_local=case.is_local, **case.headers)
    assert (case.kind, case.row, case.status) == (fault.kind, fault.rule, fault.status), fault.message
    assert fault.message
    assert "\n" not in fault.message


def test_every_signature_has_a_case() -> None:
    """No kind in the tables of signatures stays without a case here."""
    kinds = {row.kind for row in EXACT} | {row.kind for row in TEXTS} | {kind for _, kind in STATUSES.values()}
    assert set() == kinds - {case.kind for case in CASES}


@pytest.mark.parametrize("text", OVERFLOWS)
@pytest.mark.parametrize("status", [400, 413])
def test_overflow(text: str, status: int) -> None:
    """Every provider's words for a prompt beyond the window mean an overflow."""
    assert K.CONTEXT_OVERFLOW is refuse(status, err(text, INVALID)).kind
    assert K.CONTEXT_OVERFLOW is refuse(status, err(text, INVALID, param="messages")).kind


def test_overflow_with_a_numeric_code() -> None:
    """A llama.cpp overflow, whose code is a number and whose type tells, is an overflow."""
    body = err("request (9031 tokens) exceeds it", "exceed_context_size_error", 400, n_prompt_tokens=9031, n_ctx=4096)
    assert K.CONTEXT_OVERFLOW is refuse(400, body).kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            err(f"Invalid 'user': string too long. It says '{OVERFLOWS[0]}'", INVALID, "string_above_max_length"),
            K.BAD_REQUEST,
        ),
        (400, err(f"Invalid value: {OVERFLOWS[2]}", INVALID, "invalid_value", param="user"), K.BAD_REQUEST),
        (429, err("Request too large for m on tokens per min (TPM): Limit 3, Requested 4"), K.RATE_TOO_LARGE),
        (413, b"", K.TOO_LARGE),
        (413, err("Payload Too Large"), K.TOO_LARGE),
        (401, err(OVERFLOWS[0]), K.AUTH),
        (429, err(OVERFLOWS[0]), K.RATE_LIMIT),
        (
            400,
            json.dumps({"detail": [{"loc": ["body", "stop"], "msg": "invalid", "input": OVERFLOWS[0]}]}).encode(),
            K.BAD_REQUEST,
        ),
        (500, err("429"), K.SERVER_ERROR),
        (500, err("error while decoding token 429 insufficient_quota"), K.SERVER_ERROR),
        (400, err("Invalid schema: 'rate_limit_error' is not one of the names"), K.BAD_REQUEST),
        (429, err("quota: limit: 0.5 requests"), K.RATE_LIMIT),
    ],
)
def test_look_alikes(status: int, body: bytes, kind: FaultKind) -> None:
    """Words that only look like another row, or that are quoted, do not mean it."""
    assert kind is refuse(status, body).kind


def test_a_missing_local_model_comes_with_its_command() -> None:
    """An Ollama model that was not pulled is told with the command that gets it."""
    body = err("model 'qwen3' not found", "api_error")
    assert "ollama pull qwen3" in refuse(404, body, model="qwen3", provider="ollama", is_local=True).message


def test_a_wrong_path_asks_about_the_base_url() -> None:
    """A 404 that is not about a model says what is most often wrong."""
    assert "base_url (most end in /v1) and its wire right?" in refuse(404, b'{"detail":"Not Found"}').message


def test_a_redirect_shows_the_host_only() -> None:
    """A redirect is told by its host: path and query may hold secrets."""
    message = refuse(302, location="https://other.example/login?token=abcdef").message
    assert "other.example" in message
    assert "abcdef" not in message
    assert "login" not in message


@pytest.mark.parametrize(("kind", "has_wait"), [("rate_limit_error", True), ("insufficient_quota", False)])
def test_waiting_mends_only_what_time_mends(kind: str, *, has_wait: bool) -> None:
    """A Retry-After is kept for a rate limit and ignored for an empty account."""
    assert has_wait == (refuse(429, err("x", kind), retry_after="9").retry_after_s == 9.0)


def test_reset_headers_count_for_rate_limits_only() -> None:
    """Reset headers stand on every answer: a 500 takes no wait from them."""
    assert refuse(500, err("x"), x_ratelimit_reset_requests="6m0s").retry_after_s is None
    assert refuse(503, err("x"), retry_after="6").retry_after_s == 6.0


def test_a_refusal_names_the_field_that_the_provider_names() -> None:
    """The field at fault is kept for the client, on one clean line."""
    told = b'{"error": {"message": "no", "type": "invalid_request_error", "param": "tools[0]\\n"}}'
    assert "tools[0]" == refuse(400, told).param
    assert not refuse(400, b"no json").param


def test_a_message_is_one_bounded_line() -> None:
    """What a provider says is kept on one line within the limit, keys and control characters gone."""
    fault = refuse(500, err("a\r\nb\x1b[31m\u2028 Bearer sk-secretsecret99 " + "é" * 1000))
    assert len(fault.message.encode()) <= Limits().fault_message_bytes_max
    assert not set(fault.message) & set("\r\n\x1b\u2028")
    assert "sk-secret" not in fault.message


@pytest.mark.parametrize(
    ("seen", "kind", "status"),
    [
        (ErrorSeen(type="overloaded_error"), K.OVERLOADED, 0),
        (ErrorSeen(type="rate_limit_error"), K.RATE_LIMIT, 429),
        (ErrorSeen(code="429", message="slow"), K.RATE_LIMIT, 429),
        (ErrorSeen(code="insufficient_quota"), K.BILLING, 0),
        (ErrorSeen(type="invalid_request_error", message="bad"), K.BAD_REQUEST, 400),
        (ErrorSeen(type="authentication_error"), K.AUTH, 0),
        (ErrorSeen(code="502", message="Provider returned error"), K.BAD_GATEWAY, 502),
        (ErrorSeen(type="timeout_error"), K.GATEWAY_TIMEOUT, 504),
        (ErrorSeen(message="something", status=503), K.UNAVAILABLE, 503),
        (ErrorSeen(message="something"), K.SERVER_ERROR, 0),
        (ErrorSeen(message="", code="404"), K.SERVER_ERROR, 404),
        (ErrorSeen(type="x", code="context_length_exceeded"), K.CONTEXT_OVERFLOW, 0),
    ],
)
def test_an_error_object_means_the_status_it_stands_for(seen: ErrorSeen, kind: FaultKind, status: int) -> None:
    """An error inside a 200 is judged by its type or code; an unknown one is a server error."""
    fault = classify_error(seen, provider="p", model="m")
    assert (kind, status) == (fault.kind, fault.status)


@pytest.mark.parametrize(
    ("transport", "kind", "billed"),
    [
        (TransportKind.DNS, K.DNS, (False, False, False)),
        (TransportKind.REFUSED, K.CONNECT, (False, False, False)),
        (TransportKind.UNREACHABLE, K.CONNECT, (False, False, False)),
        (TransportKind.CONNECT_TIMEOUT, K.CONNECT, (False, False, False)),
        (TransportKind.TLS, K.TLS, (False, False, False)),
        (TransportKind.PROXY, K.PROXY, (False, False, False)),
        (TransportKind.STALE, K.STALE, (False, False, False)),
        (TransportKind.RESET, K.RESET, (False, True, True)),
        (TransportKind.CUT, K.CUT, (True, True, True)),
        (TransportKind.BAD_HTTP, K.BAD_HTTP, (False, True, True)),
        (TransportKind.TOO_LARGE, K.OVERSIZE, (True, True, True)),
        (TransportKind.LOCAL, K.LOCAL_RESOURCE, (False, True, True)),
        (TransportKind.ABORTED, K.SUPERSEDED, (False, True, True)),
    ],
)
def test_a_broken_connection(transport: TransportKind, kind: FaultKind, billed: tuple[bool, ...]) -> None:
    """Each transport error has its kind, and may have been billed only if the request may have been read."""
    faults = [classify_transport(TransportError(transport, "why", sent=sent)) for sent in Sent]
    assert {kind} == {fault.kind for fault in faults}
    assert billed == tuple(fault.possibly_billed for fault in faults)


def test_every_transport_kind_is_known() -> None:
    """No kind of broken connection is without a meaning."""
    assert all(classify_transport(TransportError(kind, "x")).message == "x" for kind in TransportKind)


TEXT = st.text(max_size=200)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT, lambda s: st.lists(s) | st.dictionaries(TEXT, s)
)
NAMES = st.sampled_from(
    ["retry-after", "retry-after-ms", "date", "location", "content-type", "x-ratelimit-reset-tokens"]
)


@given(
    status=st.integers(min_value=100, max_value=999),
    body=st.binary(max_size=400) | ANY_JSON.map(lambda found: json.dumps({"error": found}).encode()),
    headers=st.dictionaries(NAMES, TEXT, max_size=4),
)
def test_any_bytes_are_judged(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Whatever an upstream sends, a fault comes out and nothing is raised (S27)."""
    refusal = Refusal(
        status=status, headers=headers, body=body, seen=read_error(body), provider="p", model="m", is_local=False
    )
    fault = classify_refusal(refusal)
    assert len(fault.message.encode()) <= 1000
    assert fault.scope in Scope
