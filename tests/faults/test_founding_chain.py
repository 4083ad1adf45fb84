"""
The chain of the founding bug: Anthropic with Ollama behind it, and the other way round, for an OpenAI client.

One provider is in trouble, the other answers: the client sees a right answer in its own words, whoever gave it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from everup.testing import anthropic as a
from everup.testing import ollama as o
from everup.testing import scripts as s
from everup.testing.client import Answer, event_fields
from tests.faults.shape import CANARY, LEAK
from tests.faults.stage import Stage, open_stage

pytestmark = pytest.mark.anyio

ORDERS = (("anthropic", "ollama"), ("ollama", "anthropic"))
TROUBLES = ("limited", "overloaded", "cut", "gone")
FORMS = (False, True)
WIRES = {"anthropic": "anthropic", "ollama": "ollama"}
SAYS = f"{CANARY} {LEAK}"
ANTHROPIC_TROUBLE = {
    "limited": a.error(429, message=SAYS, retry_after="60"),
    "overloaded": a.stream(
        *(a.BEGUN, a.PING, a.error_event("overloaded_error", SAYS)), whole=a.error(529, message=SAYS).whole
    ),
    "cut": a.stream(a.BEGUN, a.TEXT_BEGUN, s.Pause(0.1), s.Reset(), is_ended=False),
    "gone": a.error(404, message=f"model: m {SAYS}"),
}
OLLAMA_TROUBLE = {
    "limited": o.error(429, SAYS, retry_after="60"),
    "overloaded": o.error(503, f"server busy, please try again.  maximum pending requests exceeded {SAYS}"),
    "cut": o.stream(o.line(""), s.Pause(0.1), s.Reset(), is_ended=False),
    "gone": o.error(404, f"model 'm' not found {SAYS}"),
}
TROUBLE = {"anthropic": ANTHROPIC_TROUBLE, "ollama": OLLAMA_TROUBLE}
CUT = {
    "anthropic": a.stream(
        *(a.BEGUN, a.TEXT_BEGUN, *a.texts("Hel"), s.Pause(0.15), s.Reset()),
        is_ended=False,
        whole=s.play(s.Reset()).whole,
    ),
    "ollama": o.stream(*o.lines("Hel"), s.Pause(0.15), s.Reset(), is_ended=False, whole=s.play(s.Reset()).whole),
}
WHY = {"limited": "rate_limit", "overloaded": "overloaded", "cut": "cut", "gone": "model_not_found"}
GOOD = {"anthropic": a.reply("Hel", "lo"), "ollama": o.reply("Hel", "lo")}
CASES = [(*order, trouble, stream) for order in ORDERS for trouble in TROUBLES for stream in FORMS]
FIELDS: dict[str, Any] = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello to row one."}],
    "max_tokens": 64,
    "stream_options": {"include_usage": True},
}


def names(first: str, trouble: str, *, stream: bool) -> tuple[str, str]:
    """Return the names of the two providers of one case; nobody else asks them."""
    tail = f"{first}-{trouble}-{'stream' if stream else 'whole'}"
    return f"one-{tail}", f"two-{tail}"


def fields(*, stream: bool) -> dict[str, Any]:
    """Return a request."""
    return {**FIELDS, "stream": True} if stream else {k: v for k, v in FIELDS.items() if k != "stream_options"}


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A running everup with two providers for each case, and a chain of each order in which both are well."""
    chains = {names(first, trouble, stream=stream): (first, second) for first, second, trouble, stream in CASES}
    routes: dict[str, list[str]] = {f"{first}-first": [f"{first}/m", f"{second}/m"] for first, second in ORDERS}
    routes |= {one: [f"{one}/m", f"{two}/m"] for one, two in chains}
    routes |= {f"{first}-cut": [f"{first}-cut/m", f"{second}/m"] for first, second in ORDERS}
    wires = {
        **WIRES,
        **{f"{first}-cut": first for first, _ in ORDERS},
        **{name: wire for pair, both in chains.items() for name, wire in zip(pair, both, strict=True)},
    }
    tables = {name: {"wire": wire, "local": False} for name, wire in wires.items()}
    async with open_stage(tmp_path_factory.mktemp("founding"), routes, tables=tables) as running:
        yield running


def usage_of(answer: Answer) -> dict[str, Any]:
    """Return the token counts of an answer, streamed or not."""
    if not answer.is_stream:
        return dict(answer.json["usage"])
    return next(dict(usage) for event in answer.events if (usage := event_fields(event).get("usage")))


def finish_of(answer: Answer) -> list[str]:
    """Return the finish reasons of an answer, streamed or not."""
    bodies = [event_fields(event) for event in answer.events] if answer.is_stream else [answer.json]
    choices = [choice for body in bodies for choice in body.get("choices", [])]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


def the_answer_is_right(answer: Answer, *, stream: bool) -> None:
    """Text, finish reason, counts and framing are what a client of OpenAI's wire expects."""
    assert (200, "Hello", True) == (answer.status, answer.text, answer.is_complete), answer.body
    assert (stream, stream) == (answer.is_stream, answer.is_done)
    assert ["stop"] == finish_of(answer)
    counted = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    assert counted.items() <= usage_of(answer).items()
    assert CANARY.encode() not in answer.body


@pytest.mark.parametrize(("first", "second"), ORDERS)
@pytest.mark.parametrize("stream", FORMS)
async def test_the_first_answers_when_it_is_well(stage: Stage, first: str, second: str, *, stream: bool) -> None:
    """With both well the first answers, and the second is never asked."""
    stage[first].script(GOOD[first])
    before = stage.counts(first, second)
    answer = await stage.gateway.ask(f"{first}-first", **fields(stream=stream))
    the_answer_is_right(answer, stream=stream)
    assert f"{first}/m" == answer.headers["x-everup-model"]
    assert [before[0] + 1, before[1]] == stage.counts(first, second)


@pytest.mark.parametrize(("first", "second", "trouble", "stream"), CASES)
async def test_the_second_answers_for_the_first(
    stage: Stage, first: str, second: str, trouble: str, *, stream: bool
) -> None:
    """One call to each, the trail says why, and what the second is sent is what it is sent when it stands alone."""
    one, two = names(first, trouble, stream=stream)
    stage[one].script(TROUBLE[first][trouble])
    stage[two].script(GOOD[second])
    answer = await stage.gateway.ask(one, **fields(stream=stream))
    the_answer_is_right(answer, stream=stream)
    assert [1, 1] == stage.counts(one, two)
    assert f"{two}/m" == answer.headers["x-everup-model"]
    failed, answered = answer.trail.split("; ")
    assert failed.startswith(f"{one}/m={WHY[trouble]}")
    assert answered.startswith(f"{two}/m=ok")
    assert LEAK not in str(answer.headers)
    await stage.gateway.ask(f"{two}/m", **fields(stream=stream))
    sent, alone = stage[two].requests
    assert sent.body == alone.body
    assert CANARY.encode() not in sent.body


@pytest.mark.parametrize(("first", "second"), ORDERS)
async def test_what_was_shown_is_never_paid_for_again(stage: Stage, first: str, second: str) -> None:
    """After content a cut is told in the client's own wire, without a clean end, and nobody else is asked."""
    stage[f"{first}-cut"].script(CUT[first])
    before = stage.counts(second)
    answer = await stage.gateway.ask(f"{first}-cut", **fields(stream=True))
    assert ("Hel", False, False, []) == (answer.text, answer.is_complete, answer.is_done, finish_of(answer))
    assert {"message", "type", "code", "param"} == set(event_fields(answer.events[-1])["error"])
    assert [1, *before] == stage.counts(f"{first}-cut", second)
