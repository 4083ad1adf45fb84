"""
Origins: where a provider is.

Made once from its base URL and refused there if it could mislead.
What must not live here: sockets. `make_origin` is called when a configuration is built or first used.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from msgspec import Struct

from everup.net.proxy import Proxies, authority_of

PORTS = {"http": 80, "https": 443}
PATH = re.compile(r"(/[!-~]*)?")


class Origin(Struct, frozen=True):
    """
    One place to connect to, with all that changes how.

    Connections are shared by equal origins.
    """

    scheme: str
    host: str
    port: int
    ca_file: str = ""
    proxy: str = ""
    """The proxy's URL, "" for none; it may hold a password."""
    is_local: bool = False

    @property
    def place(self) -> str:
        """The origin as people write it, without the proxy's password."""
        return f"{self.scheme}://{authority_of(self.scheme, self.host, self.port)}"

    def __repr__(self) -> str:
        """Return the origin without the proxy, whose URL may hold a password."""
        return f"Origin({self.place})"


def make_origin(base_url: str, *, ca_file: str = "", is_local: bool = False, proxies: Proxies) -> tuple[Origin, str]:
    """
    Return the origin and the path prefix (no slash at its end).

    `ValueError` says what is wrong.
    """
    parts = urlsplit(base_url)
    scheme = parts.scheme.lower()
    if scheme not in PORTS:
        raise ValueError("a base URL begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a base URL holds no user name or password: use a credential")
    if parts.query or parts.fragment:
        raise ValueError("a base URL has no ? or # part")
    if not PATH.fullmatch(parts.path):
        raise ValueError("the path of a base URL holds printable ASCII only, the rest %-encoded")
    host = ascii_host(parts.hostname or "")
    port = parts.port or PORTS[scheme]  # .port itself raises ValueError above 65535
    proxy = proxies.proxy_for(scheme, host, port)
    origin = Origin(scheme, host, port, ca_file=ca_file, proxy=proxy, is_local=is_local)
    return origin, parts.path.rstrip("/")


def ascii_host(host: str) -> str:
    """Return a host name as it goes over the wire; `ValueError` if it is none."""
    if not host:
        raise ValueError("a base URL names a host")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass  # a name, then
    try:
        name = host.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("the host of the base URL is no valid name") from None
    if not re.fullmatch(r"[a-z0-9._-]+", name):
        raise ValueError("the host of the base URL is no valid name")
    return name
