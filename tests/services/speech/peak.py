"""Transcribe a generated recording and print the peak of this process's memory: `python -m ... MINUTES CLIP PCM`."""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from claimcheck.settings import MediaSettings, SpeechSettings
from services.worker.engines.whisper import SpeechEngine
from services.worker.media.decode import decode
from tests.services.speech.recordings import RATE, hours_of_silence

EVERY_MIN = 5


async def main(minutes: int, clip: Path, model: str) -> None:
    engine = SpeechEngine(SpeechSettings(model=model))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spoken = await decode(clip, folder, limits=MediaSettings(), max_audio_s=60)
        samples = spoken.path.read_bytes()
        source = hours_of_silence(folder / "upload", minutes / 60)
        with source.open("r+b") as file:
            for minute in range(0, minutes, EVERY_MIN):
                file.seek(44 + minute * 60 * RATE * 2)
                file.write(samples)
        audio = await decode(source, folder, limits=MediaSettings(), max_audio_s=7200)
        assert audio.duration_s == minutes * 60
        heard = await engine.transcribe(audio.path, language=None, model=None, progress=lambda _: None)
    engine.close()
    assert heard.text.count("Americans") == len(np.arange(0, minutes, EVERY_MIN))
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        sys.stdout.write(f"{resource.getrusage(who).ru_maxrss}\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
