"""
What a first run finds.

Keys in the environment, servers on this machine, the embedded model.
What must not live here: looking for it (see `local`, `catalogue`). Turned into a configuration by `config.firstrun`.
"""

from __future__ import annotations

from msgspec import Struct

from everup.shapes.route import Caps


class Facts(Struct, frozen=True, kw_only=True):
    """What a provider tells of one of its models; None is unknown."""

    caps: Caps = Caps()
    context_tokens_max: int | None = None
    is_chat: bool | None = None
    """Whether it answers chats at all: embedding models do not."""


class FoundProvider(Struct, frozen=True, kw_only=True):
    """
    One provider found, with the model chosen for the route `default`.

    `key_env` names the variable that holds its key ("" for local servers). `models` is what its `/models`
    listed, None when it could not be asked; `note` says so in words ("key accepted", "not checked: no network").
    `facts` hold what it told of some of them, by model.
    """

    name: str
    base_url: str = ""
    is_local: bool = False
    key_env: str = ""
    models: tuple[str, ...] | None = None
    model: str = ""
    note: str = ""
    facts: dict[str, Facts] = {}


class Found(Struct, frozen=True, kw_only=True):
    """
    Everything found at one look, in the order it is preferred.

    Remote, then local servers.
    """

    providers: tuple[FoundProvider, ...] = ()
    embedded_model: str = ""
    """The embedded model's name where it can run here, else ""."""
    embedded_note: str = ""
    """Why it cannot, in words, else ""."""
    skipped: tuple[str, ...] = ()
    """Sentences about what was seen and left alone (a variable that holds everup's own key, say)."""
