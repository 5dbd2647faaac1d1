"""Memory is bounded by constants, never by the length of a recording."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from services.worker.engines.whisper import SpeechEngine
from tests.services.speech.conftest import MODELS, ROOT

MORE_KB = 40_000  # half of what 40 minutes of samples as int16 would take, and a quarter of them as float32


def peaks_kb(minutes: int, samples: Path) -> list[int]:
    """Peak memory of the worker and of its media child over a recording of that length."""
    command = [sys.executable, "-m", "tests.services.speech.peak", str(minutes)]
    command += [str(samples / "jfk_16k.flac"), str(MODELS / "tiny.en")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return [int(line) for line in done.stdout.split()]


def test_forty_minutes_take_little_more_memory_than_five(engine: SpeechEngine, samples: Path) -> None:
    worker_kb, child_kb = peaks_kb(5, samples)
    longer_worker_kb, longer_child_kb = peaks_kb(40, samples)
    assert longer_worker_kb - worker_kb < MORE_KB
    assert longer_child_kb - child_kb < MORE_KB
