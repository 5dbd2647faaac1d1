"""A launcher as a process whose output goes to a file, as `make run > out.log 2>&1 &` would have it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from claimcheck.commands.up.run_record import Mark, read_run
from claimcheck.settings import environment_for_child
from tests.stack.components import ROOT
from tests.stack.waiting import until

READY = "claimcheck ready: "


class LauncherProcess:
    """One run of a launcher."""

    def __init__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        """`folder` is the launcher's folder of data; its output goes beside it."""
        self.folder = folder
        self._output = folder.with_suffix(f".{len(list(folder.parent.glob('*.out')))}.out")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment_for_child(variables),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text(errors="replace")

    def wait_ready(self, deadline_s: float = 60.0) -> None:
        """Return once it says that it is ready."""
        until(self._is_ready, f"{READY!r} in {self._output}", deadline_s=deadline_s)

    def wait_said(self, text: str, deadline_s: float = 60.0) -> None:
        """Return once `text` is in its output."""
        until(lambda: text in self.output(), f"{text!r} in {self._output}", deadline_s=deadline_s)

    def children(self) -> dict[str, Mark]:
        """The processes it has recorded, by name."""
        run = read_run(self.folder)
        assert run is not None
        return {**run.foundations, **run.services}

    def send(self, how: signal.Signals) -> None:
        """Send a signal to the launcher's group, as a terminal does."""
        os.killpg(self.pid, how)

    def kill(self) -> None:
        """End the launcher and nothing else (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def wait(self, deadline_s: float = 45.0) -> int:
        """Wait for its end; its exit status."""
        return self._process.wait(timeout=deadline_s)

    def close(self) -> None:
        """End everything, whatever a test has done."""
        run = read_run(self.folder)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for mark in {**run.foundations, **run.services}.values() if run else ():
            if mark.process():
                os.killpg(mark.pid, signal.SIGKILL)

    def _is_ready(self) -> bool:
        said = self.output()
        assert self._process.poll() is None, f"the launcher ended with {self._process.returncode}:\n{said}"
        return READY in said


def small_system(folder: Path, plan: Mapping[str, Any]) -> LauncherProcess:
    """Run small_system.py with `plan`, in `folder`."""
    file = folder.with_suffix(".plan.json")
    file.write_text(json.dumps({"folder": str(folder), **plan}))
    return LauncherProcess(["-m", "tests.services.launcher.small_system", str(file)], folder, {})


def runs(pid: int) -> bool:
    """Whether there is such a process; a zombie does not count."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
