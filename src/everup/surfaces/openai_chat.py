"""
`POST /v1/chat/completions`: OpenAI's chat wire, answered by the engine.

What must not live here: the wire's format (see `wires.openai_chat`) and the choice of a model (see `engine`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from everup.engine.run import Exhausted
from everup.policy.resolve import resolve
from everup.shapes.arrival import Arrival
from everup.surfaces.arrival import Call, check_json, read_body, read_deadline_s
from everup.surfaces.reply import Reply, internal_failure

if TYPE_CHECKING:
    from everup.engine.out import Out
    from everup.observe.metrics import Metrics
    from everup.shapes.asked import Asked
    from everup.shapes.route import Route
    from everup.shapes.snapshot import Snapshot
    from everup.surfaces.keys import KeyRing
    from everup.wires.base import Wire

SURFACE = "openai_chat"


class Engine(Protocol):
    """What answers."""

    async def answer(self, asked: Asked, route: Route, arrival: Arrival, out: Out) -> None:
        """Answer into `out`; `Exhausted` before it began, if nothing answers."""
        ...


class Catalogue(Protocol):
    """What providers list."""

    def models_of(self, provider: str) -> tuple[str, ...] | None:
        """Return a provider's own list of model ids, None where it is not known."""
        ...


class Listed(Mapping[str, tuple[str, ...]]):
    """The lists of every configured provider, looked up only where a name needs them."""

    def __init__(self, snapshot: Snapshot, catalogue: Catalogue) -> None:
        self.snapshot = snapshot
        self.catalogue = catalogue

    def __getitem__(self, provider: str) -> tuple[str, ...]:
        """Return a provider's list, empty where it is not known."""
        if provider not in self.snapshot.providers:
            raise KeyError(provider)
        return self.catalogue.models_of(provider) or ()

    def __iter__(self) -> Iterator[str]:
        """Return the providers' names."""
        return iter(self.snapshot.providers)

    def __len__(self) -> int:
        """Return how many providers there are."""
        return len(self.snapshot.providers)


class ChatCompletions:
    """The endpoint."""

    def __init__(self, engine: Engine, catalogue: Catalogue, keys: KeyRing, wire: Wire, metrics: Metrics) -> None:
        self.engine = engine
        self.catalogue = catalogue
        self.keys = keys
        self.wire = wire
        self.metrics = metrics

    async def __call__(self, call: Call) -> None:
        """Answer one request; `RequestError` and `Exhausted` are the caller's to encode."""
        snapshot = call.snapshot
        client = call.client
        if client is None:
            message = "a chat request reached its endpoint without a client"
            raise AssertionError(message)
        limits = snapshot.limits
        check_json(call.headers)
        asked = self.wire.read_request(await read_body(call, limits.body_bytes_max), limits)
        route = resolve(asked.model, snapshot, Listed(snapshot, self.catalogue), client)
        arrival = Arrival(
            request_id=call.request_id,
            surface=SURFACE,
            client=client,
            received_mono_s=call.began_mono_s,
            snapshot=snapshot,
            deadline_s=read_deadline_s(call.headers),
        )
        reply = Reply(call, self.wire, limits, is_stream=asked.is_stream)
        call.watch()
        self.keys.open.add(call)
        try:
            await self.engine.answer(asked, route, arrival, reply)
        except Exhausted as error:
            await reply.fail(error.failure)
        except asyncio.CancelledError:
            await self.cancelled(call, reply)
        except Exception:
            if not reply.is_sent:
                raise
            # Too late for a status: tell it in the stream and cut, then let the boundary log it.
            await reply.fail(internal_failure(call.request_id))
            raise
        finally:
            call.unwatch()
            self.keys.open.discard(call)

    async def cancelled(self, call: Call, reply: Reply) -> None:
        """Tell the client why its request ended if we ended it; else let go."""
        if call.ending is not None:
            self.metrics.count("everup_streams_cut_total", (call.ending.code,))
            await reply.fail(call.ending)
        elif call.is_gone:
            self.metrics.count("everup_requests_left_total", (call.endpoint,))
        else:
            raise asyncio.CancelledError
