"""The models, the samples, and a run of the stage `whole` without a job around it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from claimcheck.errors import ModelUnavailable
from claimcheck.settings import MediaSettings, SpeechSettings
from claimcheck.transcript import Transcript
from services.worker.engines import Engines
from services.worker.engines.model_sources import find
from services.worker.engines.whisper import SpeechEngine
from services.worker.handlers.transcribe import whole
from services.worker.stage import StageRun

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / ".local" / "models"
SAMPLES = ROOT.parent / "shared" / "audio"

Transcribe = Callable[..., Awaitable[Transcript]]


def missing(what: str) -> None:
    """A missing component fails in CI and skips elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def model(name: str) -> Path:
    """The model's folder, fetched the first time."""
    try:
        return find(name, MODELS, hub_timeout_s=5)
    except ModelUnavailable as error:
        missing(str(error))
        raise


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of spoken samples."""
    if not (SAMPLES / "references.json").is_file():
        missing(f"no samples of speech in {SAMPLES}")
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
                folder=folder,
                fetch_upload=fetch,
                finished_parts=none,
                progress=progress,
                engines=Engines(speech=engine, media=MediaSettings()),
            )
        )
        # As the client reads it: through JSON.
        return Transcript.model_validate_json(json.dumps(result))

    return run
