"""Named clients in `clients.json`: digests only, durable, never written over when damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from everup.credentials.clients import FILE_NAME, add_client, read_clients, revoke_client
from everup.disk.read import ReadState
from everup.errors import CredentialError, StoreError
from everup.shapes.snapshot import ClientScope


def test_a_new_client_is_on_disk_with_its_digest_only(tmp_path: Path) -> None:
    """The key is told once; the file holds its digest, scopes, routes and the time."""
    key = add_client(tmp_path, "app", now_unix_s=7.0, scopes=(ClientScope.ADMIN,), routes=("default",))
    stored = read_clients(tmp_path)
    client = stored.clients["app"]
    assert client.digest == hashlib.sha256(key.reveal().encode()).hexdigest()
    assert client.scopes == {ClientScope.INFERENCE, ClientScope.ADMIN}
    assert (client.routes, stored.created_unix_s) == ({"default"}, {"app": 7.0})
    assert key.reveal() not in (tmp_path / FILE_NAME).read_text()


def test_no_file_is_no_clients(tmp_path: Path) -> None:
    """A home without the file has no clients and no problem."""
    stored = read_clients(tmp_path / "none")
    assert (ReadState.ABSENT, {}, ()) == (stored.state, stored.clients, stored.problems)


def test_a_name_is_used_once(tmp_path: Path) -> None:
    """A second client of the same name, or one whose name is no name, is refused and nothing changes."""
    add_client(tmp_path, "app", now_unix_s=0)
    before = (tmp_path / FILE_NAME).read_bytes()
    for name in ("app", "", "../x", "a b", "x" * 65):
        with pytest.raises(CredentialError):
            add_client(tmp_path, name, now_unix_s=0)
    assert before == (tmp_path / FILE_NAME).read_bytes()


def test_a_revoked_client_is_gone_and_its_digest_remembered(tmp_path: Path) -> None:
    """Revoking removes the client and leaves its digest among the revoked ones."""
    key = add_client(tmp_path, "app", now_unix_s=0)
    add_client(tmp_path, "other", now_unix_s=0)
    digest = revoke_client(tmp_path, "app")
    stored = read_clients(tmp_path)
    assert ["other"] == list(stored.clients)
    assert {hashlib.sha256(key.reveal().encode()).hexdigest()} == stored.revoked == {digest}


def test_a_client_of_the_config_file_is_revoked_by_its_digest(tmp_path: Path) -> None:
    """A client that this file does not hold is revoked when its digest is given, else the name is refused."""
    with pytest.raises(CredentialError, match="there is no client"):
        revoke_client(tmp_path, "app")
    assert "ab" * 32 == revoke_client(tmp_path, "app", "ab" * 32)
    assert {"ab" * 32} == read_clients(tmp_path).revoked


def test_one_damaged_entry_is_left_out(tmp_path: Path) -> None:
    """Nine good clients serve beside a damaged one, which is told (FAULTS row 8)."""
    for n in range(9):
        add_client(tmp_path, f"c{n}", now_unix_s=0)
    path = tmp_path / FILE_NAME
    document = json.loads(path.read_text())
    document["clients"]["bad"] = {"digest": "CANARY"}
    path.write_text(json.dumps(document))
    stored = read_clients(tmp_path)
    assert len(stored.clients) == 9
    assert "'bad'" in stored.problems[0]
    assert "CANARY" not in stored.problems[0]


def test_what_everup_does_not_know_survives(tmp_path: Path) -> None:
    """A later version's fields are still there after a change."""
    (tmp_path / FILE_NAME).write_text('\ufeff{"later": 1, "clients": {}}', encoding="utf-8")
    add_client(tmp_path, "app", now_unix_s=0)
    assert 1 == json.loads((tmp_path / FILE_NAME).read_text())["later"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"clients": 3}', "[" * 100_000])
def test_a_damaged_file_is_never_written_over(tmp_path: Path, text: str) -> None:
    """A file that is not understood gives no clients, says why, and refuses every change."""
    path = tmp_path / FILE_NAME
    path.write_text(text)
    stored = read_clients(tmp_path)
    assert (ReadState.CORRUPT, {}) == (stored.state, stored.clients)
    assert str(path) in stored.problems[0]
    with pytest.raises(StoreError, match="is not written over"):
        add_client(tmp_path, "app", now_unix_s=0)
    with pytest.raises(StoreError):
        revoke_client(tmp_path, "app", "ab" * 32)
    assert text == path.read_text()


def test_an_unreadable_file_is_never_written_over(tmp_path: Path) -> None:
    """A folder in the file's place is said and left alone."""
    (tmp_path / FILE_NAME).mkdir()
    assert read_clients(tmp_path).state is ReadState.UNREADABLE
    with pytest.raises(StoreError):
        add_client(tmp_path, "app", now_unix_s=0)
