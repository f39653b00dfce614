"""HTTP as somebody may write it: every byte of a request is chosen, nothing is put right on the way."""

from __future__ import annotations

import socket
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """An answer; names of headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(address: str, request: bytes, until: bytes = b"", seconds: float = 60) -> Reply:
    """Send bytes to a server; its answer, up to the end or to where `until` has come."""
    place = urllib.parse.urlsplit(address)
    assert place.hostname and place.port
    with socket.create_connection((place.hostname, place.port), timeout=seconds) as connection:
        connection.sendall(request)
        found = b""
        while not (until and until in found):
            try:
                part = connection.recv(2**16)
            except ConnectionResetError:  # it has said what it had to say, and does not want the rest
                break
            if not part:
                break
            found += part
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Reply(int(first.split()[1]) if first else 0, headers, body)


def ask(
    address: str,
    target: str,
    method: str = "GET",
    host: str | None = "",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    version: str = "1.1",
    until: bytes = b"",
) -> Reply:
    """One request.

    Args:
        target: as it stands in the first line.
        host: "" for the right one, None for none.
        until: see `exchange`; for streams, which do not end.
    """
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host or urllib.parse.urlsplit(address).netloc}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    lines += ["Connection: close", "", ""]
    return exchange(address, "\r\n".join(lines).encode("utf-8") + body, until)
