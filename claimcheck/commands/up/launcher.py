"""One launcher in one folder: refuse a second, end orphans, check the ports, launch, and leave nothing behind."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from claimcheck.commands.up.errors import CannotStart, PortsTaken
from claimcheck.commands.up.launch import Launch, launch
from claimcheck.commands.up.orphans import end_orphans
from claimcheck.commands.up.output import Output
from claimcheck.commands.up.plan import PortUse
from claimcheck.commands.up.ports import complaints
from claimcheck.commands.up.run_record import FolderLock, Mark, Run, forget_run, read_run


def run_launcher(folder: Path, address: str, ports: Sequence[PortUse], prepare: Callable[[], Launch]) -> int:
    """Run what `prepare` gives until somebody asks for the end; the exit status.

    `folder` holds the lock, the run record and the logs; `address` is told to a second launcher. `prepare` is called
    once this launcher is the only one and the `ports` are free, and may raise CannotStart.
    """
    _write_lines_at_once()
    try:
        lock = FolderLock(folder)
        try:
            _run(folder, address, ports, prepare)
        finally:
            lock.release()
    except CannotStart as reason:
        say(f"claimcheck cannot start: {reason}")
        return reason.exit_status
    return 0


def say(text: str) -> None:
    """A line of the launcher before there are programs."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _run(folder: Path, address: str, ports: Sequence[PortUse], prepare: Callable[[], Launch]) -> None:
    if left_over := read_run(folder):
        end_orphans(left_over, say)
    own = Mark.of(os.getpid())
    assert own is not None
    Run(own, address).write(folder)
    try:
        # Before anything is fetched: who has to change a port should not wait for a download first.
        if taken := complaints(ports):
            raise PortsTaken("\n  ".join(taken))
        _launch(prepare(), folder / "logs")
    finally:
        forget_run(folder)


def _launch(what: Launch, logs: Path) -> None:
    programs = (*what.plan.foundations, *what.plan.services)
    output = Output(sys.stdout, logs, [program.name for program in programs])
    try:
        asyncio.run(launch(what, output))
    finally:
        output.close()


def _write_lines_at_once() -> None:
    """Standard output may be a file or a pipe, in which somebody waits for the ready line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="replace")
