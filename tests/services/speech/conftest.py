"""The models, the samples, and a run of the stage `whole` without a job around it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from claimcheck.settings import MediaSettings, SpeechSettings
from claimcheck.transcript import Transcript
from services.worker.engines import Engines
from services.worker.engines.whisper import SpeechEngine
from services.worker.handlers.transcribe import whole
from services.worker.stage import StageRun
from tests.stack.components import MODELS, SAMPLES, model, sample

Transcribe = Callable[..., Awaitable[Transcript]]


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of spoken samples."""
    sample("references.json")
    return SAMPLES


@pytest.fixture(scope="session")
def texts(samples: Path) -> dict[str, str]:
    """What is said in each sample."""
    return {known["file"]: known["text"] for known in json.loads((samples / "references.json").read_text())}


@pytest.fixture(scope="session")
def engine() -> Iterator[SpeechEngine]:
    """Whisper tiny.en on one slot."""
    model("tiny.en")
    made = SpeechEngine(SpeechSettings(model="tiny.en", models=("tiny.en", "base"), models_dir=MODELS))
    yield made
    made.close()


@pytest.fixture
def transcribe(engine: SpeechEngine, tmp_path: Path) -> Transcribe:
    """Run the stage on a file: `await transcribe(path, language="en")`; further `progress=` is a callback."""
    folder = tmp_path / "run"
    folder.mkdir()

    async def run(source: Path, *, progress: Callable[[float], None] = lambda _: None, **options: Any) -> Transcript:
        async def fetch(target: Path) -> None:
            shutil.copyfile(source, target)

        async def none(_: str) -> list[Any]:
            return []

        result = await whole(
            StageRun(
                tenant="default",
                job_id="7a0c6bd0-8f8e-4f7e-9a55-0f4f2a3f7c11",
                task="transcribe",
                stage="whole",
                attempt=1,
                options=options,
                open_folder=lambda: folder,
                fetch_upload=fetch,
                finished_parts=none,
                progress=progress,
                engines=Engines(speech=engine, media=MediaSettings()),
            )
        )
        # As the client reads it: through JSON.
        return Transcript.model_validate_json(json.dumps(result))

    return run
