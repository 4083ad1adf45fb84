"""
One everup whose providers replay recordings.

Lives here: the configuration, the bytes of a replayed answer, and asking. Must not: judgements (see the tests).
One recording at a time is replayed: the test says which, then asks.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import openai
from msgspec import Struct

from everup.testing import scripts as s
from everup.testing.client import Answer, exchange
from everup.testing.gateway import CHAT as TARGET
from everup.testing.gateway import KEY, Gateway, config_text
from everup.testing.provider import Request, ScriptedProvider
from tests.recorded.traffic import CHAT, MESSAGES, Recording

HOSTS = {
    "api.openai.com": "openai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "api.cerebras.ai": "cerebras",
    "generativelanguage.googleapis.com": "google",
}
"""The provider that stands for a recorded host, so that what is known of it holds; all others are `other`."""
OTHER = "other"
COOLDOWN_S = 0.001
"""A recorded refusal must not spare the next recording its answer."""
PIECES_MAX = 40


class Stage(Struct, frozen=True):
    """A running everup, the provider behind it, and the official client before it."""

    gateway: Gateway
    provider: ScriptedProvider
    sdk: openai.AsyncOpenAI

    @property
    def sent(self) -> Request:
        """Return the request that the provider got last."""
        return self.provider.requests[-1]

    def replay(self, recording: Recording) -> None:
        """The provider's next answer is this recording's."""
        self.provider.script(replay(recording))

    async def post(self, model: str, fields: Mapping[str, Any]) -> Answer:
        """Return the answer to these fields, sent as they are but for the model."""
        body = json.dumps({**fields, "model": model}).encode()
        return await exchange(self.gateway.port, "POST", TARGET, self.gateway.headers(), body)


def model_of(recording: Recording) -> str:
    """Return the name under which the recorded model is asked for."""
    name = "anthropic" if recording.wire == MESSAGES else HOSTS.get(recording.place.split("/")[0], OTHER)
    return f"{name}/{recording.request['model']}"


def replay(recording: Recording) -> s.Script:
    """Return the recorded answer; a stream in pieces that pay no regard to its events."""
    headers = dict(recording.headers)
    if not recording.is_stream:
        sized = {**headers, "content-length": str(len(recording.body))}
        return s.play(s.Send(s.head(recording.status, sized) + recording.body))
    head = s.head(recording.status, {**headers, "transfer-encoding": "chunked"})
    parts = [s.Send(s.chunk(piece)) for piece in pieces(recording.body, recording.name)]
    return s.play(s.Send(head), *parts, s.Send(s.LAST_CHUNK))


def pieces(data: bytes, seed: str, pieces_max: int = PIECES_MAX) -> list[bytes]:
    """Return the bytes in pieces of any size, always the same for one seed."""
    chance = random.Random(seed)
    count = min(chance.randint(2, pieces_max), len(data))
    cuts = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(count))})
    return [data[start:end] for start, end in pairwise(cuts)]


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """A running everup with a replaying provider; the client's own retries are off."""
    async with ScriptedProvider() as provider:
        rows: dict[str, dict[str, object]] = {
            name: {"wire": CHAT, "base_url": provider.base_url} for name in (*HOSTS.values(), OTHER)
        }
        rows["anthropic"] = {"wire": MESSAGES, "base_url": provider.base_url}
        text = config_text(providers=rows, routes={}, limits={"cheap_cooldown_max_s": COOLDOWN_S})
        async with (
            Gateway(folder, text) as gateway,
            openai.AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk,
        ):
            yield Stage(gateway, provider, sdk)
            assert [] == provider.complaints
