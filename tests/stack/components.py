"""What tests need besides processes: models and spoken samples. Missing ones fail in CI and skip elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from claimcheck.errors import ModelUnavailable
from services.worker.engines.model_sources import find

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / ".local" / "models"
SAMPLES = ROOT.parent / "shared" / "audio"


def missing(what: str) -> None:
    """A missing component fails in CI and skips elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def model(name: str) -> Path:
    """The folder of a Whisper model, fetched the first time."""
    try:
        return find(name, MODELS, hub_timeout_s=5)
    except ModelUnavailable as error:
        missing(str(error))
        raise


def sample(name: str) -> Path:
    """A file in the folder of spoken samples, or the folder itself (`.`)."""
    path = SAMPLES / name
    if not path.exists():
        missing(f"there is no sample of speech at {path}")
    return path
