"""Cut decoded audio into windows for Whisper: speech only, short, and apart wherever there is a pause.

Whisper invents text in silence (" You") and loses its place in time across it, so silence never reaches it. The audio
is read block by block: memory does not grow with the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
SAMPLE_BYTES = 2

Samples = NDArray[np.float32]
"""float32[n], mono, 16 kHz, -1..1"""


@dataclass(frozen=True, order=True)
class Span:
    """Samples `start` up to, not including, `end`, counted from the start of the file."""

    start: int
    end: int

    @property
    def start_s(self) -> float:
        return self.start / RATE

    @property
    def duration_s(self) -> float:
        return (self.end - self.start) / RATE


SpeechFinder = Callable[[Samples], list[Span]]
"""Where speech is in a block, in order, counted from the block's first sample."""

# Peak of a worker with tiny.en over 5 to 75 min: 337 to 353 MB with blocks of 30 s, 352 to 414 MB with 60 s, and the
# detector alone takes 105 MB more with 300 s. The CPU time is the same.
BLOCK_S = 30
WINDOW_S = 28.0  # Whisper's encoder takes 30 s; whatever is shorter is padded and costs the same
EARLY = RATE // 2  # samples
# How far starts of sentences are off, 95 of 100, base, in 300 s of clips 0.2 to 20 s apart: 0.5 s with this, 1.4 s with
# 4 s, 2.6 s in windows of 60 s without their silences. Less than 1 s gains nothing and costs more passes.
PAUSE_S = 1.0


def find_speech(samples: Samples) -> list[Span]:
    """Speech by Silero VAD, no span longer than a window. Deterministic; about 0.1 s of CPU per minute."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # loads onnxruntime

    options = VadOptions(
        min_speech_duration_ms=100,
        min_silence_duration_ms=500,
        speech_pad_ms=200,
        max_speech_duration_s=WINDOW_S,
    )
    return [Span(int(found["start"]), int(found["end"])) for found in get_speech_timestamps(samples, options)]


def read(pcm: Path, span: Span) -> Samples:
    """The samples of the span, or as many as the file has of them.

    Read, not mapped: touched pages of a mapping count as this process's memory.
    """
    count = span.end - span.start
    raw = np.fromfile(pcm, dtype="<i2", count=count, offset=span.start * SAMPLE_BYTES)
    return raw.astype(np.float32) / np.float32(32768)


def speech(pcm: Path, find: SpeechFinder = find_speech, *, block_s: int = BLOCK_S) -> Iterator[Span]:
    """Where speech is in the whole file, in order, without overlap.

    The last span of a block may go on in the next one, so it is not believed: the next block begins where it begins,
    and in any case a little early, because a detector hears the start of a word only after it has begun.
    """
    total = pcm.stat().st_size // SAMPLE_BYTES
    start = 0
    while start < total:
        end = min(start + block_s * RATE, total)
        found = [Span(start + span.start, start + span.end) for span in find(read(pcm, Span(start, end)))]
        is_open = end < total and bool(found) and start < found[-1].start and end - RATE < found[-1].end
        following = found.pop().start if is_open else max(end - EARLY, found[-1].end if found else start)
        yield from found
        start = following if end < total else total


def windows(spans: Iterable[Span], *, window_s: float = WINDOW_S, pause_s: float = PAUSE_S) -> Iterator[Span]:
    """Join neighbouring spans to windows of at most `window_s` that hold no pause longer than `pause_s`."""
    current: Span | None = None
    for span in spans:
        if current is None:
            current = span
        elif span.end - current.start <= window_s * RATE and span.start - current.end <= pause_s * RATE:
            current = Span(current.start, span.end)
        else:
            yield current
            current = span
    if current is not None:
        yield current
