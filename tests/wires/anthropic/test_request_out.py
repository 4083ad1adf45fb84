"""Each field of a request reaches Anthropic as its API wants it; what it has no word for is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from everup.shapes.chat import ChatRequest, Format, Reasoning, Sampling
from everup.wires.anthropic.request_out import write_chat
from tests.wires.anthropic.upstream import (
    ADAPTIVE,
    BUDGET,
    DEFAULT_ON,
    HI,
    MIDDLE,
    NEWEST,
    OLD,
    PLAIN,
    TOOL,
    body,
    candidate,
    dropped,
    encoded,
    model,
    system,
)


def sampled(*, to: str = OLD, reasoning: Reasoning | None = None, **numbers: Any) -> tuple[dict[str, Any], set[str]]:
    """Return a body whose sampling is this, and what was dropped."""
    fields: dict[str, Any] = {"sampling": Sampling(**numbers), "reasoning": reasoning, "to": to}
    return body(**fields), set(dropped(**fields))


def test_a_plain_request_is_three_fields() -> None:
    """A conversation alone is sent as model, messages and the limit that this wire requires."""
    assert {
        "model": BUDGET,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "max_tokens": 32000,
    } == body()


def test_fields_that_grow_stand_last() -> None:
    """What stands before the messages is the same for a longer conversation."""
    sent = body(system(), HI, tools=(TOOL,), is_stream=True, user="u-1")
    assert ["model", "system", "tools", "messages", "max_tokens", "metadata", "stream"] == list(sent)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-3-opus-latest", 4096),
        ("claude-3-5-haiku-20241022", 8192),
        ("claude-3-7-sonnet-latest", 32000),
        (BUDGET, 32000),
        (NEWEST, 32000),
        (PLAIN, 8192),
    ],
)
def test_the_limit_nobody_set(model: str, limit: int) -> None:
    """Without a limit of its own a request gets that of the model's family."""
    assert limit == body(to=model)["max_tokens"]


def test_the_limit_somebody_set() -> None:
    """The client's limit comes before a configured parameter, that before the model's, that before the family's."""
    known = candidate(output_tokens_max=50_000)
    configured = candidate(output_tokens_max=50_000, params={"max_tokens": 700})
    limits = [body(to=configured, output_tokens_max=9), body(to=configured), body(to=known)]
    assert [9, 700, 50_000] == [sent["max_tokens"] for sent in limits]
    assert 32_000 == body(to=candidate(params={"max_tokens": -1}))["max_tokens"]


def test_a_limit_beyond_the_model_is_the_model_s() -> None:
    """A client's limit larger than what the family can answer is the family's."""
    limits = {
        OLD: 4096,
        "claude-3-5-sonnet-latest": 8192,
        "claude-3-7-sonnet-latest": 64_000,
        "claude-opus-4-1": 32_000,
        "claude-sonnet-4-0": 64_000,
        BUDGET: 64_000,
        MIDDLE: 128_000,
        NEWEST: 128_000,
        PLAIN: 1_000_000,
    }
    assert limits == {model: body(to=model, output_tokens_max=1_000_000)["max_tokens"] for model in limits}


def test_sampling_numbers() -> None:
    """Temperature, top_p and top_k have the same words here."""
    sent, lost = sampled(temperature=0.5, top_p=0.9, top_k=7)
    assert (0.5, 0.9, 7, set()) == (sent["temperature"], sent["top_p"], sent["top_k"], lost)


@pytest.mark.parametrize(("given", "sent"), [(1.7, 1), (-0.5, 0), (0, 0), (1, 1)])
def test_temperature_is_clamped(given: float, sent: float) -> None:
    """A temperature beyond this wire's range is its nearest end, and not dropped."""
    found, lost = sampled(temperature=given)
    assert (sent, set()) == (found["temperature"], lost)


@pytest.mark.parametrize("name", ["min_p", "seed", "presence_penalty", "frequency_penalty"])
def test_numbers_without_a_word(name: str) -> None:
    """Numbers that Anthropic has no word for are left out and named."""
    sent, lost = sampled(**{name: 1})
    assert {name} == lost
    assert name not in sent


@pytest.mark.parametrize("model", [ADAPTIVE, DEFAULT_ON, NEWEST])
def test_models_that_refuse_sampling(model: str) -> None:
    """Newer models get no sampling numbers; those that say more than the default are named."""
    sent, lost = sampled(to=model, temperature=0.5, top_p=0.97, top_k=1)
    assert {"temperature", "top_p", "top_k"} == lost
    assert sent.keys().isdisjoint(lost)
    assert set() == sampled(to=model, temperature=1, top_p=1)[1]


@pytest.mark.parametrize("model", ["claude-opus-4-1", "claude-haiku-4-5", BUDGET, MIDDLE])
def test_models_that_take_one_of_two_numbers(model: str) -> None:
    """From Opus 4.1 on temperature and top_p exclude each other."""
    assert {"top_p"} == sampled(to=model, temperature=0.5, top_p=0.9)[1]
    assert set() == sampled(to="claude-opus-4-0", temperature=0.5, top_p=0.9)[1]


def test_models_that_take_one_of_two() -> None:
    """Where temperature and top_p exclude each other the first counts, unless it is the default."""
    sent, lost = sampled(to=BUDGET, temperature=0.5, top_p=0.9, top_k=3)
    assert (0.5, 3, {"top_p"}) == (sent["temperature"], sent["top_k"], lost)
    assert "top_p" not in sent
    sent, lost = sampled(to=BUDGET, temperature=1, top_p=0.9)
    assert (0.9, set()) == (sent["top_p"], lost)
    assert "temperature" not in sent
    assert 0.9 == sampled(to=BUDGET, top_p=0.9)[0]["top_p"]
    assert 1 == sampled(to=BUDGET, temperature=1)[0]["temperature"]


def test_thinking_binds_the_sampling() -> None:
    """While a model thinks, temperature and top_k are left out and named, and top_p stays where it is lawful."""
    thinking = Reasoning(budget_tokens=2000)
    sent, lost = sampled(to="claude-3-7-sonnet-latest", reasoning=thinking, temperature=0.5, top_p=0.97, top_k=7)
    assert (0.97, {"temperature", "top_k"}) == (sent["top_p"], lost)
    assert {"top_p"} == sampled(to="claude-3-7-sonnet-latest", reasoning=thinking, top_p=0.5)[1]
    assert set() == sampled(to="claude-3-7-sonnet-latest", reasoning=thinking, temperature=1)[1]


def test_stop_sequences() -> None:
    """Stop sequences keep their order; one of blanks, which the provider refuses, is left out and named."""
    sent, lost = sampled(stop=("END", "\n\nHuman:"))
    assert (["END", "\n\nHuman:"], set()) == (sent["stop_sequences"], lost)
    sent, lost = sampled(stop=("\n",))
    assert {"stop"} == lost
    assert "stop_sequences" not in sent


@pytest.mark.parametrize("user", ["u-1", "account 7", "5f0c1d2e-aaaa-bbbb-cccc-1234567890ab"])
def test_an_opaque_user(user: str) -> None:
    """Who asks is passed on as metadata."""
    assert {"user_id": user} == body(user=user)["metadata"]


@pytest.mark.parametrize("user", ["ann@example.org", "+49 (170) 1234567", "u" * 300])
def test_a_user_the_provider_would_refuse(user: str) -> None:
    """An address, a telephone number or a long word becomes an opaque one, always the same."""
    first, second = (body(user=user)["metadata"]["user_id"] for _ in range(2))
    assert first == second != body(user=user + "0")["metadata"]["user_id"]
    assert first.startswith("user_")
    assert len(first) == 29


def test_a_stream_is_asked_for() -> None:
    """A streamed request says so, any other nothing."""
    assert body(is_stream=True)["stream"] is True
    assert "stream" not in body()


def test_what_has_no_counterpart_is_named_by_the_client_s_words() -> None:
    """Fields without any word come last, in the client's order."""
    lost = dropped(sampling=Sampling(seed=1), unread=("logprobs", "n"), keep_alive='"5m"', format=Format())
    assert ("response_format", "seed", "keep_alive", "logprobs", "n") == lost


def test_configured_params_fill_gaps() -> None:
    """Configured params are added where the request says nothing, one level down in tables, never over it."""
    params = {
        "temperature": 0.1,
        "service_tier": "auto",
        "model": "other",
        "messages": [],
        "stream": True,
        "metadata": {"user_id": "configured", "more": 1},
        "thinking": {"type": "disabled"},
    }
    sent = body(to=candidate(OLD, params=params), sampling=Sampling(temperature=0.5), user="u-1")
    assert (0.5, "auto", OLD) == (sent["temperature"], sent["service_tier"], sent["model"])
    assert {"user_id": "u-1", "more": 1} == sent["metadata"]
    assert sent["messages"]
    assert "stream" not in sent
    assert {"type": "disabled"} == sent["thinking"]
    assert {"user_id": "u-1"} == body(to=candidate(params={"metadata": "no table"}), user="u-1")["metadata"]


def test_a_configured_budget_never_joins_another_thinking() -> None:
    """Configured thinking is taken as a whole or not at all: two kinds of it do not mix."""
    params = {"thinking": {"type": "enabled", "budget_tokens": 5000}}
    sent = body(to=candidate(MIDDLE, params=params), reasoning=Reasoning(is_adaptive=True))
    assert {"type": "adaptive"} == sent["thinking"]


def test_the_same_request_gives_the_same_bytes() -> None:
    """Encoding is a function of the request and the candidate alone."""
    chat = ChatRequest(messages=(system(), HI), tools=(TOOL,), user="a@b.c")
    assert write_chat(chat, candidate(), foreign=None) == write_chat(chat, candidate(), foreign=None)
    assert encoded().body.startswith(b'{"model":"claude-sonnet-4-5","messages":[')


@pytest.mark.parametrize(
    ("to", "quirks", "role"),
    [
        (ADAPTIVE, frozenset(), "system"),
        (BUDGET, frozenset(), "user"),
        (ADAPTIVE, frozenset({"no_system_turns"}), "user"),
    ],
)
def test_instructions_amid_a_conversation_stand_where_they_are(to: str, quirks: frozenset[str], role: str) -> None:
    """A model that takes them gets them as a turn of their own, any other as a user's text, in the same place."""
    chat = ChatRequest(messages=(HI, model("hello"), HI, system("Be kind.")))
    sent = msgspec.json.decode(write_chat(chat, candidate(to, quirks=quirks), foreign=None).body)
    assert "system" not in sent
    assert role == sent["messages"][-1]["role"]
    assert "Be kind." in sent["messages"][-1]["content"][-1]["text"]
