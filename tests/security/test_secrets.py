"""Secrets and logs: FAULTS section 6, S18 (redaction of what providers echo) and S19 (log injection)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from everup.testing import scripts as s
from everup.testing.gateway import KEY
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

CORE = "Q7f3aX9zK2mP5vR8wT1yB4nC6dE0gH"
SECRETS = (
    f"sk-{CORE}",
    f"sk-proj-{CORE}_{CORE}",
    f"sk-ant-api03-{CORE}-{CORE}",
    f"sk-or-v1-{CORE.lower()}{CORE.lower()}",
    f"sk_live_{CORE}",
    f"gsk_{CORE}{CORE}",
    f"xai-{CORE}{CORE}",
    f"AIzaSy{CORE}abc",
    f"hf_{CORE}",
    f"nvapi-{CORE}",
    f"pplx-{CORE}",
    f"r8_{CORE}",
    f"eu-{CORE}abcdefghijklm",
    f"ghp_{CORE}abcdef",
    f"AKIA{CORE[:16].upper()}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{CORE}",
    f"ya29.{CORE}",
    f"key-{CORE}",
)
FRAMES = (
    "Incorrect API key provided: {}. You can find your key at https://example.org/keys.",
    "authorization: Bearer {}",
    '{{"api_key": "{}"}}',
    "https://example.org/v1/models?key={}&alt=sse",
    "x-api-key={}",
    "https://user:{}@example.org/",
)
CASES = [(secret, FRAMES[n % len(FRAMES)]) for n, secret in enumerate(SECRETS)]
CASES += [(SECRETS[0], frame) for frame in FRAMES] + [(SECRETS[7], frame) for frame in FRAMES]
CASES += [(KEY, frame) for frame in FRAMES] + [("key-of-p", frame) for frame in FRAMES]


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    limits = {"cooldown_wait_s": 0}  # the provider fails all the time here: it is tried all the same, at once
    async with open_stage(tmp_path_factory.mktemp("secrets"), {"default": ["p/m"]}, limits=limits) as running:
        yield running


def test_there_are_forty() -> None:
    """At least forty forms of a leaked key are tried."""
    assert len(CASES) >= 40


@pytest.mark.parametrize("status", [400, 422, 413])
async def test_an_echoed_key_goes_nowhere(stage: Stage, status: int) -> None:
    """A key in a provider's error, in forty forms, reaches neither client nor trail nor log nor /status (S18)."""
    leaked = []
    for secret, frame in CASES:
        stage["p"].script(s.error(status, "invalid_request_error", None, frame.format(secret)))
        answer = await stage.gateway.ask("default", stream=status == 422)
        told = answer.body + json.dumps(answer.headers).encode()
        leaked += [(secret, frame)] if secret.encode() in told else []
    shown = (await stage.gateway.get("/status")).body + (await stage.gateway.get("/metrics")).body
    await asyncio.sleep(0.2)
    told_log = stage.gateway.err + stage.gateway.out + shown.decode()
    assert [] == leaked
    assert [] == [secret for secret, _ in CASES if secret in told_log]


async def test_an_echoed_key_in_a_stream_goes_nowhere(stage: Stage) -> None:
    """The same for an error event after content (S18)."""
    leaked = []
    for secret, frame in CASES:
        error = b"data: " + s.error_json("server_error", None, frame.format(secret)) + b"\n\n"
        stage["p"].script(s.stream(s.ROLE, *s.texts("shown"), s.Pause(0.02), error))
        answer = await stage.gateway.ask("default", stream=True)
        assert answer.error
        leaked += [(secret, frame)] if secret.encode() in answer.body else []
    assert [] == leaked


async def test_a_log_line_is_one_line(stage: Stage) -> None:
    """Line ends and escapes in names and errors from outside make no log line and no colour (S19)."""
    evil = "x\n2026-01-01T00:00:00Z INFO forged=1\r\n\x1b[2J\x1b[31mred\u2028forged=2"
    stage["p"].script(s.error(500, evil, evil, evil))
    await stage.gateway.ask("default")
    await stage.gateway.ask(evil)
    await stage.gateway.ask("default", headers={"user-agent": "a\x7fb", "x-request-id": "\x1b[1m"})
    await asyncio.sleep(0.3)
    log = stage.gateway.err
    assert "\x1b" not in log
    assert [] == [line for line in log.split("\n") if line.startswith(("2026-01-01T00:00:00Z INFO forged", "\x1b"))]
    assert [] == [line for line in log.splitlines() if line.startswith("forged=")]
