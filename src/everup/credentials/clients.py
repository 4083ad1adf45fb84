"""
Named clients made by `everup keys new`: `clients.json`, digests only.

What must not live here: clients of the config file (see `config`). Unknown keys of the file survive; a file that
cannot be read or understood is never written over.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from everup.credentials.keys import new_key
from everup.disk.read import ReadResult, ReadState, read_file
from everup.disk.write import make_home, write_durable
from everup.errors import CredentialError, StoreError
from everup.shapes.snapshot import Client, ClientScope

if TYPE_CHECKING:
    from pathlib import Path

    from everup.shapes.secret import Secret

FILE_NAME = "clients.json"
FILE_BYTES_MAX = 4_194_304
MEND = "put a good copy back, or move it away (its keys are then no longer valid)"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")


class ClientRow(Struct, frozen=True, kw_only=True):
    """One client as the file holds it; `created` is seconds since 1970."""

    digest: str
    scopes: list[ClientScope] = msgspec.field(default_factory=lambda: [ClientScope.INFERENCE])
    routes: list[str] = []
    created: float = 0.0


class StoredClients(Struct, frozen=True, kw_only=True):
    """What `clients.json` held: clients, revoked digests, and its faults."""

    state: ReadState
    clients: dict[str, Client] = {}
    revoked: frozenset[str] = frozenset()
    created_unix_s: dict[str, float] = {}
    problems: tuple[str, ...] = ()


def read_clients(home: Path) -> StoredClients:
    """
    Return the clients of the home.

    A bad entry is left out and said, a bad file gives none and says why.
    """
    path = home / FILE_NAME
    read, document = read_document(path)
    if read.state is ReadState.ABSENT:
        return StoredClients(state=read.state)
    if read.state is not ReadState.OK:
        return StoredClients(state=read.state, problems=(f"{path} is {read.state}: {read.cause}; {MEND}",))
    clients: dict[str, Client] = {}
    created: dict[str, float] = {}
    problems: list[str] = []
    for name, raw in table(document, "clients").items():
        row = read_row(name, raw)
        if row is None:
            problems.append(f"{path}: an entry is damaged and left out ({shown(name)})")
            continue
        scopes = frozenset({ClientScope.INFERENCE, *row.scopes})
        clients[name] = Client(name=name, digest=row.digest, scopes=scopes, routes=frozenset(row.routes))
        created[name] = row.created
    revoked = frozenset(text for text in listed(document, "revoked") if DIGEST.fullmatch(text))
    return StoredClients(
        state=read.state, clients=clients, revoked=revoked, created_unix_s=created, problems=tuple(problems)
    )


def add_client(
    home: Path, name: str, *, now_unix_s: float, scopes: tuple[ClientScope, ...] = (), routes: tuple[str, ...] = ()
) -> Secret:
    """
    Return the key of a new client, whose digest is on disk by then.

    `CredentialError` for a name that is none or taken; `StoreError` when it could not be kept.
    """
    if not NAME.fullmatch(name):
        raise CredentialError("a client's name is 1 to 64 letters, digits, `.`, `_` or `-`")
    path = home / FILE_NAME
    document = changeable(path)
    clients = table(document, "clients")
    if name in clients:
        raise CredentialError(f"there is a client {name} already", f"everup keys revoke {name}")
    key = new_key()
    row = {
        "digest": digest_of(key),
        "scopes": sorted({ClientScope.INFERENCE, *scopes}),
        "routes": sorted(routes),
        "created": now_unix_s,
    }
    write_document(path, {**document, "clients": {**clients, name: row}})
    return key


def revoke_client(home: Path, name: str, digest: str = "") -> str:
    """
    Return the digest that is dead from now on, on disk.

    A client of the config file is revoked by its digest; `CredentialError` for a name that is nowhere.
    """
    path = home / FILE_NAME
    document = changeable(path)
    clients = dict(table(document, "clients"))
    raw = clients.pop(name, None)
    stored = raw.get("digest") if isinstance(raw, dict) else None
    dead = stored if isinstance(stored, str) and DIGEST.fullmatch(stored) else digest
    if raw is None and not digest:
        raise CredentialError(f"there is no client {shown(name)}", "everup keys list")
    revoked = sorted({*listed(document, "revoked"), *([dead] if dead else [])})
    write_document(path, {**document, "clients": clients, "revoked": revoked})
    return dead


def digest_of(key: Secret) -> str:
    """Return the hex SHA-256 of a key."""
    return hashlib.sha256(key.reveal().encode("utf-8")).hexdigest()


def read_row(name: str, raw: object) -> ClientRow | None:
    """Return one entry, or None when it is damaged."""
    try:
        row = msgspec.convert(raw, ClientRow)
    except msgspec.ValidationError:
        return None
    return row if NAME.fullmatch(name) and DIGEST.fullmatch(row.digest) else None


def changeable(path: Path) -> dict[str, object]:
    """
    Return the file's document, empty when there is no file.

    `StoreError` when it must not be written over.
    """
    read, document = read_document(path)
    if read.state in {ReadState.OK, ReadState.ABSENT}:
        return document
    raise StoreError("change", str(path), f"it is {read.state} ({read.cause}) and is not written over; {MEND}")


def read_document(path: Path) -> tuple[ReadResult, dict[str, object]]:
    """Return how reading went, and the JSON object that was read."""
    read = read_file(path, FILE_BYTES_MAX)
    if read.state is not ReadState.OK:
        return read, {}
    try:
        document = msgspec.json.decode(read.data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError):
        return read.as_corrupt("it is not JSON"), {}
    if not isinstance(document, dict) or not isinstance(document.get("clients", {}), dict):
        return read.as_corrupt("it holds no clients"), {}
    return read, document


def write_document(path: Path, document: dict[str, object]) -> None:
    """The document is on disk, readable by its owner only."""
    make_home(path.parent)
    write_durable(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode("utf-8"))


def table(document: dict[str, object], key: str) -> dict[str, object]:
    """Return a member that is an object, empty when it is not."""
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def listed(document: dict[str, object], key: str) -> list[str]:
    """Return the texts of a member that is a list."""
    found = document.get(key)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def shown(name: str) -> str:
    """Return a name from a damaged file, safe to print."""
    return ascii(name[:64])
