"""The uploads of a run: the n-th of each task, every one unlike all others. Pure."""

from __future__ import annotations

import functools
import hashlib
import io
import math
import struct
import wave
from dataclasses import dataclass
from typing import Final

RATE: Final = 16_000
TONE: Final = b"".join(struct.pack("<h", round(3_000 * math.sin(math.tau * n / 40))) for n in range(40))  # 400 Hz
TONE_MS: Final = 2.5
SHORTEST_MS: Final = 1_000
STEP_MS: Final = 10
RECORDINGS: Final = 50
"""So many lengths there are; jobs with the same one must have the same transcript."""


@dataclass(frozen=True)
class Piece:
    """One upload."""

    name: str
    """File name; it begins with the run's mark, by which its jobs are found in the list."""
    body: bytes
    input: str | None
    """What the result depends on, if the task gives the same result each time; see history.Attempt."""

    @property
    def content(self) -> str:
        """SHA-256 in hexadecimal, as a job names it."""
        return hashlib.sha256(self.body).hexdigest()


def mark(run: str) -> str:
    """What the file names of a run begin with."""
    return f"verify-{run}-"


def piece(task: str, run: str, number: int) -> Piece:
    """The upload with this number. A recording for `transcribe`; for any other task a line of text."""
    label = f"claimcheck verify {run} {number}"
    if task != "transcribe":
        return Piece(f"{mark(run)}{number}.txt", f"{label}\n".encode(), None)
    length_ms = SHORTEST_MS + STEP_MS * (number % RECORDINGS)
    return Piece(f"{mark(run)}{number}.wav", _labelled(_recording(length_ms), label.encode()), f"{length_ms} ms")


@functools.cache
def _recording(length_ms: int) -> bytes:
    """A tone, in which no model hears words: what Whisper makes up of noise is not the same each time."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(RATE)
        recording.writeframes((TONE * math.ceil(length_ms / TONE_MS))[: 2 * RATE * length_ms // 1000])
    return file.getvalue()


def _labelled(recording: bytes, label: bytes) -> bytes:
    """The recording with a chunk that no decoder plays, so that equal recordings are different files."""
    chunk = b"note" + struct.pack("<I", len(label)) + label + b"\0" * (len(label) % 2)
    return b"RIFF" + struct.pack("<I", len(recording) + len(chunk) - 8) + recording[8:] + chunk
