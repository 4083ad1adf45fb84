"""
`GET /status` and `/metrics`: what the gateway is doing, for its administrator.

What must not live here: gathering it (`app` composes the status). No secret is in either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from everup.surfaces.reply import JSON, send_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from everup.observe.log import Log
    from everup.observe.metrics import Metrics
    from everup.surfaces.arrival import Call

TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
NO_STORE = (b"cache-control", b"no-store")


class Control:
    """Both endpoints."""

    def __init__(
        self,
        status: Callable[[], dict[str, Any]],
        metrics: Metrics,
        log: Log,
        counts: Callable[[], dict[str, int]],
    ) -> None:
        self.status = status
        self.metrics = metrics
        self.log = log
        self.counts = counts
        """Open connections and requests, by name."""

    async def tell_status(self, call: Call) -> None:
        """Answer with the status as JSON."""
        counts = self.counts()
        shown = {
            **self.status(),
            "connections": {"open": counts["connections"]},
            "requests_open": max(0, counts["requests"] - 1),  # this very one aside
        }
        await send_whole(call, 200, [JSON, NO_STORE], msgspec.json.encode(shown))

    async def tell_metrics(self, call: Call) -> None:
        """Answer with every metric as Prometheus text."""
        counts = self.counts()
        self.metrics.set("everup_connections_open", (), counts["connections"])
        self.metrics.set("everup_requests_open", (), counts["requests"])
        for why, lines in self.log.dropped.items():
            self.metrics.set("everup_log_lines_dropped_total", (why,), lines)
        await send_whole(call, 200, [TEXT, NO_STORE], self.metrics.render())
