"""Transcribe a generated recording and print two peaks of memory in bytes: this process's and its media child's.

    python -m tests.services.speech.peak MINUTES CLIP MODEL

The recording holds CLIP eight times, however long it is: what a model call takes is not what is measured.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
from pathlib import Path

from claimcheck.settings import MediaSettings, SpeechSettings
from services.worker.engines.whisper import SpeechEngine
from services.worker.media.decode import decode
from tests.services.speech.recordings import RATE, hours_of_silence

TIMES = 8


async def main(minutes: int, clip: Path, model: str) -> None:
    engine = SpeechEngine(SpeechSettings(model=model))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spoken = await decode(clip, folder, limits=MediaSettings(), max_audio_s=60)
        samples = spoken.path.read_bytes()
        source = hours_of_silence(folder / "upload", minutes / 60)
        with source.open("r+b") as file:
            for number in range(TIMES):
                file.seek(44 + number * minutes * 60 // TIMES * RATE * 2)
                file.write(samples)
        audio = await decode(source, folder, limits=MediaSettings(), max_audio_s=7200)
        assert audio.duration_s == minutes * 60
        heard = await engine.transcribe(audio.path, language=None, model=None, progress=lambda _: None)
    engine.close()
    assert heard.text.count("Americans") == TIMES
    sys.stdout.write(f"{peak_bytes()}\n{unit_bytes() * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\n")


def peak_bytes() -> int:
    """Peak of this program. On Linux not from getrusage: there a program takes over the peak of what it replaces."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return unit_bytes() * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def unit_bytes() -> int:
    return 1 if sys.platform == "darwin" else 1024


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
