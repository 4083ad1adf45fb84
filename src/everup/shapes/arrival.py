"""
A request as it came in, before its body means anything.

What must not live here: reading sockets (see `surfaces.arrival`). Made by surfaces, carried to the engine.
"""

from __future__ import annotations

from msgspec import Struct

from everup.shapes.snapshot import Client, Snapshot


class Arrival(Struct, frozen=True, kw_only=True):
    """
    Who asks, since when, under which snapshot.

    `received_mono_s` is on the loop's clock; `deadline_s` is what the client allows in all, None when it did
    not say (`x-everup-deadline-s`, an SDK's `x-stainless-read-timeout`).
    """

    request_id: str
    surface: str
    client: Client
    received_mono_s: float
    snapshot: Snapshot
    deadline_s: float | None = None
