"""Which processes belong to a run: `<local.dir>/run.json`, and the lock that says whether its launcher lives.

A process is known by its id *and* its start time: ids are given again, and a stranger must never be ended. The lock
is held by the launcher for its whole life and falls with it, also at SIGKILL; the file then names the orphans.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from claimcheck.commands.up.errors import AlreadyRunning

SAME_START_S = 1.5  # psutil derives the start from the boot time, which moves when the clock is set


@dataclass(frozen=True)
class Mark:
    """What identifies a process."""

    pid: int
    started_at: float
    """Seconds since the epoch, as psutil tells it."""

    @classmethod
    def of(cls, pid: int) -> Mark | None:
        """The mark of a process that lives; None if it has ended already."""
        with contextlib.suppress(psutil.Error):
            return cls(pid, psutil.Process(pid).create_time())
        return None

    def process(self) -> psutil.Process | None:
        """The process, if it still runs and is the same. A zombie does not run."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started_at) < SAME_START_S
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        return None


@dataclass(frozen=True)
class Run:
    """One run of the launcher, as it is on disk."""

    launcher: Mark
    address: str
    """The page."""
    foundations: Mapping[str, Mark] = field(default_factory=dict)
    services: Mapping[str, Mark] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Replace the file, so that a reader sees the old or the new one and never half."""
        draft = folder / "run.json.draft"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(folder / "run.json")


def read_run(folder: Path) -> Run | None:
    """The latest run; None if there was none, or its file cannot be understood."""
    try:
        stored = json.loads((folder / "run.json").read_text())
        return Run(
            launcher=Mark(**stored["launcher"]),
            address=stored["address"],
            foundations={name: Mark(**mark) for name, mark in stored["foundations"].items()},
            services={name: Mark(**mark) for name, mark in stored["services"].items()},
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def forget_run(folder: Path) -> None:
    """The run has ended and left nothing behind."""
    (folder / "run.json").unlink(missing_ok=True)


class FolderLock:
    """At most one launcher a folder."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises AlreadyRunning."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            os.close(self._file)
            raise AlreadyRunning(_who(folder)) from cause

    def release(self) -> None:
        """Let the next launcher start."""
        os.close(self._file)


def _who(folder: Path) -> str:
    run = read_run(folder)
    if run is None or run.launcher.process() is None:
        return f"another launcher is just starting in {folder.resolve()}"
    return f"it already runs (process {run.launcher.pid}): {run.address}; `make stop` ends it"
