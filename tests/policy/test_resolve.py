"""Names: the order in which one is resolved, and the 404 that names its neighbours."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from everup.errors import RequestError
from everup.policy.resolve import resolve
from everup.shapes.snapshot import Client, Snapshot
from tests.policy.make import make_snapshot

ANYONE = Client(name="me")
SNAPSHOT = replace(
    make_snapshot("a/big", "b/small"),
    aliases={"fast": "b/small", "claude-*": "default", "gpt-?": "a/big", "loop": "fast"},
)
LISTED = {"a": ("big", "twice", "org/deep"), "b": ("twice", "only"), "gone": ("ghost",)}


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("default", ["a/big", "b/small"]),
        ("fast", ["b/small"]),
        ("a/anything", ["a/anything"]),
        ("a/org/deep", ["a/org/deep"]),
        ("big", ["a/big"]),
        ("only", ["b/only"]),
        ("org/deep", ["a/org/deep"]),
        ("claude-opus-5", ["a/big", "b/small"]),
        ("gpt-5", ["a/big"]),
    ],
)
def test_a_name_resolves_in_order(name: str, chain: list[str]) -> None:
    """Routes, exact aliases, provider/model, bare ids and patterns each lead to their models."""
    assert chain == [str(ref) for ref in resolve(name, SNAPSHOT, LISTED, ANYONE).chain]


def test_a_route_wins_over_an_alias_of_the_same_name() -> None:
    """The order is fixed: a route comes before an alias."""
    both = replace(SNAPSHOT, aliases={"default": "b/small"})
    assert 2 == len(resolve("default", both, LISTED, ANYONE).chain)


@pytest.mark.parametrize(
    ("name", "words"),
    [("defualt", "default"), ("twice", "a/twice or b/twice"), ("ghost", "everup models"), ("gone/x", "everup models")],
)
def test_an_unknown_name_is_a_404_that_helps(name: str, words: str) -> None:
    """A name nothing answers to is never another model; the error names the nearest."""
    with pytest.raises(RequestError) as caught:
        resolve(name, SNAPSHOT, LISTED, ANYONE)
    assert (404, "model_not_found", "model") == (caught.value.status, caught.value.code, caught.value.param)
    assert words in caught.value.hint


def test_an_alias_never_leads_to_another_alias() -> None:
    """An alias of an alias is unknown, so that there can be no cycle."""
    with pytest.raises(RequestError):
        resolve("loop", SNAPSHOT, LISTED, ANYONE)


def test_a_key_for_other_routes_is_refused() -> None:
    """A client limited to routes gets a 403 for anything else and no names beyond its own."""
    client = Client(name="me", routes=frozenset({"other"}))
    with pytest.raises(RequestError) as caught:
        resolve("default", SNAPSHOT, LISTED, client)
    assert caught.value.status == 403
    assert "a/big" not in caught.value.hint


def test_nothing_configured_says_what_to_do() -> None:
    """Without anything to ask, a name is no 404 but a 503 that says what would help."""
    with pytest.raises(RequestError) as caught:
        resolve("x", Snapshot(), {}, ANYONE)
    assert (503, "no_candidate") == (caught.value.status, caught.value.code)
    assert "everup local get" in caught.value.hint


@pytest.mark.parametrize("name", ["zzzzzz", "twice"])
def test_a_key_for_one_route_learns_of_no_other(name: str) -> None:
    """The 404 of a restricted client names nothing that its key may not use."""
    with pytest.raises(RequestError) as caught:
        resolve(name, SNAPSHOT, LISTED, Client(name="me", routes=frozenset({"fast"})))
    told = f"{caught.value.message} {caught.value.hint}"
    assert "default" not in told
    assert "a/twice" not in told
