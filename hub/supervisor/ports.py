"""Reserving TCP ports before the nodes that will listen on them exist.

A reservation is a socket that is bound with SO_REUSEPORT but does not listen: the kernel gives it no connections,
processes of the same user can bind beside it, and port 0 is resolved once for all of them. socket(7).
"""

import errno
import socket

from hub.supervisor.errors import StartError

_LAST_PORT = 65535


def reserve_shared(host: str, port: int) -> socket.socket:
    """The reservation of the address that all nodes share; raises StartError if it cannot be had."""
    family, address = _resolve(host, port)
    try:
        # SO_REUSEPORT would silently join another program's listeners, so first ask without it. SO_REUSEADDR
        # looks past connections of an earlier run that linger in TIME_WAIT.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            if port == 0:
                address = probe.getsockname()
        return _hold(family, address)
    except OSError as error:
        raise StartError(_explain(host, port, error)) from error


def reserve_own() -> socket.socket:
    """The reservation of a free port on the loopback, for one node alone."""
    return _hold(socket.AF_INET, ("127.0.0.1", 0))


def port_of(reservation: socket.socket) -> int:
    """Its port number."""
    port: int = reservation.getsockname()[1]
    return port


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str | int, ...]]:
    if not 0 <= port <= _LAST_PORT:  # getaddrinfo would take the remainder of a division
        raise StartError(f"{port} is not a port number; choose one up to {_LAST_PORT} with --port")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise StartError(f"cannot listen on {host}:{port}: {error}") from error
    return family, tuple(part for part in address if isinstance(part, str | int))


def _hold(family: socket.AddressFamily, address: tuple[str | int, ...]) -> socket.socket:
    """Bind without SO_REUSEADDR, so that the probe of a second start notices even a hub without listeners yet.

    Only when that fails, add it: another program that used the port a minute ago left connections in TIME_WAIT.
    """
    for reuse_address in (0, 1):
        holder = socket.socket(family, socket.SOCK_STREAM)
        try:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse_address)
            holder.bind(address)
        except OSError as error:
            holder.close()
            if reuse_address or error.errno != errno.EADDRINUSE:
                raise
        else:
            return holder
    raise AssertionError("unreachable")


def _explain(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} on {host} is in use by another program; stop it or choose another with --port"
        case errno.EACCES:
            return f"port {port} on {host} needs a privilege that we lack; choose one above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine; choose another with --host"
        case _:
            return f"cannot listen on {host}:{port}: {error.strerror or error}"
