"""Files to hand in: made here, and one with speech where there is a folder of samples."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

from tests.stack.components import SAMPLES

SPEECH = SAMPLES / "fmt_jfk.mp3"
RATE = 16_000


def silence(path: Path, seconds: float = 1.0) -> Path:
    """A WAV file without a sound."""
    return _written(path, bytes(2 * int(seconds * RATE)))


def tone(path: Path, seconds: float = 6.0) -> Path:
    """A WAV file with a quiet 440 Hz tone."""
    values = (int(2000 * math.sin(2 * math.pi * 440 * n / RATE)) for n in range(int(seconds * RATE)))
    return _written(path, b"".join(struct.pack("<h", value) for value in values))


def no_recording(path: Path) -> Path:
    """A file that only its name calls something. Its content is no text either, which would be refused at once."""
    path.write_bytes(b"\0 This is no recording.\n" * 20)
    return path


def _written(path: Path, samples: bytes) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)
    return path
