"""The commit machine: every pair, every short history, long random walks."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everup.policy.commit import TABLE, Action, Signal, Stage, commit, signal_of
from everup.shapes.events import Seen

SENDS_HEAD = {Action.RELEASE, Action.RELEASE_END, Action.OPEN}
SENDS_CONTENT = {Action.RELEASE, Action.FORWARD, Action.RELEASE_END, Action.END}
ENDS = {Action.RELEASE_END, Action.END, Action.TELL, Action.REFUSE}


def walk(signals: tuple[Signal, ...]) -> list[tuple[Signal, Stage, Action]]:
    """Return what the machine does with a history."""
    stage, steps = Stage.HELD, []
    for signal in signals:
        stage, action = commit(stage, signal)
        steps.append((signal, stage, action))
    return steps


def check(signals: tuple[Signal, ...]) -> None:
    """Assert what must hold of every history."""
    steps = walk(signals)
    actions = [action for _, _, action in steps if action is not Action.NOTHING]
    heads = [n for n, action in enumerate(actions) if action in SENDS_HEAD]
    ends = [n for n, action in enumerate(actions) if action in ENDS]
    assert len(heads) <= 1
    assert len(ends) <= 1
    assert all(n == len(actions) - 1 for n in ends)
    if Action.REFUSE in actions:
        assert not heads
    if Action.TELL in actions:
        assert heads
    for n, action in enumerate(actions):
        if action in SENDS_CONTENT or action is Action.KEEP_ALIVE:
            assert heads
            assert heads[0] <= n
        if action is Action.DISCARD:
            shown = {Action.RELEASE, Action.FORWARD}
            assert not shown & set(actions[:n])


@pytest.mark.parametrize(("stage", "signal"), list(product([s for s in Stage if s is not Stage.ENDED], Signal)))
def test_every_open_stage_answers_every_signal(stage: Stage, signal: Signal) -> None:
    """Every stage but the last has a row for every signal."""
    assert (stage, signal) in TABLE


@pytest.mark.parametrize("signal", Signal)
def test_after_the_end_nothing_is_done(signal: Signal) -> None:
    """An ended answer obeys no signal any more."""
    assert (Stage.ENDED, Action.NOTHING) == commit(Stage.ENDED, signal)


def test_every_history_of_five_signals_keeps_the_rules() -> None:
    """No history of five signals sends two heads, two ends, or content before a head."""
    for signals in product(Signal, repeat=5):
        check(signals)


@given(st.lists(st.sampled_from(Signal), max_size=60))
def test_random_histories_keep_the_rules(signals: list[Signal]) -> None:
    """Long random histories keep the rules of short ones."""
    check(tuple(signals))


def test_a_fault_before_content_is_never_shown() -> None:
    """A fault while nothing was shown is discarded silently, and after content it is told."""
    assert (Stage.HELD, Action.DISCARD) == commit(Stage.HELD, Signal.FAULT)
    assert (Stage.OPENED, Action.DISCARD) == commit(Stage.OPENED, Signal.FAULT)
    assert (Stage.ENDED, Action.TELL) == commit(Stage.SHOWN, Signal.FAULT)


@pytest.mark.parametrize(
    ("seen", "signal"),
    [
        (Seen.PING, Signal.QUIET),
        (Seen.START | Seen.USAGE, Signal.QUIET),
        (Seen.CONTENT, Signal.CONTENT),
        (Seen.TOOL | Seen.FINISH, Signal.CONTENT),
        (Seen.FINISH | Seen.END, Signal.QUIET),
    ],
)
def test_only_text_thinking_and_tools_are_content(seen: Seen, signal: Signal) -> None:
    """Pings, roles, usage and ends do not commit an answer."""
    assert signal is signal_of(seen)
