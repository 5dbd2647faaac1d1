"""What the engine loads before it is asked anything: a worker of another queue has it too, and never asks."""

from __future__ import annotations

import subprocess
import sys

from tests.architecture.source import ROOT

UNWANTED = ("openai", "httpx2", "faster_whisper", "ctranslate2", "onnxruntime", "huggingface_hub", "PIL", "docx", "av")


def test_engines_load_no_sdk_and_no_model_until_they_are_used() -> None:
    script = f"""
import sys
import services.worker.engines
from claimcheck.settings import LanguageSettings
services.worker.engines.LanguageEngine(LanguageSettings())
print(*(name for name in {UNWANTED!r} if name in sys.modules))
"""
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
