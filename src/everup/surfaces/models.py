"""
`GET /v1/models` and `/v1/models/{id}`: routes first, then real models.

What must not live here: asking providers (see `catalogue`). Only names that the caller's key may use are listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec

from everup.errors import RequestError
from everup.policy.resolve import known_models, resolve
from everup.surfaces.openai_chat import Listed
from everup.surfaces.reply import JSON, send_whole

if TYPE_CHECKING:
    from everup.shapes.snapshot import Client, Snapshot
    from everup.surfaces.arrival import Call
    from everup.surfaces.openai_chat import Catalogue

PREFIX = b"/v1/models/"
CREATED_UNIX_S = 0
"""The wire wants a date; a route has none."""
ID_BYTES_MAX = 512


def make_row(name: str, owner: str) -> dict[str, Any]:
    """Return one model as the wire lists it."""
    return {"id": name, "object": "model", "created": CREATED_UNIX_S, "owned_by": owner}


def make_rows(snapshot: Snapshot, listed: Listed, client: Client) -> list[dict[str, Any]]:
    """Return what a client may ask for by name: routes, then `provider/model`."""
    allowed = client.routes
    rows = [make_row(name, "everup") for name in snapshot.routes if not allowed or name in allowed]
    for ref in known_models(snapshot, listed):
        name = str(ref)
        if name not in snapshot.routes and (not allowed or name in allowed):
            rows.append(make_row(name, ref.provider))
    return rows


def read_id(path: bytes) -> str:
    """Return the model id in a path, decoded once; 404 for one that is no text."""
    try:
        name = unquote_to_bytes(path[len(PREFIX) :].removesuffix(b"/")).decode()
    except UnicodeDecodeError:
        name = ""
    if not name or len(name) > ID_BYTES_MAX or not name.isprintable():
        raise RequestError(404, "model_not_found", "No model has this id.", hint="`everup models` lists all.")
    return name


class Models:
    """Both endpoints."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    async def list(self, call: Call) -> None:
        """Answer with every model this client may use."""
        snapshot, client = call.snapshot, call.client
        rows = make_rows(snapshot, Listed(snapshot, self.catalogue), client) if client else []
        await send_whole(call, 200, [JSON], msgspec.json.encode({"object": "list", "data": rows}))

    async def one(self, call: Call) -> None:
        """Answer with one model, by any name that a request may use for it."""
        snapshot, client = call.snapshot, call.client
        name = read_id(call.path)
        if client is None:
            raise RequestError(404, "model_not_found", "No model has this id.")
        route = resolve(name, snapshot, Listed(snapshot, self.catalogue), client)
        owner = route.chain[0].provider if route.is_asked_by_name else "everup"
        await send_whole(call, 200, [JSON], msgspec.json.encode(make_row(name, owner)))
