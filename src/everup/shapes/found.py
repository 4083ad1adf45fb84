"""
What a first run finds.

Keys in the environment, servers on this machine, the embedded model.
What must not live here: looking for it (see `local`, `catalogue`). Turned into a configuration by `config.firstrun`.
"""

from __future__ import annotations

from msgspec import Struct


class FoundProvider(Struct, frozen=True, kw_only=True):
    """
    One provider found, with the model chosen for the route `default`.

    `key_env` names the variable that holds its key ("" for local servers). `models` is what its `/models`
    listed, None when it could not be asked; `note` says so in words ("key accepted", "not checked: no network").
    """

    name: str
    base_url: str = ""
    is_local: bool = False
    key_env: str = ""
    models: tuple[str, ...] | None = None
    model: str = ""
    note: str = ""


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
