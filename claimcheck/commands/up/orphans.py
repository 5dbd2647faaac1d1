"""End what a launcher left behind that could not clean up: it was killed, or the machine ran out of memory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable

import psutil

from claimcheck.commands.up.run_record import Mark, Run

# Shorter than an orderly stop: whoever starts again wants to work, and a lease that is not handed back runs out.
SERVICES_S = 5.0
FOUNDATIONS_S = 10.0  # Azurite writes its metadata; without that the next start misses blobs


def end_orphans(run: Run, say: Callable[[str], None]) -> None:
    """End the recorded processes that still run: services first, so that they can still hand back their jobs."""
    for marks, limit_s in ((run.services, SERVICES_S), (run.foundations, FOUNDATIONS_S)):
        orphans = {name: mark for name, mark in marks.items() if mark.process()}
        for name, mark in orphans.items():
            say(f"ending {name} (process {mark.pid}), left over from a launcher that was killed")
            _send(mark, signal.SIGTERM)
        _await_end(orphans.values(), limit_s)


def _await_end(marks: Iterable[Mark], limit_s: float) -> None:
    """Wait for them together, then kill what is left, with its children."""
    ends_at = time.monotonic() + limit_s
    for mark in marks:
        while mark.process() and time.monotonic() < ends_at:
            time.sleep(0.05)
        if mark.process():
            # Each was started as the leader of its own group, so the group's number is its process id.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(mark.pid, signal.SIGKILL)


def _send(mark: Mark, how: signal.Signals) -> None:
    if process := mark.process():
        with contextlib.suppress(psutil.Error):
            process.send_signal(how)
