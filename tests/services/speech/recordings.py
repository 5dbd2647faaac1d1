"""Recordings made for tests: tones, silence, damaged files, and files that are none."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000


def tone(duration_s: float, *, rate: int = RATE, hertz: float = 440.0) -> NDArray[np.int16]:
    """int16[n], mono: a sine at a third of full scale."""
    return (np.sin(2 * np.pi * hertz * np.arange(round(duration_s * rate)) / rate) * 10_000).astype(np.int16)


def write_wav(path: Path, samples: NDArray[np.int16], *, rate: int = RATE) -> Path:
    """Write mono PCM with a header."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def encode(
    target: Path | io.RawIOBase,
    pieces: Sequence[tuple[float, NDArray[np.int16]]],
    *,
    container: str,
    codec: str,
    rate: int = RATE,
) -> None:
    """Encode pieces of mono PCM, each at its own second; what lies between two pieces is in no packet."""
    sink = str(target) if isinstance(target, Path) else target
    with av.open(sink, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for start_s, samples in pieces:
            for at in range(0, len(samples), 960):
                frame = av.AudioFrame.from_ndarray(samples[None, at : at + 960], format="s16", layout="mono")
                frame.rate, frame.pts, frame.time_base = rate, round(start_s * rate) + at, Fraction(1, rate)
                file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


class Pipe(io.RawIOBase):
    """Where a recorder streams to: nothing can be gone back to, so the header never learns the length."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(memoryview(data))


def streamed_webm(path: Path, duration_s: float) -> Path:
    """What a browser records: Opus in WebM whose header has no length."""
    pipe = Pipe()
    encode(pipe, [(0.0, tone(duration_s, rate=48_000))], container="webm", codec="libopus", rate=48_000)
    path.write_bytes(pipe.written)
    return path


def m4a(path: Path, duration_s: float) -> Path:
    """AAC in MP4, with its index (`moov`) at the end."""
    encode(path, [(0.0, tone(duration_s))], container="mp4", codec="aac")
    return path


def video_only(path: Path) -> None:
    """One second of MPEG-4 video, without sound."""
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def png(path: Path) -> None:
    """One grey pixel."""
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(b"\x00\x7f"))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def m4a_without_index(path: Path) -> None:
    """An upload that broke off before its index."""
    made = m4a(path, 3.0).read_bytes()
    path.write_bytes(made[: len(made) // 2])


def huge_table(path: Path) -> None:
    """An MP4 whose table of sample sizes is 240 MB; the file is sparse and takes no room."""
    entries = 60_000_000  # FFmpeg takes at most 67 million
    table = struct.pack(">I4sIII", 20 + 4 * entries, b"stsz", 0, 0, entries)
    inner = table
    for name in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        # The length of a box counts the entries, of which only zeros are there.
        inner = struct.pack(">I4s", len(inner) + 8 + 4 * entries, name) + inner
    with path.open("wb") as file:
        file.write(struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + inner)
        file.truncate(len(inner) + 16 + 4 * entries)


def hours_of_silence(path: Path, hours: float) -> Path:
    """A WAV file of zeros; sparse."""
    data_bytes = int(hours * 3600) * RATE * 2
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    with path.open("wb") as file:
        file.write(head + struct.pack("<4sI", b"data", data_bytes))
        file.truncate(len(head) + 8 + data_bytes)
    return path


NO_RECORDINGS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("A note, not a recording.\n" * 40),
    "random bytes": lambda path: path.write_bytes(np.random.default_rng(3).bytes(100_000)),
    "a zip archive": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(300)),
    "a picture": png,
    "a WAV header alone": lambda path: write_wav(path, tone(0)),
    "an M4A without its index": m4a_without_index,
}
