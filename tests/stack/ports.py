"""Ports that nobody listens on."""

from __future__ import annotations

import os
import random
import socket

from claimcheck.commands.up.addresses import HOST

# Below Linux's range for outgoing connections (32768 and up), so that none of those takes a port between its choice
# here and the start of its program.
# Each worker of pytest-xdist has its own part, so that no two choose the same before either has bound it.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PART = 20_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_RANGE = range(12_000 + _WORKER * _PART, 12_000 + (_WORKER + 1) * _PART)
_given: set[int] = set()


def free_port() -> int:
    """A port on loopback, never the same one twice."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of `count` ports in a row, none of which was given away before."""
    while True:
        first = random.choice(_RANGE[: 1 - count or None])
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
