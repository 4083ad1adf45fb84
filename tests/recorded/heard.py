"""
What the official `openai` SDK reads in an answer.

Lives here: a completion or a stream of chunks as `told.Told`. Must not: expectations.
"""

from __future__ import annotations

import json
from typing import Any

from openai import AsyncStream
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.recorded.told import Told


def hear(answer: ChatCompletion) -> Told:
    """Return what a whole answer says."""
    message = answer.choices[0].message
    extra = message.model_extra or {}
    functions = [call.function for call in message.tool_calls or () if call.type == "function"]
    assert all(call.id for call in message.tool_calls or ())
    return Told(
        text=message.content or "",
        thinking=extra.get("reasoning_content") or "",
        kept=kept_in(extra.get("reasoning_details")),
        calls=tuple((function.name, json.loads(function.arguments)) for function in functions),
        finish=answer.choices[0].finish_reason,
        model=answer.model,
        **tokens(answer.usage),
    )


async def hear_stream(stream: AsyncStream[ChatCompletionChunk]) -> Told:
    """Return what a stream says: one role, contiguous calls, one finish reason, usage last."""
    text = thinking = finish = model = ""
    kept: list[str] = []
    calls: dict[int, list[str]] = {}
    usage = None
    async for chunk in stream:
        assert usage is None
        model, usage = model or chunk.model, chunk.usage
        for choice in chunk.choices:
            assert not finish
            delta, extra = choice.delta, choice.delta.model_extra or {}
            text += delta.content or ""
            thinking += extra.get("reasoning_content") or ""
            kept += kept_in(extra.get("reasoning_details"))
            finish = choice.finish_reason or ""
            for call in delta.tool_calls or ():
                assert (call.index in calls) != bool(call.id)
                row = calls.setdefault(call.index, ["", ""])
                row[0] += (call.function and call.function.name) or ""
                row[1] += (call.function and call.function.arguments) or ""
    assert sorted(calls) == list(range(len(calls)))
    return Told(
        text=text,
        thinking=thinking,
        kept=tuple(kept),
        calls=tuple((name, json.loads(arguments)) for name, arguments in calls.values()),
        finish=finish,
        model=model,
        **tokens(usage),
    )


def kept_in(details: Any) -> tuple[str, ...]:
    """Return the signatures and hidden data that reasoning details hold."""
    return tuple(each.get("signature") or each.get("data") for each in details or () if {"signature", "data"} & {*each})


def tokens(usage: CompletionUsage | None) -> dict[str, int]:
    """Return the counts of a usage object, which must be there and add up."""
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    inner, outer = usage.prompt_tokens_details, usage.completion_tokens_details
    return {
        "input_tokens": usage.prompt_tokens,
        "cached_tokens": (inner and inner.cached_tokens) or 0,
        "output_tokens": usage.completion_tokens,
        "reasoning_tokens": (outer and outer.reasoning_tokens) or 0,
    }
