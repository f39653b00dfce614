"""The host names that the server answers to, and the origins that may send it requests.

A page of another site can reach a server on the same computer: directly, or by a name of its own that it points there
(DNS rebinding). The browser then sends the name in `Host` and the page in `Origin`, so both are compared with what the
server was started with. Headers of proxies (`X-Forwarded-Host` and the like) grant nothing: any page can send them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

HOST = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?))(?::(?P<port>[0-9]{1,5}))?"
)
PORTS = {"http": 80, "https": 443}
LOCALHOST = "localhost"


@dataclass(frozen=True)
class Host:
    """A host as in a `Host` or `Origin` header, or in an option.

    Attributes:
        name: in lower case; an IP address as Python formats it.
        port: None if it is not given.
    """

    name: str
    port: int | None = None

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The IP address; None for a name."""
        return _address(self.name)

    @property
    def is_loopback(self) -> bool:
        """Whether it means this computer, independently of name servers."""
        return self.name == LOCALHOST or (self.address is not None and self.address.is_loopback)

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


def parse_host(text: str) -> Host | None:
    """Parse `NAME`, `NAME:PORT`, `[IPv6]` or `[IPv6]:PORT`; None for anything else, such as `USER@NAME`."""
    found = HOST.fullmatch(text)
    if found is None or not 0 < int(found["port"] or 80) < 2**16:
        return None
    port = int(found["port"]) if found["port"] else None
    if found["ipv6"]:
        address = _address(found["ipv6"])
        return Host(str(address), port) if isinstance(address, IPv6Address) else None
    return Host(found["name"].lower(), port)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Origin:
    """Scheme (`http` or `https`) and host, with its port unless that is the default one of the scheme."""

    scheme: str
    host: Host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


def parse_origin(text: str, scheme: str = "") -> Origin | None:
    """Parse `https://NAME[:PORT]` or `http://…`, as in an `Origin` header; None for anything else, such as `null`.

    Args:
        scheme: the default if the text has none; "": it is required.
    """
    before, mark, rest = text.partition("://")
    if not mark:
        before, rest = scheme, text
    host = parse_host(rest)
    if before not in PORTS or host is None:
        return None
    return Origin(before, Host(host.name, None) if host.port == PORTS[before] else host)


class AllowedHosts:
    """The host names of a server.

    Args:
        bound: the name or address that it is bound to.
        public: further origins, under which a reverse proxy or a tunnel exposes it.
    """

    def __init__(self, bound: Host, public: Iterable[Origin] = ()) -> None:
        self.bound = bound
        self.public = list(public)

    def origin_for(self, text: str, server: tuple[str, int | None] | None, forwarded: str = "") -> Origin | None:
        """The origin for the `Host` header of a request, as the visitor sees it; None if the host is not allowed.

        Loopback names are always allowed. On a server that is bound to another address, so are that address and the
        one that the visitor reached; no other name is, since any site can point its own name anywhere.

        Args:
            server: local address and port at which the request arrived.
            forwarded: the original host according to a proxy that uses another name for this server; it can only
                select among the public origins.
        """
        host = parse_host(text)
        if host is None:
            return None
        own_port = server[1] if server else None
        for site in self.public:
            if site.host.name == host.name:
                direct = site.host.port is None and host.port is not None and host.port == own_port
                return Origin("http", host) if direct else site
        reached = _address(server[0]) if server and not self.bound.is_loopback else None
        own = host.is_loopback or host.name == self.bound.name or (reached is not None and host.address == reached)
        asked = parse_host(forwarded)
        named = next((site for site in self.public if asked is not None and site.host.name == asked.name), None)
        return (named or Origin("http", host)) if own else None

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether an `Origin` header names this server: the host that the request was sent to, or a public origin."""
        site, own = parse_origin(origin), parse_host(host)
        if site is None:
            return False
        return site in self.public or (own is not None and parse_origin(f"{site.scheme}://{own}") == site)
