"""Measure how many words Whisper gets wrong, and what that costs, over recordings whose texts are known.

    python -m benchmarks.word_error_rate [--samples FOLDER] [--goal PERCENT] [MODEL ...]

Takes the way of a job, without the job: the media child decodes, the engine transcribes. Each model runs in a process
of its own, so that the peak of its memory is its own. The first model must reach the goal, or the exit status is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from claimcheck.settings import MediaSettings, SpeechSettings
from services.worker.engines.whisper import SpeechEngine
from services.worker.media.decode import decode

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "audio"
GOAL_PERCENT = 5.0
CLIPS = re.compile(r"jfk_16k\.flac|librivox/.*")

# Spellings of one spoken word.
SAME = {"mister": "mr", "missus": "mrs", "doctor": "dr"}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A recording and what is said in it."""

    path: Path
    text: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model's figures over all clips."""

    model: str
    audio_s: float
    words: int
    errors: int
    wall_s: float
    cpu_s: float
    peak_bytes: int

    @property
    def percent(self) -> float:
        return 100 * self.errors / self.words


def words(text: str) -> list[str]:
    """The words of a text as they sound: no case, no punctuation, one spelling of titles; numbers as they are."""
    found = re.findall(r"[\w']+", text.lower().replace("\u2019", "'").replace("-", " "))
    return [SAME.get(word, word) for word in found]


def word_errors(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that make one of the other (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, expected in enumerate(reference, start=1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(heard, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != expected))
    return row[-1]


def clips(folder: Path) -> list[Clip]:
    """The clips that `references.json` in the folder names."""
    references = json.loads((folder / "references.json").read_text())
    return [Clip(path=folder / r["file"], text=r["text"]) for r in references if CLIPS.fullmatch(r["file"])]


def measure(model: str, samples: Path) -> Row:
    """Transcribe every clip with the model, once it is loaded. Runs in a process of its own."""
    engine = SpeechEngine(SpeechSettings(model=model))
    try:
        return asyncio.run(_measure(engine, model, clips(samples)))
    finally:
        engine.close()


async def _measure(engine: SpeechEngine, model: str, samples: Sequence[Clip]) -> Row:
    await _transcribe(engine, samples[0].path)
    started, cpu = time.perf_counter(), time.process_time()
    audio_s, total, errors = 0.0, 0, 0
    for clip in samples:
        duration_s, text = await _transcribe(engine, clip.path)
        expected = words(clip.text)
        audio_s, total, errors = (
            audio_s + duration_s,
            total + len(expected),
            errors + word_errors(expected, words(text)),
        )
    return Row(
        model=model,
        audio_s=audio_s,
        words=total,
        errors=errors,
        wall_s=time.perf_counter() - started,
        cpu_s=time.process_time() - cpu,
        peak_bytes=_peak_bytes(),
    )


async def _transcribe(engine: SpeechEngine, path: Path) -> tuple[float, str]:
    with tempfile.TemporaryDirectory() as folder:
        audio = await decode(path, Path(folder), limits=MediaSettings(), max_audio_s=engine.settings.max_audio_s)
        heard = await engine.transcribe(audio.path, language="en", model=None, progress=lambda _: None)
    return audio.duration_s, heard.text


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def table(rows: Sequence[Row]) -> str:
    """The figures, a line per model. RTF: wall seconds per second of audio."""
    lines = [
        f"{'model':<10} {'audio s':>8} {'words':>6} {'errors':>7} {'WER %':>6} {'RTF':>6} {'cpu s':>6} {'peak MB':>8}"
    ]
    lines += [
        f"{row.model:<10} {row.audio_s:>8.1f} {row.words:>6} {row.errors:>7} {row.percent:>6.1f} "
        f"{row.wall_s / row.audio_s:>6.3f} {row.cpu_s:>6.1f} {row.peak_bytes / 1e6:>8.0f}"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if the first model misses the goal."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.word_error_rate", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--samples", type=Path, default=SAMPLES)
    parser.add_argument("--goal", type=float, default=GOAL_PERCENT, metavar="PERCENT")
    options = parser.parse_args(arguments)
    rows = []
    for model in options.models or ["base", "tiny.en"]:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            rows.append(process.submit(measure, model, options.samples).result())
    sys.stdout.write(table(rows))
    return 0 if rows[0].percent <= options.goal else 1


if __name__ == "__main__":
    sys.exit(main())
