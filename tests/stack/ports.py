"""Ports that nobody listens on."""

from __future__ import annotations

import random
import socket

from claimcheck.commands.up.addresses import HOST

# Below Linux's range for outgoing connections (32768 and up), so that none of those takes a port between its choice
# here and the start of its program.
_RANGE = range(12000, 32000)
_given: set[int] = set()


def free_port() -> int:
    """A port on loopback, never the same one twice."""
    while True:
        port = random.choice(_RANGE)
        if port not in _given and not _taken(port):
            _given.add(port)
            return port


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: a port whose last connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
        return False
