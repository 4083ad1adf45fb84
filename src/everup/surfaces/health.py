"""
`GET /healthz` and `/readyz`: alive, and able to serve.

What must not live here: details for strangers: without a key they are told a code and nothing else (ruling 13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from everup.surfaces.reply import JSON, send_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.shapes.snapshot import Snapshot
    from everup.surfaces.arrival import Call


def why_not_ready(snapshot: Snapshot, *, is_draining: bool) -> str:
    """Return why new requests should go elsewhere, nothing when they may come."""
    if is_draining:
        return "draining"
    if not any(route.chain for route in snapshot.routes.values()):
        return "no candidate is configured"
    return ""


class Health:
    """Both endpoints; `is_draining` says whether the process is about to end."""

    def __init__(self, is_draining: Callable[[], bool]) -> None:
        self.is_draining = is_draining

    async def alive(self, call: Call) -> None:
        """Answer 200: the process runs and its loop turns."""
        await self.tell(call, 200, "ok", "")

    async def ready(self, call: Call) -> None:
        """Answer 200, or 503 while draining or with nothing configured that could answer."""
        why = why_not_ready(call.snapshot, is_draining=self.is_draining())
        await self.tell(call, 503 if why else 200, "unavailable" if why else "ok", why)

    async def tell(self, call: Call, status: int, word: str, why: str) -> None:
        """Answer with the word, and for a caller with a key with what is behind it."""
        shown: dict[str, Any] = {"status": word}
        if call.client is not None:
            shown |= {"reason": why or None, "routes": list(call.snapshot.routes), "config_rev": call.snapshot.rev}
        await send_whole(call, status, [JSON], msgspec.json.encode(shown))
