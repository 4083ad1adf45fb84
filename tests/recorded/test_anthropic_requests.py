"""What everup sends to Anthropic says the same as what a client of Anthropic's sent when the traffic was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recorded.asked import arguments
from tests.recorded.compare import differences
from tests.recorded.said import said
from tests.recorded.stage import Stage, model_of
from tests.recorded.told import as_whole
from tests.recorded.traffic import MESSAGES, Recording, replayed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("recording", replayed(MESSAGES))
async def test_the_request_says_the_same(stage: Stage, recording: Recording) -> None:
    """The same conversation, asked in chat completions' words, reaches Anthropic with the same meaning."""
    stage.replay(as_whole(recording))
    ask: dict[str, Any] = arguments(recording.request)
    await stage.sdk.chat.completions.create(model=model_of(recording), **ask)
    assert [] == differences(said(recording.request), said(stage.sent.json))
