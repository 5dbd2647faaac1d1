"""The models, the samples, and a run of the stage `whole` without a job around it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from claimcheck.blobs import Blobs
from claimcheck.records import Records
from claimcheck.settings import (
    BlobSettings,
    DocumentSettings,
    LanguageSettings,
    MediaSettings,
    RecordSettings,
    SpeechSettings,
)
from claimcheck.transcript import Transcript
from services.worker.drain import Drain
from services.worker.engines import Engines
from services.worker.engines.language import LanguageEngine
from services.worker.engines.whisper import SpeechEngine
from services.worker.handlers.transcribe import whole
from services.worker.kept import KeptBlobs
from services.worker.patience import Patience
from services.worker.stage import StageRun
from services.worker.stage_ledger import StageLedger
from tests.stack.components import MODELS, SAMPLES, model, sample
from tests.unit.claimcheck.samples import job

Transcribe = Callable[..., Awaitable[Transcript]]

# They open themselves at their first call, and this stage makes none.
NO_BLOBS = Blobs(BlobSettings(connection_string=SecretStr("UseDevelopmentStorage=true")), timeout_s=1)
NO_RECORDS = Records(RecordSettings(), timeout_s=1)


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

        submitted, patience = job(task="transcribe"), Patience(Drain(1.0))
        result = await whole(
            StageRun(
                tenant=submitted.tenant,
                job_id=submitted.job_id,
                task=submitted.task,
                stage="whole",
                attempt=1,
                options=options,
                upload=submitted.upload,
                read_upload=lambda: asyncio.to_thread(source.read_bytes),
                open_folder=lambda: folder,
                fetch_upload=fetch,
                finished_parts=none,
                kept=KeptBlobs(submitted, blobs=NO_BLOBS, patience=patience),
                ledger=StageLedger(submitted, "whole", None, items=NO_RECORDS.asked, patience=patience, ttl_s=60),
                progress=progress,
                engines=Engines(
                    speech=engine,
                    media=MediaSettings(),
                    language=LanguageEngine(LanguageSettings(endpoints=())),
                    documents=DocumentSettings(),
                    readers=asyncio.Semaphore(1),
                ),
            )
        )
        # As the client reads it: through JSON.
        return Transcript.model_validate_json(json.dumps(result))

    return run
