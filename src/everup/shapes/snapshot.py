"""
The immutable configuration a request runs under.

What must not live here: reading or building one (see `config`). Held by one attribute; swapped by one assignment.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from everup.shapes.limits import Limits
from everup.shapes.route import Model, ModelRef, Provider, Route
from everup.shapes.secret import SecretRef


class ClientScope(StrEnum):
    """What a client key may do; `admin` includes `inference`."""

    INFERENCE = "inference"
    ADMIN = "admin"


class Client(Struct, frozen=True, kw_only=True):
    """
    A caller with a key.

    `digest` is the hex SHA-256 of the key, or "" when `source` is a reference still to be resolved.
    `routes` empty means every route.
    """

    name: str
    digest: str = ""
    source: SecretRef | None = None
    scopes: frozenset[ClientScope] = frozenset({ClientScope.INFERENCE})
    routes: frozenset[str] = frozenset()


class ServerSettings(Struct, frozen=True, kw_only=True):
    """
    Where and how everup listens.

    `host` other than loopback needs a strong key (S1).
    """

    host: str = "127.0.0.1"
    port: int = 4400
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    unix_socket: str = ""


class Snapshot(Struct, frozen=True, kw_only=True):
    """
    Everything a request needs to know about configuration, by name.

    Never changed, only replaced.
    """

    rev: int = 0
    sha256: str = ""
    source: str = ""
    """The config file's path, or "found on this machine"."""
    server: ServerSettings = ServerSettings()
    limits: Limits = Limits()
    providers: dict[str, Provider] = {}
    models: dict[str, Model] = {}
    """By `provider/model`: every model that config or catalogue names."""
    routes: dict[str, Route] = {}
    aliases: dict[str, str] = {}
    """Pattern (fnmatch) or exact name -> route or model; order is the file's."""
    clients: dict[str, Client] = {}
    warnings: tuple[str, ...] = ()

    def model(self, ref: ModelRef) -> Model:
        """
        Return what is known of a model.

        Its row, or an empty one with the provider's capabilities.
        """
        known = self.models.get(str(ref))
        if known is not None:
            return known
        provider = self.providers.get(ref.provider)
        return Model(ref=ref, caps=provider.caps) if provider else Model(ref=ref)
