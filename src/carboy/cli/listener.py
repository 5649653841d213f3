"""The listening sockets: opened before anything starts, shut without losing anyone.

open_listeners()  bind, or say why not        host, port, search
shut_door()       refuse new connections while those that wait are still served
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import sys

from carboy.base.errors import SetupError

__all__ = ["address", "open_listeners", "shut_door"]

SEARCHED_PORTS = 100
SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; not in Python's socket module


def open_listeners(
    host: str, port: int, *, count: int, backlog: int, search: bool = False
) -> list[socket.socket]:
    """Return *count* listening TCP sockets that share *host* and one port.

    With several, Linux deals connections to them evenly (SO_REUSEPORT); other
    systems get one. port: 0 takes any free one. search: take the next free port
    when it is taken.
    Raises SetupError: run.port.taken, run.port.forbidden or run.host.unknown.
    """
    last = min(port + SEARCHED_PORTS, 65_535) if search and port else port
    for candidate in range(port, last + 1):
        try:
            return _listen(host, candidate, count if sys.platform == "linux" else 1, backlog)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or candidate == last:
                raise _letter(host, candidate, error) from error
    raise AssertionError("unreachable: the last candidate raises or returns")


def address(listener: socket.socket, host: str) -> str:
    """Return the address people open in a browser, "http://127.0.0.1:8000"."""
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def shut_door(listener: socket.socket) -> bool:
    """Refuse new connections on *listener*; those already in its queue stay.

    Closing a listening socket resets the connections that wait in its queue,
    and with them requests that a client has sent. Dropping only new SYN packets
    first lets the workers empty the queue. Linux, no privilege needed.
    Returns False where it cannot be done; closing is then a little less kind.
    Source: Linux Documentation/networking/filter.rst (classic BPF).
    """
    if sys.platform != "linux":
        return False
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (0x30, 0, 0, 13),  # load byte 13 of the TCP header: the flags
            (0x54, 0, 0, 0x12),  # keep SYN and ACK
            (0x15, 0, 1, 0x02),  # SYN alone?
            (0x06, 0, 0, 0),  # then drop
            (0x06, 0, 0, 0xFFFFFFFF),  # else pass
        )
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    packed = struct.pack("HP", len(program) // 8, ctypes.addressof(buffer))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, packed)
    except OSError:  # a kernel or sandbox without socket filters
        return False
    return True


def _listen(host: str, port: int, count: int, backlog: int) -> list[socket.socket]:
    """Open the sockets, all or none."""
    first = _bind(host, port, shared=False)
    if count == 1:
        first.listen(backlog)
        return [first]
    # A shared port does not conflict with someone else's sharing; the first, plain one did.
    port = first.getsockname()[1]
    first.close()
    listeners = [_bind(host, port, shared=True) for _ in range(count)]
    for listener in listeners:
        listener.listen(backlog)
    return listeners


def _bind(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


def _letter(host: str, port: int, error: OSError) -> SetupError:
    if error.errno == errno.EADDRINUSE:
        return SetupError(
            "run.port.taken",
            f"Port {port} on {host} is taken, perhaps by a server that still runs.",
            hint=f"Take another one: --port {min(port + 1, 65_535)}, or the next free one: "
            "--port-search",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return SetupError(
            "run.port.forbidden",
            f"This user may not open port {port} on {host}.",
            hint="Ports below 1024 belong to root. Put a proxy in front, or take one above: "
            "--port 8000",
        )
    return SetupError(
        "run.host.unknown",
        f"{host!r} is not an address of this machine ({error.strerror or error}).",
        hint="127.0.0.1 is this machine alone, 0.0.0.0 every IPv4 network, :: IPv6 as well.",
    )
