"""The official `ollama` SDK's own types judge what everup sends to Ollama, and make what Ollama answers."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from msgspec import Struct

from everup.testing import scripts as s
from everup.testing.gateway import KEY, Gateway, config_text
from everup.testing.provider import Request, ScriptedProvider
from tests.recorded.heard import hear, hear_stream
from tests.recorded.told import Told

pytestmark = pytest.mark.anyio

MODEL = "ollama/qwen3:8b"
NEWER = {"truncate", "shift"}
"""Fields that Ollama's API has and its SDK not yet."""
NEWER_OPTIONS = {"min_p"}
NEWER_IN_MESSAGES = {"tool_call_id"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where"}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["city"],
}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": CITY}}
CALLS = [
    {"id": f"call_{n}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'}}
    for n, city in enumerate(("Bern", "Zürich"))
]
ASK = {"role": "user", "content": "How is the weather?"}
HISTORY = [
    {"role": "system", "content": "Be brief."},
    ASK,
    {"role": "assistant", "content": None, "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    {"role": "tool", "tool_call_id": "call_0", "content": [{"type": "text", "text": "sun"}]},
]
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "weather", "schema": CITY, "strict": True}}
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [ASK]},
    "tools": {"messages": HISTORY, "tools": [WEATHER]},
    "image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]}]},
    "schema": {"messages": [ASK], "response_format": SCHEMA},
    "json": {"messages": [ASK], "response_format": {"type": "json_object"}},
    "sampling": {
        "messages": [ASK],
        "temperature": 0.5,
        "top_p": 0.25,
        "seed": 7,
        "stop": ["END"],
        "max_tokens": 12,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "extra_body": {"top_k": 3, "min_p": 0.125},
    },
    "thinking": {"messages": [ASK], "reasoning_effort": "low"},
}


class Stage(Struct, frozen=True):
    """An everup with a capturing Ollama behind it and the official client before it."""

    provider: ScriptedProvider
    sdk: openai.AsyncOpenAI

    async def ask(self, *, stream: bool, **fields: Any) -> Told:
        """Return what the SDK hears."""
        if stream:
            options = {"include_usage": True}
            return await hear_stream(
                await self.sdk.chat.completions.create(model=MODEL, **fields, stream=True, stream_options=options)
            )
        return hear(await self.sdk.chat.completions.create(model=MODEL, **fields))


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup before a scripted Ollama."""
    async with ScriptedProvider() as provider:
        row = {"wire": "ollama", "base_url": provider.base_url.removesuffix("/v1")}
        text = config_text(providers={"ollama": row}, routes={}, limits={"cheap_cooldown_max_s": 0.001})
        async with (
            Gateway(tmp_path_factory.mktemp("ollama"), text) as gateway,
            openai.AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0) as sdk,
        ):
            yield Stage(provider, sdk)
            assert [] == provider.complaints


TWO_CALLS = (("weather", {"city": "Bern"}), ("weather", {"city": "Zürich", "unit": "C"}))
COUNTS = {"input_tokens": 26, "output_tokens": 11, "model": "qwen3:8b"}
TEXT: tuple[dict[str, Any], ...] = ({"content": "Hé, "}, {"content": "Bern 🏔"})
ANSWERS: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any]]] = {
    "text": (TEXT, {"text": "Hé, Bern 🏔", "finish": "stop"}),
    "thinking": (
        ({"thinking": "Let me "}, {"thinking": "see."}, {"content": "Sun."}),
        {"text": "Sun.", "thinking": "Let me see.", "finish": "stop"},
    ),
    "calls": (
        tuple({"tool_calls": [call]} for call in TWO_CALLS),
        {"calls": TWO_CALLS, "finish": "tool_calls"},
    ),
}
"""The pieces of Ollama's answer, and what is heard of it besides the counts."""


@pytest.fixture(scope="module")
def types() -> Any:
    """Return the SDK's types."""
    return pytest.importorskip(
        "ollama._types",  # not at the top: it takes a second to import
        reason="the official `ollama` SDK is not installed: its types cannot judge",
    )


def line(types: Any, message: dict[str, Any], *, done: bool) -> bytes:
    """Return one object of Ollama's, made by the SDK's types."""
    function = types.Message.ToolCall.Function
    calls = [
        types.Message.ToolCall(function=function(name=name, arguments=arguments))
        for name, arguments in message.get("tool_calls", ())
    ]
    said = {"content": "", **message, "tool_calls": calls or None}
    more = {"done_reason": "stop", "prompt_eval_count": 26, "eval_count": 11, "total_duration": 5_043_500_667}
    made = types.ChatResponse(
        model="qwen3:8b",
        created_at="2026-11-25T08:52:19.385406455Z",
        done=done,
        message=types.Message(role="assistant", **said),
        **(more if done else {}),
    )
    return bytes(made.model_dump_json(exclude_none=True).encode())


def script(types: Any, pieces: tuple[dict[str, Any], ...]) -> s.Script:
    """Return Ollama's answer in both forms: one object, or a line for each piece and a last one."""
    joined: dict[str, Any] = {}
    for piece in pieces:
        for name, value in piece.items():
            joined[name] = joined[name] + value if name in joined else value
    whole = line(types, joined, done=True)
    whole_head = {"content-type": "application/json; charset=utf-8", "content-length": str(len(whole))}
    head = s.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
    lines = [*(line(types, piece, done=False) for piece in pieces), line(types, {}, done=True)]
    sent = [s.Send(s.chunk(each + b"\n")) for each in lines]
    return s.Script((s.Send(s.head(200, whole_head) + whole),), (s.Send(head), *sent, s.Send(s.LAST_CHUNK)))


def judge(types: Any, request: Request) -> dict[str, Any]:
    """Return what everup sent, once the SDK's types have found nothing that they do not know or would not send."""
    sent = request.json
    options = sent.get("options") or {}
    assert set(sent) <= {*types.ChatRequest.model_fields, *NEWER}
    assert set(options) <= {*types.Options.model_fields, *NEWER_OPTIONS}
    types.ChatRequest.model_validate(sent)
    types.Options.model_validate(options)
    for message in sent["messages"]:
        assert set(message) <= {*types.Message.model_fields, *NEWER_IN_MESSAGES}
        images = [types.Image(value=each) for each in message.get("images", ())]
        made = types.Message.model_validate({**message, "images": images})
        assert message.get("images", []) == made.model_dump()["images"]
    return sent


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", REQUESTS)
async def test_the_sdk_would_send_the_same(stage: Stage, types: Any, name: str, *, stream: bool) -> None:
    """What everup sends holds no field and no value that the SDK's own request would not hold."""
    stage.provider.script(script(types, TEXT))
    await stage.ask(stream=stream, **REQUESTS[name])
    request = stage.provider.requests[-1]
    assert ("/api/chat", "qwen3:8b", stream) == (request.target, judge(types, request)["model"], request.json["stream"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ANSWERS)
async def test_answers_of_the_sdks_types_arrive(stage: Stage, types: Any, name: str, *, stream: bool) -> None:
    """Text, thinking, calls and counts of an answer made by the SDK's types are what the `openai` SDK reads."""
    pieces, expected = ANSWERS[name]
    stage.provider.script(script(types, pieces))
    assert Told(**expected, **COUNTS) == await stage.ask(stream=stream, messages=[ASK], tools=[WEATHER])


async def test_the_conversation_is_the_same(stage: Stage, types: Any) -> None:
    """Calls go as objects, results by the name of their tool, in the client's order."""
    stage.provider.script(script(types, TEXT))
    await stage.ask(stream=False, **REQUESTS["tools"])
    sent = judge(types, stage.provider.requests[-1])
    assert ["system", "user", "assistant", "tool", "tool"] == [message["role"] for message in sent["messages"]]
    told = [made["function"] for made in sent["messages"][2]["tool_calls"]]
    assert [("weather", {"city": "Bern"}), ("weather", {"city": "Zürich"})] == [
        (each["name"], each["arguments"]) for each in told
    ]
    assert ["rain", "sun"] == [message["content"] for message in sent["messages"][3:]]
    assert ["weather", "weather"] == [message["tool_name"] for message in sent["messages"][3:]]
    assert CITY == sent["tools"][0]["function"]["parameters"]


async def test_an_image_is_its_bytes(stage: Stage, types: Any) -> None:
    """An image goes as base64 without a prefix."""
    stage.provider.script(script(types, TEXT))
    await stage.ask(stream=False, **REQUESTS["image"])
    sent = judge(types, stage.provider.requests[-1])
    assert base64.b64decode(PIXEL) == base64.b64decode(sent["messages"][-1]["images"][0], validate=True)


async def test_numbers_are_options(stage: Stage, types: Any) -> None:
    """Numbers that steer the choice of words arrive under Ollama's names, and unnamed limits nowhere."""
    stage.provider.script(script(types, TEXT))
    await stage.ask(stream=False, **REQUESTS["sampling"])
    expected = {
        "temperature": 0.5,
        "top_p": 0.25,
        "seed": 7,
        "stop": ["END"],
        "num_predict": 12,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "top_k": 3,
        "min_p": 0.125,
    }
    assert expected == judge(types, stage.provider.requests[-1])["options"]


@pytest.mark.parametrize(("name", "expected"), [("schema", CITY), ("json", "json"), ("plain", None)])
async def test_the_form_of_an_answer(stage: Stage, types: Any, name: str, expected: object) -> None:
    """A schema goes as it is, any JSON as the word, and nothing where nothing was asked."""
    stage.provider.script(script(types, TEXT))
    await stage.ask(stream=False, **REQUESTS[name])
    assert expected == judge(types, stage.provider.requests[-1]).get("format")
