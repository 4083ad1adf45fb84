"""Signatures of reasoning: whose they are, by hash, bounded."""

from __future__ import annotations

from everup.engine.minted import Minted
from everup.shapes.route import Candidate, Model, ModelRef, Profile, Provider


def candidate(provider: str, profile: str = "k") -> Candidate:
    """Return a candidate of a provider's account."""
    made = Provider(name=provider, wire="openai_chat", base_url="http://p.test/v1")
    mine = Profile(id=profile, provider=provider)
    return Candidate(index=0, provider=made, model=Model(ref=ModelRef(provider, "m")), profile=mine)


def test_a_signature_is_foreign_to_everyone_but_its_endpoint_and_account() -> None:
    """Another provider and another account of the same one are strangers; an unknown signature is nobody's."""
    minted = Minted(10)
    minted.remember(["sig"], candidate("a"))
    assert frozenset() == minted.foreign(["sig", "unknown"], candidate("a"))
    assert {"sig"} == minted.foreign(["sig", "unknown"], candidate("b"))
    assert {"sig"} == minted.foreign(["sig"], candidate("a", "other"))


def test_the_newest_are_kept() -> None:
    """A full table forgets the oldest, and seeing one again makes it new."""
    minted = Minted(2)
    minted.remember(["one", "two"], candidate("a"))
    minted.remember(["one"], candidate("a"))
    minted.remember(["three"], candidate("a"))
    assert {"one", "three"} == minted.foreign(["one", "two", "three"], candidate("b"))


def test_no_signature_is_kept_as_it_is() -> None:
    """Only hashes stay in memory, of any text."""
    minted = Minted(2)
    minted.remember(["secret-thought", "\ud800"], candidate("a"))
    assert all(len(key) == 16 and b"secret" not in key for key in minted.owners)
