"""Recorded chat completions, replayed through a whole everup to a client of the same wire."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.recorded.compare import differences
from tests.recorded.stage import Stage, model_of
from tests.recorded.traffic import CHAT, Recording, replayed

pytestmark = pytest.mark.anyio

NO_CHAT = {"test_openai/test_text_response#0", "test_openai/test_invalid_response#0"}
"""Status 200 with something that is no chat completion."""
REFUSALS = {400: openai.BadRequestError, 404: openai.NotFoundError, 200: openai.InternalServerError}
"""What the SDK raises for a recorded status that brought no good answer."""
DONE = b"data: [DONE]\n\n"


def events(body: bytes) -> list[dict[str, Any]]:
    """Return the JSON of a stream's events."""
    lines = (line[5:].strip() for line in body.splitlines() if line.startswith(b"data:"))
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def error_in(recording: Recording) -> dict[str, Any]:
    """Return the error that a recording holds, or none."""
    found = events(recording.body) if recording.is_stream else [recording.json] if recording.status != 200 else []
    return next((event["error"] for event in found if event.get("error")), {})


def is_good(recording: Recording) -> bool:
    """Return whether a recording is a chat completion that came to its end."""
    return recording.status == 200 and recording.name not in NO_CHAT and not error_in(recording)


def expected(recording: Recording) -> bytes:
    """Return what a client should get: the recorded bytes, less the usage chunk that it did not ask for."""
    if not recording.is_stream:
        return recording.body
    wants_usage = (recording.request.get("stream_options") or {}).get("include_usage")
    blocks = recording.body.split(b"\n\n")
    kept = b"\n\n".join(block for block in blocks if wants_usage or not is_usage(block))
    return kept if kept.endswith(DONE) else kept + DONE


def is_usage(block: bytes) -> bool:
    """Return whether an event is the usage chunk."""
    found = events(block)
    return bool(found and found[0].get("usage") and found[0].get("choices") == [])


@pytest.mark.parametrize("recording", replayed(CHAT))
async def test_the_answer_is_relayed(stage: Stage, recording: Recording) -> None:
    """A recorded request gets its recorded answer: good ones byte for byte, others with what they mean."""
    stage.replay(recording)
    answer = await stage.post(model_of(recording), recording.request)
    if is_good(recording):
        assert (200, True) == (answer.status, answer.is_complete)
        assert [] == differences(expected(recording), answer.body)
    elif error := error_in(recording):
        told = recording.status if recording.status != 200 else error.get("status_code") or error["code"]
        assert told == answer.status or (recording.is_stream and answer.status == 200 and not answer.is_done)
        assert error["message"] in answer.error["message"]
    else:
        assert 503 == answer.status
        assert "malformed" in answer.trail


@pytest.mark.parametrize("recording", replayed(CHAT))
async def test_the_request_reaches_the_provider(stage: Stage, recording: Recording) -> None:
    """The provider gets every field of a recorded request with its value, and the model's own name."""
    stage.replay(recording)
    await stage.post(model_of(recording), recording.request)
    sent = stage.sent.json
    options = sent.pop("stream_options", {})
    wished = recording.request.get("stream_options") or {}
    asked = {name: value for name, value in recording.request.items() if name != "stream_options"}
    assert [] == differences(asked, sent)
    assert options in ({}, {**wished, "include_usage": True})


@pytest.mark.parametrize("recording", replayed(CHAT))
async def test_the_sdk_reads_what_was_recorded(stage: Stage, recording: Recording) -> None:
    """The official SDK reads every field of a good answer, chunk by chunk, and raises its own class for a refusal."""
    stage.replay(recording)
    named = {"model", "messages", "stream"}
    more = {name: value for name, value in recording.request.items() if name not in named}
    ask: dict[str, Any] = {"messages": recording.request["messages"], "extra_body": more, "stream": recording.is_stream}
    if not is_good(recording):
        with pytest.raises(openai.APIError if recording.is_stream else REFUSALS[recording.status]):
            await read(stage, model=model_of(recording), **ask)
        return
    told = events(expected(recording)) if recording.is_stream else [recording.json]
    assert [] == differences(told, await read(stage, model=model_of(recording), **ask))


async def read(stage: Stage, **fields: Any) -> list[dict[str, Any]]:
    """Return what the SDK makes of an answer: its chunks, or the one completion."""
    answer = await stage.sdk.chat.completions.create(**fields)
    found = [chunk async for chunk in answer] if fields["stream"] else [answer]
    return [json.loads(each.model_dump_json(exclude_unset=True, warnings=False)) for each in found]
