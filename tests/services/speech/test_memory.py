"""Memory is bounded by constants, never by the length of a recording."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.worker.engines.whisper import SpeechEngine
from tests.stack.components import MODELS, ROOT

MORE_BYTES = 65_000_000  # half of what 70 further minutes take as int16, a quarter of it as float32


def peaks_bytes(minutes: int, samples: Path) -> list[int]:
    """Peak memory of the worker and of its media child over a recording of that length."""
    command = [sys.executable, "-m", "tests.services.speech.peak", str(minutes)]
    command += [str(samples / "jfk_16k.flac"), str(MODELS / "tiny.en")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.timeout(600)
def test_an_hour_and_a_quarter_takes_little_more_memory_than_five_minutes(engine: SpeechEngine, samples: Path) -> None:
    worker_bytes, child_bytes = peaks_bytes(5, samples)
    longer_worker_bytes, longer_child_bytes = peaks_bytes(75, samples)
    assert longer_worker_bytes - worker_bytes < MORE_BYTES
    assert longer_child_bytes - child_bytes < MORE_BYTES
