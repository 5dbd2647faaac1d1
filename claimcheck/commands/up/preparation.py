"""Get what is missing before anything starts: Node.js, Azurite, and the Whisper model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from claimcheck.commands.up.errors import ModelMissing
from claimcheck.settings import environment_for_child


def ensure_model(root: Path, model: str, models_dir: Path, say: Callable[[str], None]) -> None:
    """Fetch `model` into `models_dir` unless it is there; its progress goes to the terminal. Raises ModelMissing.

    A model that is a folder of its own is the user's, and left alone. The fetching is the worker's own program, since
    it knows the sources; the commands import no service.
    """
    if Path(model).is_dir() or (models_dir / model / "model.bin").is_file():
        return
    say(f"Getting the Whisper model {model!r} (once; kept in {models_dir}) ...")
    fetch = [sys.executable, "-m", "services.worker.engines.model_sources", model]
    environment = environment_for_child({"CLAIMCHECK_SPEECH__MODELS_DIR": str(models_dir)})
    if subprocess.run(fetch, cwd=root, env=environment, check=False).returncode != 0:
        raise ModelMissing(
            f"the Whisper model {model!r} could not be fetched (see above); put its folder at {models_dir / model}, "
            "or name another with CLAIMCHECK_SPEECH__MODEL"
        )
