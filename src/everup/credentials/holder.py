"""
The secrets in use, in memory.

What must not live here: how a reference is resolved (see `sources`). Loaded at start and at each reload by app;
asked by the engine for every attempt, so `current` is one look into a dict.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from everup.credentials.sources import ReadFile, resolve
from everup.errors import CredentialError
from everup.shapes.secret import Secret, SecretRef, SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from everup.shapes.route import Profile
    from everup.shapes.snapshot import Client, Snapshot

STORED = frozenset({SourceKind.ENV, SourceKind.FILE, SourceKind.LITERAL})
LOAD_S = 5.0
"""For reading all secret files (FAULTS row 53); a hanging network mount must not hold up the start."""


class Credentials:
    """
    Secrets by reference.

    `own_key` is everup's own: someone who ran `eval "$(everup env)"` has it in OPENAI_API_KEY, and it must not be
    sent to a provider.
    """

    def __init__(self, environ: Mapping[str, str], read_file: ReadFile, own_key: Secret | None = None) -> None:
        self.environ = environ
        self.read_file = read_file
        self.own_key = own_key
        self.held: dict[SecretRef, Secret | CredentialError] = {}

    async def load(self, snapshot: Snapshot) -> tuple[str, ...]:
        """
        Return a sentence for each profile or client that has no secret.

        What was in memory stays if it is lost.
        """
        users = dict(references(snapshot))
        refs = {ref for ref in users.values() if ref.kind in STORED}
        fresh = self.resolve_all({ref for ref in refs if ref.kind is not SourceKind.FILE})
        files = {ref for ref in refs if ref.kind is SourceKind.FILE}
        if files:
            fresh |= await self.read_files(files)
        lost = {ref for ref, found in fresh.items() if isinstance(found, CredentialError)}
        kept: dict[SecretRef, Secret | CredentialError] = {
            ref: secret for ref in lost if isinstance(secret := self.held.get(ref), Secret)
        }
        self.held = fresh | kept  # one assignment: an attempt sees the old set or the new one
        return tuple(
            sentence(user, failure, is_kept=ref in kept)
            for user, ref in users.items()
            if isinstance(failure := fresh.get(ref), CredentialError)
        )

    async def read_files(self, refs: set[SecretRef]) -> dict[SecretRef, Secret | CredentialError]:
        """
        Return each file reference's secret or failure.

        All fail together when the reading takes too long.
        """
        try:
            async with asyncio.timeout(LOAD_S):
                return await asyncio.to_thread(self.resolve_all, refs)
        except TimeoutError:
            return {ref: CredentialError(f"reading the file {ref.name} takes too long") for ref in refs}

    def resolve_all(self, refs: set[SecretRef]) -> dict[SecretRef, Secret | CredentialError]:
        """Return each reference's secret, or why it has none."""
        found: dict[SecretRef, Secret | CredentialError] = {}
        for ref in refs:
            try:
                found[ref] = self.refuse_own(ref, resolve(ref, self.environ, self.read_file))
            except CredentialError as error:
                found[ref] = error
        return found

    def refuse_own(self, ref: SecretRef, secret: Secret) -> Secret:
        """Return the secret, unless it is everup's own key."""
        if ref.kind is SourceKind.ENV and secret == self.own_key:
            raise CredentialError(
                f"the environment variable {ref.name} holds everup's own key, not a provider's",
                f"start everup in a shell without `everup env`, or export {ref.name}=...",
            )
        return secret

    def current(self, profile: Profile) -> Secret | None:
        """
        Return a profile's secret, None for a keyless one.

        The embedded model's comes with its address, at each start, and is not kept here. `CredentialError` while
        a profile has none.
        """
        if profile.source.kind in {SourceKind.KEYLESS, SourceKind.EMBEDDED}:
            return None
        return self.secret_of(profile.source)

    def digest_of(self, client: Client) -> str:
        """
        Return the hex SHA-256 of a client's key.

        `CredentialError` while the key cannot be had.
        """
        if client.source is None:
            return client.digest
        return hashlib.sha256(self.secret_of(client.source).reveal().encode("ascii")).hexdigest()

    def secret_of(self, ref: SecretRef) -> Secret:
        """Return the secret held for a reference."""
        found = self.held.get(ref)
        if isinstance(found, Secret):
            return found
        if found is None:
            raise CredentialError(f"{ref.describe()} is not in the configuration in use")
        raise CredentialError(found.reason, found.fix)  # a fresh one: an exception kept would grow its traceback


def references(snapshot: Snapshot) -> Iterator[tuple[str, SecretRef]]:
    """Yield every reference of a snapshot with the name of who uses it."""
    for provider in snapshot.providers.values():
        for profile in provider.profiles:
            yield f"provider {provider.name}, profile {profile.id}", profile.source
    for client in snapshot.clients.values():
        if client.source is not None:
            yield f"client {client.name}", client.source


def sentence(user: str, failure: CredentialError, *, is_kept: bool) -> str:
    """Return what a person is told about a secret that cannot be had."""
    effect = "the one in memory is used until everup stops" if is_kept else "it is left out"
    return f"{user}: {failure.reason}; {effect}" + (f" ({failure.fix})" if failure.fix else "")
