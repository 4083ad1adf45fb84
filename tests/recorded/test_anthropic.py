"""Recorded Anthropic answers, replayed through a whole everup to the official `openai` SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from msgspec import structs

from tests.recorded.asked import arguments
from tests.recorded.compare import differences
from tests.recorded.heard import hear, hear_stream
from tests.recorded.stage import Stage, model_of
from tests.recorded.told import as_stream, as_whole, message_of, told
from tests.recorded.traffic import MESSAGES, Recording, everything, replayed

pytestmark = pytest.mark.anyio

FORMS: dict[str, tuple[Callable[[Recording], Recording], bool]] = {
    "whole": (lambda recording: as_whole(recording) if recording.is_stream else recording, False),
    "streamed": (lambda recording: recording if recording.is_stream else as_stream(recording), True),
    "whole for a stream": (lambda recording: as_whole(recording) if recording.is_stream else recording, True),
}
"""How the provider gives the recorded answer, and whether a stream was asked for; one of the first two is its own."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("recording", replayed(MESSAGES))
async def test_the_sdk_reads_what_was_recorded(stage: Stage, recording: Recording, form: str) -> None:
    """Text, thinking, calls, usage and reason that the SDK reads are those of the recording."""
    given, is_stream = FORMS[form]
    stage.replay(given(recording))
    ask: dict[str, Any] = {"model": model_of(recording), **arguments(recording.request)}
    if is_stream:
        options = {"include_usage": True}
        heard = await hear_stream(await stage.sdk.chat.completions.create(**ask, stream=True, stream_options=options))
    else:
        heard = hear(await stage.sdk.chat.completions.create(**ask))
    assert [] == differences(told(message_of(recording)), heard)


@pytest.mark.parametrize("recording", replayed(MESSAGES, is_stream=True))
async def test_a_cut_stream_is_an_error(stage: Stage, recording: Recording) -> None:
    """A recorded stream that ends before its last event is an error to the SDK, never a complete answer."""
    cut = recording.body[: recording.body.index(b"event: message_delta")]
    stage.replay(structs.replace(recording, body=cut))
    ask: dict[str, Any] = {"model": model_of(recording), **arguments(recording.request)}
    with pytest.raises(openai.APIError):
        await hear_stream(await stage.sdk.chat.completions.create(**ask, stream=True))


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_recorded_refusal_keeps_its_class(stage: Stage, *, is_stream: bool) -> None:
    """The one refusal that Anthropic's recordings hold (a model that does not exist) is the SDK's NotFoundError."""
    refusals = [each for each in everything() if each.place.startswith("api.anthropic.com") and each.status == 404]
    if not refusals:
        pytest.skip("no recorded traffic: Anthropic's recorded refusal is not there")
    refusal = structs.replace(refusals[0], wire=MESSAGES)
    stage.replay(refusal)
    with pytest.raises(openai.NotFoundError) as caught:
        await stage.sdk.chat.completions.create(
            model=model_of(refusal), messages=[{"role": "user", "content": "?"}], stream=is_stream
        )
    assert "claude-does-not-exist" in str(caught.value)
