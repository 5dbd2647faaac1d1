"""Slots, cancellation and models of the speech engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from claimcheck.errors import ModelUnavailable
from claimcheck.settings import MediaSettings, SpeechSettings
from services.worker.engines.whisper import Speech, SpeechEngine
from services.worker.media.decode import decode
from tests.services.speech.recordings import RATE
from tests.stack.components import MODELS

TIMES = 5
HELD_S = 60.0

Hear = Callable[[Callable[[float], None]], Coroutine[Any, Any, Speech]]


@pytest.fixture
async def pcm(samples: Path, tmp_path: Path) -> Path:
    """Five times the same eleven seconds, so far apart that each is a window of its own, or two."""
    audio = await decode(samples / "jfk_16k.flac", tmp_path, limits=MediaSettings(), max_audio_s=60)
    clip = np.fromfile(audio.path, dtype=np.int16)
    path = tmp_path / "long.pcm"
    np.concatenate([clip, np.zeros(2 * RATE, np.int16)] * TIMES).tofile(path)
    return path


@pytest.fixture
def hear(engine: SpeechEngine, pcm: Path) -> Hear:
    return lambda progress: engine.transcribe(pcm, language=None, model=None, progress=progress)


async def test_a_cancelled_caller_returns_at_once_and_the_next_job_gets_the_slot(hear: Hear) -> None:
    loop, begun, goes_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    told: list[str] = []

    def first(_: float) -> None:
        told.append("first")
        loop.call_soon_threadsafe(begun.set)
        assert goes_on.wait(HELD_S)

    task = asyncio.create_task(hear(first))
    await begun.wait()
    task.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, HELD_S / 2)  # Its thread is held meanwhile.
    finally:
        goes_on.set()
    heard = await hear(lambda _: told.append("second"))
    assert heard.text.count("Americans") == TIMES
    # It stopped at its window, and the slot was the second's alone from then on.
    assert told.count("first") <= 2
    assert told == sorted(told)


async def test_a_second_job_waits_for_the_slot_of_the_first(hear: Hear) -> None:
    told: list[str] = []
    await asyncio.gather(hear(lambda _: told.append("first")), hear(lambda _: told.append("second")))
    assert [name for name, _ in groupby(told)] == ["first", "second"]


async def test_a_job_cancelled_while_it_waits_never_runs(hear: Hear) -> None:
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    told: list[str] = []

    def first(_: float) -> None:
        told.append("first")
        loop.call_soon_threadsafe(begun.set)

    running = asyncio.create_task(hear(first))
    waiting = asyncio.create_task(hear(lambda _: told.append("waiting")))
    await begun.wait()
    waiting.cancel()
    await running
    assert set(told) == {"first"}


async def test_the_loop_turns_while_a_model_runs(hear: Hear) -> None:
    turns = 0
    windows: list[int] = []

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    turning = asyncio.create_task(turn())
    await hear(lambda _: windows.append(turns))
    turning.cancel()
    # Also in each of them, which are most of a second: none holds up what runs beside it.
    assert len(windows) >= TIMES
    assert all(later > before for before, later in pairwise([0, *windows]))


async def test_a_damaged_model_is_unavailable_and_the_log_alone_says_where(
    pcm: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "models" / "broken"
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((MODELS / "tiny.en" / name).read_bytes())
    (folder / "model.bin").write_bytes(b"no model")
    engine = SpeechEngine(SpeechSettings(model="broken", models_dir=folder.parent))
    with pytest.raises(ModelUnavailable) as raised:
        await engine.transcribe(pcm, language=None, model=None, progress=lambda _: None)
    assert raised.value.detail == "the model broken cannot be had on this worker now"
    (line,) = (record for record in caplog.records if record.message == "model.unavailable")
    assert str(folder) in vars(line)["detail"]
    engine.close()


async def test_a_closed_engine_ends_at_its_next_window(engine: SpeechEngine, pcm: Path) -> None:
    own = SpeechEngine(SpeechSettings(model=str(MODELS / "tiny.en")))
    told: list[float] = []

    def close(done: float) -> None:
        told.append(done)
        own.close()

    with pytest.raises(Exception, match="stopped"):
        await own.transcribe(pcm, language=None, model=None, progress=close)
    assert len(told) == 1
