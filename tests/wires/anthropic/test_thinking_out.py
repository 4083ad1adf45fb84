"""What a client says about thinking becomes what the model's family takes, or the nearest."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from everup.shapes.chat import Effort, Format, Reasoning, Thinking, ToolChoice, ToolMode
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
    call,
    dropped,
    model,
    result,
    user,
)

NAMED = ("reasoning_effort",)
FORCED: dict[str, Any] = {"tools": (TOOL,), "tool_choice": ToolChoice(ToolMode.REQUIRED)}


def asked(effort: Effort | None = None, *messages: Any, **fields: Any) -> tuple[Any, Any, tuple[str, ...]]:
    """Return thinking and effort of a body, and what was dropped."""
    wanted = fields.pop("reasoning", None) or Reasoning(effort=effort)
    sent = body(*messages, reasoning=wanted, **fields)
    lost = dropped(*messages, reasoning=wanted, **fields)
    return sent.get("thinking"), sent.get("output_config", {}).get("effort"), lost


@pytest.mark.parametrize(
    ("effort", "budget"),
    [
        (Effort.MINIMAL, 1024),
        (Effort.LOW, 2048),
        (Effort.MEDIUM, 8192),
        (Effort.HIGH, 16_000),
        (Effort.XHIGH, 16_000),
        (Effort.MAX, 16_000),
    ],
)
def test_an_effort_is_a_budget_for_older_models(effort: Effort, budget: int) -> None:
    """An effort is so many tokens, never more than half of the limit."""
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert (thinking, None, ()) == asked(effort, output_tokens_max=32_000)


def test_large_budgets() -> None:
    """The highest efforts have room where the limit has."""
    budgets = [
        asked(each, output_tokens_max=64_000)[0]["budget_tokens"] for each in (Effort.HIGH, Effort.XHIGH, Effort.MAX)
    ]
    assert [16_384, 24_576, 32_000] == budgets


@pytest.mark.parametrize(
    ("wish", "limit", "budget"),
    [(3000, 4096, 3000), (5000, 4096, 2048), (500, 4096, 1024), (1024, 1025, 1024), (9000, 1100, 1024)],
)
def test_a_client_s_budget(wish: int, limit: int, budget: int) -> None:
    """A lawful budget stays as it is; any other is the nearest lawful one below the limit."""
    thinking, _, lost = asked(reasoning=Reasoning(budget_tokens=wish), output_tokens_max=limit)
    assert ({"type": "enabled", "budget_tokens": budget}, ()) == (thinking, lost)


def test_a_limit_too_small_for_a_budget() -> None:
    """Under a limit that no budget fits below, thinking is left out and named."""
    assert (None, None, NAMED) == asked(Effort.HIGH, output_tokens_max=1024)


@pytest.mark.parametrize(
    ("effort", "to", "sent"),
    [
        (Effort.MINIMAL, MIDDLE, "low"),
        (Effort.LOW, MIDDLE, "low"),
        (Effort.MEDIUM, MIDDLE, "medium"),
        (Effort.HIGH, MIDDLE, "high"),
        (Effort.XHIGH, MIDDLE, "high"),
        (Effort.MAX, MIDDLE, "max"),
        (Effort.XHIGH, "claude-opus-4-7", "xhigh"),
        (Effort.MAX, NEWEST, "max"),
    ],
)
def test_an_effort_stays_one_for_newer_models(effort: Effort, to: str, sent: str) -> None:
    """Newer models take an effort, the nearest one they know."""
    thinking, told, lost = asked(effort, to=to)
    assert ("adaptive", sent, ()) == (thinking["type"], told, lost)


def test_thinking_is_shown() -> None:
    """Models that leave their thinking's text out by themselves are asked for it, unless the client wants none."""
    assert {"type": "adaptive", "display": "summarized"} == asked(Effort.LOW, to=ADAPTIVE)[0]
    assert {"type": "adaptive"} == asked(Effort.LOW, to=MIDDLE)[0]
    hidden = Reasoning(effort=Effort.LOW, is_shown=False)
    assert {"type": "adaptive"} == asked(reasoning=hidden, to=ADAPTIVE)[0]


def test_thinking_as_the_model_likes() -> None:
    """Thinking without a measure is adaptive, or a middle budget."""
    wanted = Reasoning(is_adaptive=True)
    assert ({"type": "adaptive"}, None, ()) == asked(reasoning=wanted, to=MIDDLE)
    assert {"type": "enabled", "budget_tokens": 8192} == asked(reasoning=wanted)[0]


def test_a_budget_for_models_that_know_both() -> None:
    """A client's own budget stays one where the family still takes it."""
    wanted = Reasoning(budget_tokens=3000)
    assert {"type": "enabled", "budget_tokens": 3000} == asked(reasoning=wanted, to=MIDDLE)[0]


@pytest.mark.parametrize(("budget", "effort"), [(1024, "low"), (4096, "medium"), (20_000, "high")])
def test_a_budget_is_an_effort_for_newer_models(budget: int, effort: str) -> None:
    """A family that takes no budgets gets the effort that is about as much."""
    thinking, told, lost = asked(reasoning=Reasoning(budget_tokens=budget), to=ADAPTIVE)
    assert ("adaptive", effort, ()) == (thinking["type"], told, lost)


def test_an_effort_counts_before_a_budget() -> None:
    """Who says both to a family that takes no budgets gets the effort."""
    assert "low" == asked(reasoning=Reasoning(effort=Effort.LOW, budget_tokens=20_000), to=ADAPTIVE)[1]


@pytest.mark.parametrize(
    ("to", "thinking", "effort"),
    [
        (OLD, None, None),
        (BUDGET, None, None),
        (ADAPTIVE, None, None),
        (DEFAULT_ON, {"type": "disabled"}, None),
        ("claude-sonnet-5", {"type": "disabled"}, None),
        ("claude-haiku-5-5", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", {"type": "between_tools"}, None),
        (NEWEST, None, "low"),
        ("claude-fable-5-1", None, "low"),
    ],
)
def test_no_thinking(to: str, thinking: dict[str, str] | None, effort: str | None) -> None:
    """Who wants no thinking gets none, or the least that the family has."""
    assert (thinking, effort, ()) == asked(Effort.NONE, to=to)
    assert (thinking, effort, ()) == asked(reasoning=Reasoning(budget_tokens=0), to=to)


@pytest.mark.parametrize("reasoning", [None, Reasoning(), Reasoning(is_shown=False)])
def test_nothing_said_is_nothing_sent(reasoning: Reasoning | None) -> None:
    """Who says nothing about how much gets the model's own way."""
    sent = body(reasoning=reasoning, to=ADAPTIVE)
    assert sent.keys().isdisjoint({"thinking", "output_config"})


def test_models_that_do_not_think() -> None:
    """A family that cannot think answers without, and that is named."""
    assert (None, None, NAMED) == asked(Effort.HIGH, to=OLD)


def test_other_models_get_a_budget() -> None:
    """Models that are not Claude, behind servers of this wire, are told by a budget."""
    assert {"type": "enabled", "budget_tokens": 2048} == asked(Effort.LOW, to=PLAIN)[0]


@pytest.mark.parametrize("fields", [FORCED, {"format": Format(schema=Raw(b"{}")), "to": "claude-opus-4-1"}])
def test_a_forced_tool_and_a_budget(fields: dict[str, Any]) -> None:
    """A forced tool, the client's or the structured answer's, forbids a budget: thinking is left out and named."""
    assert (None, None, NAMED) == asked(Effort.HIGH, **fields)


@pytest.mark.parametrize(
    ("to", "thinking", "lost"),
    [(MIDDLE, {"type": "adaptive"}, ()), (ADAPTIVE, None, NAMED), (DEFAULT_ON, None, ())],
)
def test_a_forced_tool_and_an_effort(to: str, thinking: dict[str, str] | None, lost: tuple[str, ...]) -> None:
    """With a forced tool the effort stays; thinking is turned on only where the family allows both."""
    assert (thinking, "high", lost) == asked(Effort.HIGH, to=to, **FORCED)


def test_a_forced_tool_turns_a_budget_into_an_effort() -> None:
    """A family that knows both thinks adaptively where a budget is forbidden."""
    assert {"type": "adaptive"} == asked(reasoning=Reasoning(budget_tokens=3000), to=MIDDLE, **FORCED)[0]


LOOP = (HI, model(call()), result("42"))


def test_a_tool_loop_without_its_thinking() -> None:
    """A call whose thinking is lost forbids a budget until the loop ends; the nearest is to answer without."""
    assert (None, None, NAMED) == asked(Effort.HIGH, *LOOP)
    assert "adaptive" == asked(Effort.HIGH, *LOOP, to=MIDDLE)[0]["type"]
    assert "enabled" == asked(Effort.HIGH, *LOOP, model("It is 42."), user("Sure?"))[0]["type"]


def test_a_tool_loop_with_its_thinking() -> None:
    """A call that comes back with its thinking lets the model go on thinking."""
    turns = (HI, model(Thinking(text="hm", signature="s=="), call()), result("42"))
    assert "enabled" == asked(Effort.HIGH, *turns)[0]["type"]
    assert (None, None, NAMED) == asked(Effort.HIGH, *turns, foreign=frozenset({"s=="}))


def test_a_begun_answer_and_a_budget() -> None:
    """An answer that the client began forbids a budget too."""
    assert (None, None, NAMED) == asked(Effort.HIGH, HI, model("The answer is"))


def test_an_effort_beside_a_schema() -> None:
    """Effort and the schema of the answer share one table."""
    sent = body(reasoning=Reasoning(effort=Effort.LOW), format=Format(schema=Raw(b'{"type":"object"}')), to=ADAPTIVE)
    assert {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}} == sent["output_config"]
