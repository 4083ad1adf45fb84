"""Keys of every form are taken out of text, and the rest stays readable (S18)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.policy.redaction import redact

BODY = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
HEX = "0123456789abcdef0123456789abcdef"
KEYS = (
    "sk-" + BODY,
    "sk-proj-" + BODY + "_" + BODY,
    "sk-ant-api03-" + BODY + "-AA",
    "sk-ant-oat01-" + BODY,
    "sk-or-v1-" + HEX + HEX,
    "sk_live_" + BODY,
    "rk_live_" + BODY,
    "pk-lf-" + BODY,
    "gsk_" + BODY + BODY,
    "AIza" + "Sy" + BODY + "abcdefg",
    "ya29." + BODY,
    "xai-" + BODY,
    "eu-" + BODY + BODY,
    "hf_" + BODY,
    "gh" + "p_" + BODY + "abcdefghi",
    "gho_" + BODY,
    "github_pat_" + BODY + "_" + BODY,
    "glpat-" + BODY,
    "pplx-" + BODY,
    "nvapi-" + BODY,
    "r8_" + BODY,
    "csk-" + BODY,
    "fw_" + BODY,
    "dapi" + "_" + BODY,
    "key-" + BODY,
    "xoxb-" + "123456789-" + BODY,
    "AK" + "IA" + "ABCDEFGHIJKLMNOP",
    "SG." + BODY + "." + BODY,
    "npm_" + BODY,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123-_x",
    HEX,
    "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIE" + BODY + "\n-----END RSA PRIVATE KEY-----",
)
FRAMES = (
    ("Authorization: Bearer {}", "Authorization"),
    ("basic {}", "basic"),
    ("x-api-key: {}", "x-api-key"),
    ('{{"api_key": "{}", "model": "m"}}', '"model": "m"'),
    ("api-key={}", "api-key"),
    ("GET https://host.example/v1/models?key={}&alt=sse", "alt=sse"),
    ("https://user:{}@host.example/path", "host.example/path"),
    ("Incorrect API key provided: {}. See the docs.", "Incorrect API key provided"),
    ("aws_secret_access_key = {}", "aws_secret_access_key"),
    ("client_secret={}", "client_secret"),
    ("password: '{}'", "password"),
    ("set-cookie: session={}", "set-cookie"),
)
PLAIN = "zxcv-1234-asdf-5678"
"""A secret without a known form: only the words around it give it away."""


def test_there_are_forty_forms() -> None:
    """At least forty forms of a key are known."""
    assert len(KEYS) + len(FRAMES) >= 40


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_masked(key: str) -> None:
    """A key that says itself what it is goes, and the words around it stay."""
    text = redact(f"The key {key} was refused for model gpt-5-mini.")
    assert key not in text
    assert BODY not in text
    assert text.startswith("The key ***")
    assert text.endswith("was refused for model gpt-5-mini.")


@pytest.mark.parametrize(("frame", "kept"), FRAMES)
@pytest.mark.parametrize("secret", [PLAIN, KEYS[0]])
def test_a_named_secret_is_masked(frame: str, kept: str, secret: str) -> None:
    """A value that a name calls secret goes whatever it looks like, and its name stays."""
    text = redact(frame.format(secret))
    assert secret not in text
    assert "***" in text
    assert kept in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Rate limit reached for gpt-4o-mini in organization acme on tokens per min (TPM): Limit 30000, Used 29000.",
        "The model `meta-llama/Llama-3.3-70B-Instruct-Turbo` does not exist or you do not have access to it.",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
        "connect to 127.0.0.1:11434 refused (errno 111)",
        "the request exceeds the available context size",
        "Missing required parameter: 'messages[0].content'.",
        "https://host.example/v1/chat/completions?alt=sse",
        "task-force-alpha and risk-assessment stay",
        "basic authentication and bearer tokens are explained in the docs",
        "max_tokens: 4096, completion tokens: 12",
    ],
)
def test_plain_text_stays(text: str) -> None:
    """Sentences without a secret are not touched."""
    assert text == redact(text)


@given(st.text())
def test_any_text_is_redacted(text: str) -> None:
    """Redaction never raises, and its result holds nothing more to redact in the forms it masks whole."""
    assert isinstance(redact(text), str)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["a", "sk-", "key=", "://", "-----BEGIN A-----", "Bearer ", "eyJ", "0", "a.b@", " :"])
def test_long_text_takes_no_time(unit: str) -> None:
    """Half a megabyte of anything that nearly matches is done at once."""
    assert redact(unit * (500_000 // len(unit))) is not None
