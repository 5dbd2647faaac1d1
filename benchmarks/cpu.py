"""Where the CPU time went: with two cores for client, product and emulators, a rate alone explains nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

import psutil


class CpuMeter:
    """Adds up the CPU seconds of processes, this one included, over all rounds."""

    def __init__(self) -> None:
        self._used_s: dict[str, float] = {}

    @contextlib.contextmanager
    def running(self, pids: Mapping[str, int]) -> Iterator[None]:
        """Count what they use inside. `pids`: name -> process id."""
        processes = {name: psutil.Process(pid) for name, pid in {**pids, "client": os.getpid()}.items()}
        before = {name: _cpu_s(process) for name, process in processes.items()}
        yield
        for name, process in processes.items():
            self._used_s[name] = self._used_s.get(name, 0.0) + _cpu_s(process) - before[name]

    def note(self, label: str, operations: float) -> str:
        """CPU milliseconds per operation of every process, the greediest first."""
        greediest = sorted(self._used_s.items(), key=lambda item: -item[1])
        each = ", ".join(f"{name} {1000 * used / operations:.2f}" for name, used in greediest)
        return f"CPU ms per {label}: {each}"


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
