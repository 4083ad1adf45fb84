"""docs/wires.md says what the translations do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from everup.shapes.chat import ChatRequest
from everup.shapes.limits import Limits
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider
from everup.wires.openai_chat.chat_in import READ
from everup.wires.table import WIRES
from tests.wires.support import request

CLIENT = WIRES["openai_chat"]
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
WORD = re.compile(r"`([^`]+)`")
PLACE = re.compile(r"^messages\[\d+\]\.(content\[\d+\]\.)?")
UNHEARD = "invented_in_2031"
MODELS = {
    "anthropic": ("claude-sonnet-4-5", "claude-opus-5", "claude-3-5-haiku-latest"),
    "ollama": ("qwen3:8b", "gpt-oss"),
}
WEATHER = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
EVERYTHING: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "Ann", "content": [{"type": "text", "text": "?"}, PICTURE]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And?"},
    ],
    "tools": [WEATHER],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "max_tokens": 99,
    "temperature": 1.5,
    "top_p": 0.5,
    "top_k": 3,
    "min_p": 0.1,
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "stop": ["END"],
    "user": "somebody",
    "reasoning_effort": "high",
    "n": 2,
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"5": 1},
    "prediction": {"type": "content", "content": "?"},
    "service_tier": "flex",
    "metadata": {"a": "b"},
    "store": True,
    UNHEARD: 1,
}
"""A request with every field that asks for something."""


@pytest.fixture(scope="module")
def sections(root: Path) -> dict[str, str]:
    """Return the page's sections by their heading."""
    page = (root / "docs" / "wires.md").read_text(encoding="utf-8")
    _, *rest = SECTION.split(page)
    return dict(zip(rest[::2], rest[1::2], strict=True))


def candidate(wire: str, model: str) -> Candidate:
    """Return a candidate of a provider that speaks this wire."""
    provider = Provider(name=wire, wire=wire, base_url="https://provider.example")
    profile = Profile(id="a", provider=wire)
    return Candidate(index=0, provider=provider, model=Model(ref=ModelRef(wire, model)), profile=profile)


def dropped(wire: str, model: str, **fields: Any) -> tuple[str, ...]:
    """Return what a translation says it could not hold."""
    chat = CLIENT.read_chat(CLIENT.read_request(request(**fields), Limits()))
    assert isinstance(chat, ChatRequest)
    encoded = WIRES[wire].write_chat(chat, candidate(wire, model), foreign=None)
    assert encoded.fault is None
    return encoded.dropped


def words(text: str) -> set[str]:
    """Return the words in backticks; in `tools.function.strict` the last one counts too."""
    found = WORD.findall(text)
    return {*found, *(part for word in found for part in re.split(r"[.\[\]: ]+", word))}


def test_every_pair_has_its_section(sections: dict[str, str]) -> None:
    """Each wire that a provider can speak has a section for clients of chat completions."""
    assert {f"openai_chat to {wire}" for wire in WIRES} <= set(sections)


@pytest.mark.parametrize("wire", MODELS)
def test_every_field_is_told(sections: dict[str, str], wire: str) -> None:
    """Every field that is read for a translation stands in the pair's section or in what all have in common."""
    told = words(sections[f"openai_chat to {wire}"] + sections["What is the same in every translation"])
    assert set() == READ - told - {"functions", "function_call", "modalities"}


@pytest.mark.parametrize(("wire", "model"), [(wire, model) for wire, models in MODELS.items() for model in models])
def test_what_is_dropped_is_told(sections: dict[str, str], wire: str, model: str) -> None:
    """Every name in `x-everup-dropped` for a request that asks for everything stands in one of the two sections."""
    told = words(sections[f"openai_chat to {wire}"] + sections["What is the same in every translation"])
    found = dropped(wire, model, **EVERYTHING)
    assert UNHEARD in found
    assert [] == [name for name in found if PLACE.sub("", name) not in told | {UNHEARD}]


@pytest.mark.parametrize("wire", MODELS)
def test_what_is_not_asked_is_not_dropped(wire: str) -> None:
    """A request that asks for what both wires have loses nothing."""
    assert () == dropped(wire, MODELS[wire][0], max_tokens=9, temperature=0.5, stop=["END"])
