"""Secrets and logs: FAULTS section 6, S18 (redaction of what providers echo) and S19 (log injection)."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from msgspec import Struct

from everup.testing import scripts as s
from everup.testing.gateway import KEY, Gateway, config_text
from everup.testing.provider import ScriptedProvider
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

CORE = "Q7f3aX9zK2mP5vR8wT1yB4nC6dE0gH"
OPAQUE = "q7F3AX9zk2Mp5vr8Wt1yb4Nc6de0Gh7J"
"""A key that says by nothing that it is one, as several providers have them."""
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
CASES += [(KEY, frame) for frame in FRAMES] + [(OPAQUE, frame) for frame in FRAMES]
STATUSES = (400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529)


class Echo(Struct, frozen=True):
    """A running everup and the listener that is all its providers."""

    gateway: Gateway
    upstream: ScriptedProvider


def refusal(status: int, text: str, canary: int) -> s.Script:
    """Return an error with this text as JSON, plain text or HTML, in turn, and in headers."""
    echoed = {"x_echo": text, "www_authenticate": f'Bearer realm="x", error_description="{text}"'}
    forms = (
        s.error(status, "invalid_request_error", None, text, **echoed),
        s.body(status, text.encode(), "text/plain", **echoed),
        s.body(status, f"<html><title>{status}</title><p>{text}</p></html>".encode(), "text/html", **echoed),
    )
    return forms[canary % len(forms)]


def event(text: str) -> bytes:
    """Return an error event with this text."""
    return b"data: " + s.error_json("server_error", None, text) + b"\n\n"


ROWS: dict[str, Callable[[str, int], s.Script]] = {str(status): partial(refusal, status) for status in STATUSES}
ROWS |= {
    "an error in a 200": lambda text, _: s.body(200, s.error_json("server_error", None, text)),
    "an error before content": lambda text, _: s.stream(event(text)),
    "an error after content": lambda text, _: s.stream(s.ROLE, *s.texts("shown"), s.Pause(0.02), event(text)),
    "a page in a 200": lambda text, _: s.body(200, f"<html>{text}</html>".encode(), "text/html"),
    "no HTTP": lambda text, _: s.raw(f"{text}\r\n\r\n".encode(), s.Close()),
}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup for this module."""
    limits = {"cooldown_wait_s": 0}  # the provider fails all the time here: it is tried all the same, at once
    async with open_stage(tmp_path_factory.mktemp("secrets"), {"default": ["p/m"]}, limits=limits) as running:
        yield running


def test_there_are_forty() -> None:
    """At least forty forms of a leaked key are tried."""
    assert len(CASES) >= 40


@pytest.fixture(scope="module")
async def echo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Echo]:
    """A running everup with a provider of its own for each canary in each row: none is skipped for another's fault."""
    async with ScriptedProvider(models=("m",)) as upstream:
        rows: dict[str, dict[str, object]] = {}
        for row, (canary, (secret, frame)) in itertools.product(ROWS, enumerate(CASES)):
            name = f"{row.replace(' ', '-')}-{canary}"
            key = f"key-of-{name}"
            rows[name] = {"base_url": upstream.base_url, "profiles": [{"id": "default", "key": key}]}
            upstream.script(ROWS[row](frame.format(secret), canary), on=key)
        text = config_text(providers=rows, routes={name: [f"{name}/m"] for name in rows})
        async with Gateway(tmp_path_factory.mktemp("echo"), text) as gateway:
            yield Echo(gateway, upstream)


@pytest.mark.parametrize("row", ROWS)
async def test_an_echoed_key_goes_nowhere(echo: Echo, row: str) -> None:
    """A key in a provider's error, forty forms in each row, reaches no client, trail, log, metric or /status (S18)."""
    before, leaked = len(echo.upstream.requests), []
    names = [f"{row.replace(' ', '-')}-{canary}" for canary in range(len(CASES))]
    asked = (echo.gateway.ask(name, stream=n % 2 == 1) for n, name in enumerate(names))
    for answer, (secret, frame) in zip(await asyncio.gather(*asked), CASES, strict=True):
        assert answer.error, answer.body
        told = answer.body + json.dumps(answer.headers).encode()
        leaked += [(secret, frame)] if secret.encode() in told else []
    assert before + len(CASES) <= len(echo.upstream.requests)
    shown = (await echo.gateway.get("/status")).body + (await echo.gateway.get("/metrics")).body
    await asyncio.sleep(0.2)
    told_log = echo.gateway.err + echo.gateway.out + shown.decode()
    assert [] == leaked
    assert [] == [secret for secret, _ in CASES if secret in told_log]


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
