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
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` ports in a row, none of which was given away before."""
    while True:
        first = random.choice(_RANGE)
        ports = range(first, first + count)
        if _given.isdisjoint(ports) and not any(map(_taken, ports)):
            _given.update(ports)
            return first


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: a port whose last connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
        return False
