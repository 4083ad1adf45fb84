"""The application from outside: every route, every error, over a socket."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from everup.engine.out import Out
from everup.engine.run import Exhausted
from everup.shapes.arrival import Arrival
from everup.shapes.asked import Asked
from everup.shapes.failure import Failure
from everup.shapes.limits import Limits
from everup.shapes.route import Route
from everup.shapes.snapshot import ClientScope
from everup.surfaces.keys import presented_key
from everup.surfaces.table import ROWS
from tests.surfaces.scene import ANSWER, BODY, CHAT, KEY, USER, USER_KEY, gateway, make_client, make_snapshot, replace

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("way")]


async def test_a_request_is_answered_with_its_headers() -> None:
    """An answer that is not streamed leaves whole, with its length, the request's id, the model and the trail."""
    async with gateway() as house:
        said = await house.ask()
    assert (200, ANSWER) == (said.status, said.body)
    assert str(len(ANSWER)) == said.headers["content-length"]
    assert said.headers["x-everup-request-id"].startswith("req_")
    assert ("p/org/model", "p/org/model=ok (1ms)") == (said.headers["x-everup-model"], said.headers["x-everup-trail"])
    assert 1 == said.raw.count(b"content-length")
    assert house.metrics.misused == set()


async def test_the_request_id_is_never_the_callers() -> None:
    """A request id that a client sends is not taken over."""
    async with gateway() as house:
        said = await house.ask(headers={"x-request-id": "mine"})
    assert "mine" not in said.raw.decode()


async def test_nothing_answered_is_an_error_in_the_wire() -> None:
    """When all candidates fail, status, retry headers and trail are those of the failure."""

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, _out: Out) -> None:
        failure = Failure(
            status=429, kind="rate_limit", code="rate_limited", message="no", retry_after_s=1.2, trail="a=b"
        )
        raise Exhausted(failure)

    async with gateway(act) as house:
        said = await house.ask()
    assert 429 == said.status
    assert ("2", "false", "a=b") == tuple(said.headers[n] for n in ("retry-after", "x-should-retry", "x-everup-trail"))
    assert "rate_limited" == said.code()


async def test_an_error_of_our_own_is_a_500_without_detail() -> None:
    """A bug of everup gives a JSON 500 with the request id, no trace, and the next request is served."""

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, _out: Out) -> None:
        message = "canary-in-a-bug"
        raise ZeroDivisionError(message)

    async with gateway(act) as house:
        said = await house.ask()
        again = await house.ask("GET", "/healthz")
    assert 500 == said.status
    assert said.headers["x-everup-request-id"] in said.json()["error"]["message"]
    assert b"canary" not in said.raw
    assert b"Traceback" not in said.raw
    assert 200 == again.status


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("role", ["none", "wrong", "inference", "admin"])
async def test_s9_every_route_for_every_role(row: object, role: str) -> None:
    """Each route lets in exactly the roles that the table names, and denies the others."""
    assert isinstance(row, type(ROWS[0]))
    key = {"none": None, "wrong": "eu-wrong", "inference": USER_KEY, "admin": KEY}[role]
    path = row.path.replace("{id}", "default")
    async with gateway() as house:
        said = await house.ask(row.method, path, key=key)
    if row.scope is None or role == "admin":
        allowed = 200
    elif role == "inference":
        allowed = 200 if row.scope is ClientScope.INFERENCE else 403
    else:
        allowed = 401
    assert allowed == said.status


async def test_s9_claims_of_a_client_about_its_scopes_are_ignored() -> None:
    """A scope named in headers or the query gives nothing."""
    async with gateway() as house:
        said = await house.ask("GET", "/status?scope=admin", headers={"x-scopes": "admin"}, key=USER_KEY)
    assert (403, "scope_missing") == (said.status, said.code())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": "Bearer  "}, 401),
        ({"authorization": f"Basic {KEY}"}, 401),
        ({"authorization": KEY}, 401),
        ({"authorization": "Bearer \xff\xfe"}, 401),
        ({"authorization": f"Bearer [{KEY!r}]"}, 401),
        ({"authorization": f"Bearer {KEY[:-1]}"}, 401),
        ({"authorization": f"Bearer {KEY}x"}, 401),
        ({"authorization": f"Bearer {KEY.upper()}"}, 401),
        ({"authorization": "Bearer wrong", "x-api-key": KEY}, 401),
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"authorization": f"bEARER {KEY}"}, 200),
        ({"authorization": f"Bearer   {KEY}"}, 200),
        ({"x-api-key": KEY}, 200),
        ({"x-api-key": "wrong"}, 401),
        ({"x-api-key": "[]"}, 401),
        ({"x-api-key": " "}, 401),
        ({"cookie": f"key={KEY}"}, 401),
    ],
)
async def test_s6_a_key_is_let_in_only_if_it_is_right(headers: dict[str, str], status: int) -> None:
    """Absent, empty, wrong in type, in another alphabet, nearly right: each is refused, and only the key is let in."""
    async with gateway() as house:
        said = await house.ask("GET", "/v1/models", headers=headers, key=None)
    assert status == said.status
    if status == 401:
        assert said.headers["www-authenticate"].startswith("Bearer")


async def test_s6_no_key_in_the_url() -> None:
    """A key in the query is no key."""
    async with gateway() as house:
        said = await house.ask("GET", f"/v1/models?api_key={KEY}&key={KEY}", key=None)
    assert 401 == said.status


async def test_s6_without_any_client_everything_is_closed() -> None:
    """With no key known at all no request is let in, not even with an empty key."""
    async with gateway() as house:
        house.keys.refresh(())
        said = [await house.ask("GET", "/v1/models", key=key) for key in (KEY, "", None)]
    assert [401, 401, 401] == [each.status for each in said]


async def test_s6_a_duplicate_key_header_is_refused() -> None:
    """Two Authorization headers are a 400: which one decides would be a guess."""
    async with gateway() as house:
        said = await house.raw(
            f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {KEY}\r\n"
            "Authorization: Bearer x\r\n\r\n".encode()
        )
    assert b" 400 " in said.split(b"\r\n")[0]


async def test_s7_wrong_keys_are_slowed_and_a_right_one_never_is() -> None:
    """Past the limit wrong keys get 429, whatever other header comes along, and the right key still gets in."""
    snapshot = make_snapshot(Limits(key_guesses_per_minute_max=5))
    mixes: list[dict[str, str]] = [{}, {"x-api-key": "other"}, {"x-forwarded-for": "10.0.0.1"}, {"cookie": "a=b"}]
    async with gateway(snapshot=snapshot) as house:
        said = [
            (await house.ask("GET", "/v1/models", headers=mix, key=f"eu-{n}")).status
            for n, mix in zip(range(20), itertools.cycle(mixes), strict=False)
        ]
        right = await house.ask("GET", "/v1/models")
        absent = await house.ask("GET", "/v1/models", key=None)
    assert [401] * 5 + [429] * 15 == said
    assert (200, 401) == (right.status, absent.status)


async def test_s8_a_revoked_key_is_dead_at_once() -> None:
    """A key that is no longer in the ring gets 401 from the next request on."""
    async with gateway() as house:
        before = await house.ask("GET", "/v1/models", key=USER_KEY)
        house.keys.refresh((make_client("own", KEY, ClientScope.ADMIN),))
        after = await house.ask("GET", "/v1/models", key=USER_KEY)
    assert (200, 401) == (before.status, after.status)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/chat/completions", "should end in /v1"),
        ("/models", "should end in /v1"),
        ("/models/default", "should end in /v1"),
        ("/v1/v1/chat/completions", "twice"),
        ("/v1/%6dodels", "docs"),
        ("/v1//models", "docs"),
        ("//v1/models", "docs"),
        ("/V1/models", "docs"),
        ("/", "Chats are a POST to /v1/chat/completions"),
        ("/v1/models/../../status", "lists all"),
    ],
)
async def test_s2_only_the_raw_path_decides(path: str, hint: str) -> None:
    """A path that is not in the table as it was sent is a JSON 404 that says what is probably wrong."""
    async with gateway() as house:
        said = await house.ask("GET", path)
    assert 404 == said.status
    assert hint in said.body.decode()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
async def test_a_wrong_method_is_a_405_with_what_is_allowed(method: str) -> None:
    """A known path with another method says which ones it answers."""
    async with gateway() as house:
        said = await house.ask(method, CHAT, body=b"")
    assert (405, "POST") == (said.status, said.headers["allow"])


async def test_a_closing_slash_is_forgiven_and_head_is_get() -> None:
    """`/v1/models/` is `/v1/models`; HEAD gives the head of GET without a body."""
    async with gateway() as house:
        slash = await house.ask("GET", "/v1/models/")
        head = await house.ask("HEAD", "/v1/models")
    assert (200, 200, b"") == (slash.status, head.status, head.body)
    assert int(head.headers["content-length"]) == len(slash.body)


async def test_models_lists_routes_first_then_real_models() -> None:
    """The list names routes as everup's own, then each provider's models."""
    async with gateway() as house:
        listed = (await house.ask("GET", "/v1/models")).json()["data"]
        one = (await house.ask("GET", "/v1/models/p/org%2Fmodel")).json()
        bare = await house.ask("GET", "/v1/models/p/org/model")
        missing = await house.ask("GET", "/v1/models/defualt")
    assert [("default", "everup"), ("p/org/model", "p"), ("p/other", "p")] == [(m["id"], m["owned_by"]) for m in listed]
    assert ("p/org/model", "p", 200) == (one["id"], one["owned_by"], bare.status)
    assert (404, "model_not_found") == (missing.status, missing.code())
    assert "default" in missing.body.decode()


async def test_a_client_sees_and_uses_only_its_routes() -> None:
    """A key for some routes lists those, and gets 403 for a model outside them."""
    limited = make_client("few", "eu-few-key", ClientScope.INFERENCE, routes=frozenset({"default"}))
    async with gateway() as house:
        house.keys.refresh((limited,))
        listed = (await house.ask("GET", "/v1/models", key="eu-few-key")).json()["data"]
        other = BODY.replace(b"default", b"p/other")
        refused = await house.ask(body=other, key="eu-few-key")
        served = await house.ask(key="eu-few-key")
    assert ["default"] == [model["id"] for model in listed]
    assert (403, 200) == (refused.status, served.status)


async def test_an_unknown_model_names_the_nearest() -> None:
    """A model nobody has is a 404 in the wire with the nearest names, and never another model."""
    async with gateway() as house:
        said = await house.ask(body=BODY.replace(b"default", b"defalt"))
    assert (404, "model") == (said.status, said.json()["error"]["param"])
    assert "default" in said.body.decode()
    assert [] == house.engine.asked


async def test_health_tells_strangers_codes_only() -> None:
    """Without a key health gives a status and no name; with one it gives what is behind it."""
    async with gateway() as house:
        plain = [await house.ask("GET", path, key=key) for path in ("/healthz", "/readyz") for key in (None, "wrong")]
        known = await house.ask("GET", "/readyz")
        house.application.drain()
        draining = await house.ask("GET", "/readyz", key=None)
        alive = await house.ask("GET", "/healthz", key=None)
    assert [{"status": "ok"}] * 4 == [each.json() for each in plain]
    assert ["default"] == known.json()["routes"]
    assert (503, {"status": "unavailable"}, 200) == (draining.status, draining.json(), alive.status)


async def test_not_ready_without_a_candidate() -> None:
    """With no candidate configured readiness is 503 and says so to a caller with a key; liveness stays 200."""
    async with gateway(snapshot=replace(make_snapshot(), routes={}, providers={})) as house:
        ready = await house.ask("GET", "/readyz")
        alive = await house.ask("GET", "/healthz")
    assert (503, 200) == (ready.status, alive.status)
    assert "no candidate" in ready.json()["reason"]


async def test_metrics_are_prometheus_text() -> None:
    """The scrape holds the counts of what happened before it."""
    async with gateway() as house:
        await house.ask()
        said = await house.ask("GET", "/metrics")
    text = said.body.decode()
    assert 'everup_requests_total{endpoint="chat",status="200"} 1.0' in text
    assert 'everup_request_seconds_count{endpoint="chat"} 1.0' in text
    assert "everup_connections_open 1.0" in text


async def test_the_status_does_not_count_itself() -> None:
    """The number of open requests is that of the others, so an idle gateway says 0."""
    async with gateway() as house:
        said = await house.ask("GET", "/status")
    assert 0 == said.json()["requests_open"]


async def test_too_many_requests_at_once_are_shed() -> None:
    """Beyond the limit a request gets 503 at once, with when to come again, and health goes on."""
    gate = asyncio.Event()

    async def act(_asked: Asked, _route: Route, _arrival: Arrival, out: Out) -> None:
        await gate.wait()
        await out.begin(200, [])
        await out.write(ANSWER)
        await out.finish()

    async with gateway(act, make_snapshot(Limits(requests_max=1))) as house:
        first = asyncio.create_task(house.ask())
        while not house.engine.asked:
            await asyncio.sleep(0.005)
        second = await house.ask()
        health = await house.ask("GET", "/readyz")
        gate.set()
        served = await first
    assert (503, "overloaded", "1", "true") == (
        second.status,
        second.code(),
        second.headers["retry-after"],
        second.headers["x-should-retry"],
    )
    assert (200, 200) == (health.status, served.status)


def test_an_authorization_header_decides_alone() -> None:
    """A malformed Authorization is an empty key, never a reason to look elsewhere."""
    assert b"" == presented_key({b"authorization": b"Basic x", b"x-api-key": KEY.encode()})
    assert presented_key({}) is None
    assert USER.name == "user"
