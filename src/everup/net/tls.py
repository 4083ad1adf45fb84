"""
TLS: verification always, session reuse.

And what is wrong with a certificate in words.
What must not live here: connecting (see `dial`). There is no way to switch verification off.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any

import certifi

from everup.errors import TransportError, TransportKind

if TYPE_CHECKING:
    from collections.abc import Callable

CONTEXTS_MAX = 64
SESSIONS_MAX = 1024
NOT_YET_VALID, EXPIRED = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""
DAY_S = 86_400


class SessionContext(ssl.SSLContext):
    """
    A context that resumes: both loops build their TLS objects through `wrap_bio`.

    Sessions are kept by host name, and one context exists for each set of trusted roots, so that a session is
    only ever offered where its certificate was verified for that name.
    """

    sessions: dict[str, ssl.SSLSession]
    handshakes: dict[str, ssl.SSLObject]
    """What is being negotiated, by host, so that a refused certificate can be described."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  # the standard library's signature
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Return a TLS object that offers the last session of this host."""
        known = self.sessions.get(server_hostname) if isinstance(server_hostname, str) else None
        made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session or known)
        if isinstance(server_hostname, str):
            self.handshakes[server_hostname] = made
        return made

    def remember(self, host: str, session: ssl.SSLSession | None) -> None:
        """
        Keep a connection's session.

        TLS 1.3 sends it late, so after the first bytes of an answer.
        """
        if session is None:
            return
        self.sessions.pop(host, None)
        if len(self.sessions) >= SESSIONS_MAX:
            del self.sessions[next(iter(self.sessions))]
        self.sessions[host] = session


def make_context(ca_file: str) -> SessionContext:
    """
    Return a verifying context.

    The platform's roots, certifi's where it has none, and those of `ca_file`.
    """
    context = SessionContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and host name by default
    context.sessions = {}
    context.handshakes = {}
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_default_certs()
    if not context.cert_store_stats()["x509_ca"] and not has_folder_of_roots():
        context.load_verify_locations(cafile=certifi.where())
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError, for a file that holds no certificate, is one too
            cause = error.strerror or "it holds no certificate"
            raise TransportError(TransportKind.TLS, f"cannot use ca_file {ca_file}: {cause}") from error
    return context


def has_folder_of_roots() -> bool:
    """
    Return whether OpenSSL will find roots one by one in its folder.

    Those are not counted when it is loaded.
    """
    folder = ssl.get_default_verify_paths().capath
    if folder is None:
        return False
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


class Contexts:
    """
    The contexts of a client, made when first needed.

    Reading the roots takes about 20 ms.
    """

    def __init__(self, wall_unix_s: Callable[[], float] | None) -> None:
        self.wall_unix_s = wall_unix_s
        self.made: dict[str, SessionContext] = {}

    def get(self, ca_file: str) -> SessionContext:
        """
        Return the context for a set of roots.

        `TransportError(TLS)` if `ca_file` cannot be used.
        """
        context = self.made.get(ca_file)
        if context is None:
            context = make_context(ca_file)
            if len(self.made) >= CONTEXTS_MAX:
                self.made.clear()
            self.made[ca_file] = context
        return context

    def explain(self, error: ssl.SSLError, seen: ssl.SSLObject | None, place: str) -> TransportError:
        """
        Return what is wrong with the other side's TLS.

        And with our clock if that may be it.
        """
        if not isinstance(error, ssl.SSLCertVerificationError):
            reason = str(error.reason or error.strerror or error).replace("_", " ").lower()
            return TransportError(TransportKind.TLS, f"no TLS with {place}: {reason}")
        info = certificate_of(seen)
        told = [f"the certificate of {place} is not accepted: {error.verify_message}"]
        if info:
            told.append(f"subject {name_of(info, 'subject')}, issuer {name_of(info, 'issuer')}")
        told += self.clock_words(error.verify_code, info)
        return TransportError(TransportKind.TLS, "; ".join(told))

    def clock_words(self, code: int, info: dict[str, Any]) -> list[str]:
        """Return how wrong this clock would have to be for the certificate to be good."""
        if code not in (NOT_YET_VALID, EXPIRED) or not info or self.wall_unix_s is None:
            return []
        if code == EXPIRED:
            edge = info["notAfter"]
            off_s = self.wall_unix_s() - ssl.cert_time_to_seconds(edge)
            told = f"valid until {edge}, which by this machine's clock was {span(off_s)} ago"
        else:
            edge = info["notBefore"]
            off_s = ssl.cert_time_to_seconds(edge) - self.wall_unix_s()
            told = f"valid from {edge}, which by this machine's clock is {span(off_s)} ahead"
        # A chain's other certificate may be the one that is over: then these dates say nothing.
        return [f"{told}: this machine's clock may be wrong by {span(off_s)}"] if off_s > 0 else []


def span(seconds: float) -> str:
    """Return a length of time in words."""
    days, rest = divmod(int(seconds), DAY_S)
    if days:
        return f"{days} d"
    hours, rest = divmod(rest, 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


def certificate_of(seen: ssl.SSLObject | None) -> dict[str, Any]:
    """
    Return the fields of a certificate that was refused.

    Empty if they cannot be had.
    CPython shows them only through its inner object (3.10 to 3.14; the public method of 3.13 gives undecoded
    bytes). They go into a message, nothing depends on them.
    """
    inner = getattr(seen, "_sslobj", None)
    chain = getattr(inner, "get_unverified_chain", None)
    found = chain() if chain is not None else None
    info: dict[str, Any] = found[0].get_info() if found else {}
    return info


def name_of(info: dict[str, Any], field: str) -> str:
    """Return the most telling part of a subject or issuer."""
    parts = {key: value for group in info.get(field, ()) for key, value in group}
    alternatives = [value for _, value in info.get("subjectAltName", ())] if field == "subject" else []
    named = parts.get("commonName") or ", ".join(alternatives[:3])
    organisation = parts.get("organizationName", "")
    return " of ".join(text for text in (named, organisation) if text) or "unnamed"
