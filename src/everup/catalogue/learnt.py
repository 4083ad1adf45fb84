"""
What providers told of their models, put where the configuration says nothing.

What must not live here: asking them (see `ask`). A pure function of its arguments; whoever swaps snapshots calls it
after a refresh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from everup.shapes.route import Caps

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.found import Facts
    from everup.shapes.route import Model
    from everup.shapes.snapshot import Snapshot

    FactsOf = Callable[[str, str], Facts | None]
    """Provider, model -> what is known."""


def with_facts(snapshot: Snapshot, facts_of: FactsOf) -> Snapshot:
    """
    Return the snapshot with what is known of the models its routes ask.

    The same object when nothing is new. What the configuration says of a model or its provider stays.
    """
    models = dict(snapshot.models)
    for ref in dict.fromkeys(ref for route in snapshot.routes.values() for ref in route.chain):
        facts = facts_of(ref.provider, ref.model)
        if facts is not None:
            models[str(ref)] = learnt(snapshot.model(ref), facts)
    return snapshot if models == snapshot.models else replace(snapshot, models=models)


def learnt(model: Model, facts: Facts) -> Model:
    """Return a model with its gaps filled."""
    told = asdict(facts.caps)
    caps = {name: told[name] if value is None else value for name, value in asdict(model.caps).items()}
    window = model.context_tokens_max
    return replace(model, caps=Caps(**caps), context_tokens_max=facts.context_tokens_max if window is None else window)
