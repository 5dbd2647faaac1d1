"""Are the ports free? Asked before anything is started, so that a taken one costs a sentence and not a clean-up."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence

import psutil

from claimcheck.commands.up.plan import PortUse


def complaints(uses: Sequence[PortUse]) -> list[str]:
    """One sentence for each port that cannot be used; empty when all is well."""
    return [*_wanted_twice(uses), *filter(None, map(_complaint, uses))]


def _wanted_twice(uses: Sequence[PortUse]) -> list[str]:
    first: dict[int, PortUse] = {}
    found = []
    for use in uses:
        other = first.setdefault(use.port, use)
        if other is not use:
            found.append(
                f"port {use.port} is wanted by {other.user} ({other.variable}) and {use.user} ({use.variable})"
            )
    return found


def _complaint(use: PortUse) -> str:
    if not 1 <= use.port <= 65535:
        return f"port {use.port}, wanted by {use.user}, is not between 1 and 65535; set {use.variable}"
    reason = _why_not(use)
    if not reason:
        return ""
    return f"port {use.port}, wanted by {use.user}, {reason}{_holder(use.port)}; set {use.variable} to another port"


def _why_not(use: PortUse) -> str:
    """Why the port cannot be listened on; empty if it can."""
    family = socket.AF_INET6 if ":" in use.host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do it: connections of an earlier run that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((use.host, use.port))
        except PermissionError:
            return "may not be opened by this user"
        except OSError as refusal:
            return "is taken" if refusal.errno == errno.EADDRINUSE else f"cannot be opened ({refusal})"
    return "is taken" if _answers(use.port) else ""


def _answers(port: int) -> bool:
    """Whether somebody takes connections. On macOS the bind above succeeds beside a listener on all addresses."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _holder(port: int) -> str:
    """Who listens there, as far as this user may see; macOS shows it to root only."""
    with contextlib.suppress(psutil.Error, OSError, RuntimeError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,)
            if listens and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f" by process {connection.pid} ({command[:120]})"
    return ""
