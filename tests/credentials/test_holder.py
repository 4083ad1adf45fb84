"""Secrets in memory: loaded at once, asked without waiting, kept when the source is lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from everup.credentials.holder import Credentials
from everup.disk.read import read_file
from everup.errors import CredentialError
from everup.shapes.route import Profile, Provider
from everup.shapes.secret import Secret, SecretRef, SourceKind
from everup.shapes.snapshot import Client, Snapshot

pytestmark = pytest.mark.anyio

CANARY = "sk-CANARY7x9"


def profile(kind: SourceKind, name: str = "", literal: str = "") -> Profile:
    """Return a profile with one reference."""
    return Profile(id="p", provider="x", source=SecretRef(kind, name, Secret(literal) if literal else None))


def snapshot(*profiles: Profile, clients: tuple[Client, ...] = ()) -> Snapshot:
    """Return a snapshot with a provider for each profile."""
    providers = {
        f"x{n}": Provider(name=f"x{n}", wire="openai_chat", base_url="https://a.example/v1", profiles=(each,))
        for n, each in enumerate(profiles)
    }
    return Snapshot(providers=providers, clients={client.name: client for client in clients})


async def test_each_kind_of_source_gives_its_secret(tmp_path: Path) -> None:
    """Environment, file and literal give their secret, and keyless gives none."""
    (tmp_path / "key").write_text("from-file\n")
    profiles = (
        profile(SourceKind.ENV, "KEY"),
        profile(SourceKind.FILE, str(tmp_path / "key")),
        profile(SourceKind.LITERAL, literal="from-text"),
        profile(SourceKind.KEYLESS),
    )
    credentials = Credentials({"KEY": "from-env"}, read_file)
    assert () == await credentials.load(snapshot(*profiles))
    found = [credentials.current(each) for each in profiles]
    assert ["from-env", "from-file", "from-text", None] == [each.reveal() if each else None for each in found]


async def test_only_the_profile_without_a_secret_is_out() -> None:
    """One missing variable is told by name and fix, and costs its own profile only (FAULTS row 53)."""
    good, bad = profile(SourceKind.ENV, "GOOD"), profile(SourceKind.ENV, "BAD")
    credentials = Credentials({"GOOD": "k"}, read_file)
    problems = await credentials.load(snapshot(good, bad))
    assert (
        "provider x1, profile p: the environment variable BAD is not set; it is left out (export BAD=...)",
    ) == problems
    assert Secret("k") == credentials.current(good)
    with pytest.raises(CredentialError) as caught:
        credentials.current(bad)
    assert "export BAD=..." == caught.value.fix


async def test_a_lost_file_does_not_cost_the_secret_in_memory(tmp_path: Path) -> None:
    """A secret file deleted while running leaves the secret in use until everup stops (ruling 12)."""
    path = tmp_path / "key"
    path.write_text("abc")
    one = profile(SourceKind.FILE, str(path))
    credentials = Credentials({}, read_file)
    await credentials.load(snapshot(one))
    path.unlink()
    problems = await credentials.load(snapshot(one))
    assert "the one in memory is used until everup stops" in problems[0]
    assert Secret("abc") == credentials.current(one)


async def test_a_changed_file_gives_the_new_secret(tmp_path: Path) -> None:
    """A reload takes up a rotated key."""
    path = tmp_path / "key"
    one = profile(SourceKind.FILE, str(path))
    credentials = Credentials({}, read_file)
    for key in ("old", "new"):
        path.write_text(key)
        await credentials.load(snapshot(one))
        assert Secret(key) == credentials.current(one)


async def test_what_left_the_configuration_is_forgotten() -> None:
    """A profile removed from the configuration has no secret any more."""
    one = profile(SourceKind.ENV, "KEY")
    credentials = Credentials({"KEY": "k"}, read_file)
    await credentials.load(snapshot(one))
    await credentials.load(snapshot())
    with pytest.raises(CredentialError, match="env:KEY is not in the configuration in use"):
        credentials.current(one)


async def test_everups_own_key_is_not_sent_to_a_provider() -> None:
    """A variable that `everup env` has filled with everup's own key counts as not set."""
    one = profile(SourceKind.ENV, "OPENAI_API_KEY")
    credentials = Credentials({"OPENAI_API_KEY": "eu-own"}, read_file, Secret("eu-own"))
    problems = await credentials.load(snapshot(one))
    assert "holds everup's own key" in problems[0]
    assert "eu-own" not in problems[0]
    with pytest.raises(CredentialError):
        credentials.current(one)


async def test_the_embedded_model_lacks_no_key() -> None:
    """The embedded model's key comes with its address: here it has none, and none is missing."""
    one = profile(SourceKind.EMBEDDED)
    credentials = Credentials({}, read_file)
    assert () == await credentials.load(snapshot(one))
    assert credentials.current(one) is None


async def test_clients_have_digests() -> None:
    """A client's digest is the one configured, or that of the key its reference stands for."""
    by_digest = Client(name="a", digest="ab" * 32)
    by_key = Client(name="b", source=SecretRef(SourceKind.ENV, "APP"))
    lost = Client(name="c", source=SecretRef(SourceKind.ENV, "GONE"))
    credentials = Credentials({"APP": CANARY}, read_file)
    problems = await credentials.load(snapshot(clients=(by_digest, by_key, lost)))
    assert [True] == [problem.startswith("client c: ") for problem in problems]
    assert by_digest.digest == credentials.digest_of(by_digest)
    assert hashlib.sha256(CANARY.encode()).hexdigest() == credentials.digest_of(by_key)
    with pytest.raises(CredentialError):
        credentials.digest_of(lost)


async def test_no_secret_is_in_any_repr() -> None:
    """Snapshots and problems with literal, environment and own keys print none of them (S18)."""
    one = profile(SourceKind.LITERAL, literal=CANARY)
    bad = profile(SourceKind.ENV, "KEY")
    credentials = Credentials({"KEY": f"{CANARY}\0"}, read_file)
    config = snapshot(one, bad)
    problems = await credentials.load(config)
    shown = repr((config, problems, credentials.held, credentials.current(one)))
    assert CANARY not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(config)
