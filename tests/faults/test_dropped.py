"""What a provider's wire has no word for is left out by name, and told in `x-everup-dropped`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from everup.testing import anthropic as a
from everup.testing import ollama as o
from everup.testing import scripts as s
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

HEADER = "x-everup-dropped"
WIRES = {
    "claude": "anthropic",
    "llama": "ollama",
    "gpt": "openai_chat",
    "down": "openai_chat",
    "claude2": "anthropic",
    "gone": "anthropic",
}
ROUTES = {
    "anthropic": ["claude/m"],
    "ollama": ["llama/m"],
    "openai": ["gpt/m"],
    "behind": ["down/m", "claude2/m"],
    "before": ["gone/m", "gpt/m"],
}
GOOD = {"anthropic": a.reply("fine"), "ollama": o.reply("fine"), "openai_chat": s.reply("fine")}
FIELDS = {"seed": 7, "logit_bias": {"50256": -100}}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup with providers of each wire."""
    tables = {name: {"wire": wire} for name, wire in WIRES.items()}
    async with open_stage(tmp_path_factory.mktemp("dropped"), ROUTES, tables=tables) as running:
        for name, wire in WIRES.items():
            running[name].script(GOOD[wire])
        running["down"].script(s.error(404, None, "model_not_found", "no such model"))
        running["gone"].script(a.error(404, message="model: m"))
        yield running


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("route", "dropped"),
    [
        ("anthropic", "seed, logit_bias"),
        ("ollama", "logit_bias"),
        ("openai", None),
        ("behind", "seed, logit_bias"),
        ("before", None),
    ],
)
async def test_what_was_left_out_is_named(stage: Stage, route: str, dropped: str | None, *, stream: bool) -> None:
    """The header names what the one that answered could not be told, in the client's order; none where all fits."""
    answer = await stage.gateway.ask(route, stream=stream, **FIELDS)
    assert (200, "fine") == (answer.status, answer.text)
    assert dropped == answer.headers.get(HEADER)


async def test_the_order_is_the_clients(stage: Stage) -> None:
    """Another order of the same fields is another order in the header, and the bodies sent are the same."""
    before = len(stage["claude"].requests)
    answers = [
        await stage.gateway.ask("anthropic", **fields) for fields in (FIELDS, dict(reversed(list(FIELDS.items()))))
    ]
    assert ["seed, logit_bias", "logit_bias, seed"] == [answer.headers[HEADER] for answer in answers]
    one, two = stage["claude"].requests[before:]
    assert one.body == two.body
    assert [] == [name for name in FIELDS if name in one.json]


async def test_a_request_that_fits_names_nothing(stage: Stage) -> None:
    """Without such a field there is no header."""
    answer = await stage.gateway.ask("anthropic", temperature=0.5, max_tokens=9, stop=["x"], user="u-1")
    assert (200, None) == (answer.status, answer.headers.get(HEADER))
