"""How far the memory of a process grows while something is done, as the kernel counts it (RSS)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psutil

EVERY_S = 0.01
MB = 1_000_000


class MemoryMeter:
    """Watches one process; its growth counts from here on."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before_mb = self.peak_mb = self._now_mb()

    @property
    def growth_mb(self) -> float:
        """Peak so far minus what there was at first."""
        return self.peak_mb - self.before_mb

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Look inside again and again for a new peak."""
        ended = threading.Event()
        watching = threading.Thread(target=self._watch, args=(ended,))
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(EVERY_S):
            self.peak_mb = max(self.peak_mb, self._now_mb())

    def _now_mb(self) -> float:
        return float(self._process.memory_info().rss) / MB
