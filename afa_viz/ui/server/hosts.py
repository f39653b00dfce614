"""Under which names the server answers, and which pages may send it something.

A page of another site can reach a server on the same computer: directly, or by a name of its own that it has just
pointed there (DNS rebinding). The browser then tells the name in `Host` and the page in `Origin`, so both are compared
with what the server was started with. What a proxy adds (`X-Forwarded-Host` and the like) opens nothing: any page can
send it.
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
    """A host as `Host`, `Origin` or an option names it.

    Attributes:
        name: in small letters; an address as Python writes it.
        port: None where none is named.
    """

    name: str
    port: int | None = None

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The address that it is; None for a name."""
        return _address(self.name)

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer is meant, whatever a name server says."""
        return self.name == LOCALHOST or (self.address is not None and self.address.is_loopback)

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


def parse_host(text: str) -> Host | None:
    """`NAME`, `NAME:PORT`, `[IPv6]` or `[IPv6]:PORT`; None for anything else, a user's name before it included."""
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
    """Where a page lies: `http` or `https`, and the host with its port if that is not the usual one."""

    scheme: str
    host: Host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


def parse_origin(text: str, scheme: str = "") -> Origin | None:
    """`https://NAME[:PORT]` or `http://…`, as `Origin` has it; None for anything else, `null` included.

    Args:
        scheme: where the text may leave it out, the one that is meant.
    """
    before, mark, rest = text.partition("://")
    if not mark:
        before, rest = scheme, text
    host = parse_host(rest)
    if before not in PORTS or host is None:
        return None
    return Origin(before, Host(host.name, None) if host.port == PORTS[before] else host)


class AllowedHosts:
    """The names of one server.

    Args:
        bound: the name or address that it is bound to.
        public: sites beside it, by which a reverse proxy or a tunnel reaches it.
    """

    def __init__(self, bound: Host, public: Iterable[Origin] = ()) -> None:
        self.bound = bound
        self.public = list(public)

    def site(self, text: str, server: tuple[str, int | None] | None, forwarded: str = "") -> Origin | None:
        """The site that a request's `Host` names, as it is shown to the visitor; None for a foreign one.

        Loopback names are always ours. Bound to any other address, so are that one and the one that the visitor
        reached; no other name is, as a page can point its own name anywhere.

        Args:
            server: address and port on this computer that the request came in by.
            forwarded: the host that a proxy says it was asked for, where it calls this server by another name. Counts
                among public sites alone: it opens nothing.
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
        """Whether a page at `origin` is one of this server: the host that the request was sent to, or a public site."""
        site, own = parse_origin(origin), parse_host(host)
        if site is None:
            return False
        return site in self.public or (own is not None and parse_origin(f"{site.scheme}://{own}") == site)
