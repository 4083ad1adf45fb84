"""
What the tests of `catalogue` share: a client, and configured providers.

Must not live here: anything another room needs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from everup.errors import CredentialError
from everup.net.client import Client
from everup.net.origin import Origin, make_origin
from everup.net.proxy import Proxies
from everup.providers.known import row_of
from everup.shapes.limits import Limits
from everup.shapes.route import Profile, Provider
from everup.shapes.secret import Secret
from everup.shapes.snapshot import Snapshot


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Return a client, closed at the end."""
    made = Client(Limits())
    yield made
    await made.close()


def origin_of(base_url: str, ca_file: str, is_local: bool) -> tuple[Origin, str]:  # noqa: FBT001  # app's signature
    """Return the origin of a base URL, without proxies."""
    return make_origin(base_url, ca_file=ca_file, is_local=is_local, proxies=Proxies())


class Holding:
    """A holder of a snapshot that a test swaps as it likes."""

    def __init__(self, *providers: Provider) -> None:
        self.current = Snapshot()
        self.swap(*providers)

    def swap(self, *providers: Provider) -> None:
        """These are the providers configured now."""
        self.current = Snapshot(providers={provider.name: provider for provider in providers})


class Keyring:
    """Secrets by profile id; a profile that is not in it has none."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets

    def current(self, profile: Profile) -> Secret | None:
        """Return the secret; "" stands for a keyless profile."""
        if profile.id not in self.secrets:
            raise CredentialError(f"{profile.id} has no key")
        return Secret(self.secrets[profile.id]) if self.secrets[profile.id] else None


def provider(name: str, base_url: str, *profiles: str, wire: str = "openai_chat", **more: str) -> Provider:
    """Return a configured provider; how its key travels is the wire's way unless said."""
    made = tuple(Profile(id=profile, provider=name) for profile in profiles or (name,))
    row = row_of("", wire)
    usual = {"auth_header": row.auth_header, "auth_prefix": row.auth_prefix, "headers": row.headers}
    return Provider(name=name, wire=wire, base_url=base_url, profiles=made, **{**usual, **more})  # type: ignore[arg-type]
