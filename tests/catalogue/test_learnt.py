"""What providers told of their models fills the gaps of the configuration."""

from __future__ import annotations

from msgspec.structs import replace

from everup.catalogue.learnt import with_facts
from everup.shapes.found import Facts
from everup.shapes.route import Caps, Model, ModelRef, Provider, Route
from everup.shapes.snapshot import Snapshot

BOX = Provider(name="box", wire="ollama", base_url="http://127.0.0.1:11434", caps=Caps(structured=True))
KNOWN, SAID = ModelRef("box", "qwen3:4b"), ModelRef("box", "gemma3")
SNAPSHOT = Snapshot(
    providers={"box": BOX},
    models={str(SAID): Model(ref=SAID, caps=Caps(tools=True), context_tokens_max=8192)},
    routes={"default": Route(name="default", chain=(KNOWN, SAID, ModelRef("gone", "x")))},
)
TOLD = Facts(caps=Caps(tools=False, images=True, reasoning=True), context_tokens_max=40960, is_chat=True)


def facts_of(provider: str, _model: str) -> Facts | None:
    """Return the same of every model of the provider `box`."""
    return TOLD if provider == "box" else None


def test_gaps_are_filled_and_what_was_said_stays() -> None:
    """A model that config says nothing of gets what its provider told; what config says of another one stays."""
    models = with_facts(SNAPSHOT, facts_of).models
    assert {"box/qwen3:4b", "box/gemma3"} == set(models)
    filled, said = models["box/qwen3:4b"], models["box/gemma3"]
    assert (40960, Caps(tools=False, images=True, structured=True, reasoning=True)) == (
        filled.context_tokens_max,
        filled.caps,
    )
    assert (8192, Caps(tools=True, images=True, reasoning=True)) == (said.context_tokens_max, said.caps)


def test_nothing_new_is_the_same_snapshot() -> None:
    """Where nothing is told, or nothing new, the snapshot is the very same one and need not be swapped."""
    assert with_facts(SNAPSHOT, lambda _provider, _model: None) is SNAPSHOT
    once = with_facts(SNAPSHOT, facts_of)
    assert with_facts(once, facts_of) is once
    assert replace(once, models=SNAPSHOT.models) == SNAPSHOT
