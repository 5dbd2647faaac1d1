"""Let one through at a time while a rested endpoint is to be tried. Pure: times are passed in.

One request tries it, so one job is enough: each other that is taken meanwhile is put back, at the cost of its writes.
"""

from __future__ import annotations

from services.worker.engines.language.standing import PROBE_LOOK_S


class Gate:
    """Remembers until when whoever passed is waited for: it may have found no message, or a job for another model."""

    def __init__(self) -> None:
        self._closed_until = 0.0

    def wait_s(self, now: float) -> float:
        """0: whoever asks may pass; else the seconds until somebody may."""
        if now < self._closed_until:
            return self._closed_until - now
        self._closed_until = now + PROBE_LOOK_S
        return 0.0
