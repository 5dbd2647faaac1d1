"""Run an emulator as its own process, from a test or a script: start, kill, start again on the same ports and data.

Owns process handling only; what an emulator is asked goes through the unmodified SDKs.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

READY = re.compile(r"^ready (?P<ports>.+)$")


class EmulatorFailed(RuntimeError):
    """The emulator ended, or did not become ready in time; the message carries its output."""


class EmulatorProcess:
    """`python -m MODULE ARGS`, which prints `ready name=port name=port` on standard output once it listens."""

    def __init__(self, module: str, args: Sequence[str]) -> None:
        self._module, self._args = module, list(args)
        self._process: subprocess.Popen[str] | None = None
        self.ports: dict[str, int] = {}

    @property
    def pid(self) -> int:
        """The running process's id."""
        assert self._process is not None, "start() comes first"
        return self._process.pid

    def start(self, deadline_s: float = 60.0) -> None:
        """Start and wait for the ready line. Raises EmulatorFailed with the output if it does not come."""
        command = [sys.executable, "-m", self._module, *self._args]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self._process.stdout is not None
        waited_until = time.monotonic() + deadline_s
        output = ""
        while (left_s := waited_until - time.monotonic()) > 0:
            if not select.select([self._process.stdout], [], [], left_s)[0]:
                continue
            line = self._process.stdout.readline()
            output += line
            if ready := READY.match(line):
                self.ports = {name: int(port) for name, port in (p.split("=") for p in ready["ports"].split())}
                return
            if not line:
                break
        self.kill()
        raise EmulatorFailed(f"{self._module} did not become ready within {deadline_s:g} s; its output: {output!r}")

    def kill(self) -> None:
        """End it as a crash does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does (SIGTERM)."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, how)
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
