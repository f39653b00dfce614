"""Address and port of the server, checked by binding them before anything large is loaded."""

from __future__ import annotations

import os
import socket

from afa_viz.ui.server.hosts import Host

FIRST, COUNT = 7860, 100  # gradio's default ports, unless its environment variables say otherwise
LOOPBACK = Host("127.0.0.1")  # gradio requires a port to be free here too


def require_address(host: Host) -> None:
    """Raises: OSError: with one sentence, if this computer does not have the address."""
    try:
        _bind(host, 0)
    except (OSError, UnicodeError):  # an unknown or invalid name
        raise OSError(
            f"this computer has no address {host.name}; choose one of its own with --host: 127.0.0.1 for this computer "
            "only, 0.0.0.0 for all networks that it is connected to."
        ) from None


def choose_port(host: Host, port: int | None) -> int:
    """A free port: `port` itself, any port for 0, the first free one from 7860 for None.

    Raises: OSError: with one sentence, if the port is not available.
    """
    if port == 0:
        return _bind(host, 0)
    if port is not None:
        if not _is_free(host, port):
            raise OSError(
                f"port {port} of {host.name} is taken or not allowed; choose another one with --port, or leave it out "
                "for the first free one."
            )
        return port
    first, count = _environment_number("GRADIO_SERVER_PORT", FIRST), _environment_number("GRADIO_NUM_PORTS", COUNT)
    for candidate in range(first, first + count):
        if _is_free(host, candidate):
            return candidate
    raise OSError(f"no port of {host.name} from {first} to {first + count - 1} is free; choose one with --port.")


def _environment_number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise OSError(
            f"the environment's {name} is {text!r}; expected a number, or nothing for the default, {default}."
        )
    return int(text)


def _is_free(host: Host, port: int) -> bool:
    try:
        _bind(host, port)
        _bind(LOOPBACK, port)
    except (OSError, OverflowError):
        return False
    return True


def _bind(host: Host, port: int) -> int:
    """Bind a port and release it; returns the port. Raises: OSError or OverflowError: if that fails."""
    family, _, _, _, address = socket.getaddrinfo(host.name, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.create_server((address[0], port, *address[2:]), family=family) as server:
        return server.getsockname()[1]


def trust_loopback(host: Host) -> None:
    """Let gradio reach its own server at the start if the environment configures a web proxy."""
    proxies = [name for name in os.environ if name.lower().endswith("_proxy") and name.lower() != "no_proxy"]
    if proxies:
        others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        names = ",".join(filter(None, [others, "localhost", "127.0.0.1", "::1", host.name]))
        os.environ.update(no_proxy=names, NO_PROXY=names)
