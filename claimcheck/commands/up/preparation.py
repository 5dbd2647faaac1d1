"""Get the models that are missing, before anything starts: each by a process of its own, beside whatever else is done.

A model that is a folder of its own is the user's, and left alone. The fetching is the worker's own program, since it
knows the sources; the commands import no service.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from claimcheck import demonstration
from claimcheck.commands.up.errors import ModelMissing
from claimcheck.settings import environment_for_child

Say = Callable[[str], None]

SERVES_DEMONSTRATION = "xllamacpp"


class Fetching:
    """Models that are being fetched."""

    def __init__(self, running: Mapping[str, subprocess.Popen[bytes]], models_dir: Path) -> None:
        self._running, self._models_dir = running, models_dir

    def wait(self, model: str) -> Path:
        """Return the model's folder once it is there. Raises ModelMissing."""
        if (process := self._running.get(model)) and process.wait() != 0:
            other = "" if model == demonstration.NAME else ", or name another with CLAIMCHECK_SPEECH__MODEL"
            raise ModelMissing(
                f"the model {model!r} could not be fetched (see above); put its folder at {self._models_dir / model}"
                + other
            )
        return self._models_dir / model


@contextmanager
def fetching(
    root: Path, models: Sequence[str], models_dir: Path, say: Say, *, without: Collection[str] = ()
) -> Iterator[Fetching]:
    """Begin to fetch those of `models` into `models_dir` that are not there; progress goes to the terminal.

    What is not there when the block ends is not fetched any further. `without`: variables that nobody needs to know
    for it, such as keys.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for model in dict.fromkeys(models):
            if not _is_there(model, models_dir):
                say(f"Getting the model {model!r} (once; kept in {models_dir}) ...")
                running[model] = _fetch(root, model, models_dir, without)
        yield Fetching(running, models_dir)
    finally:
        for process in running.values():
            process.terminate()
            process.wait()


def demonstration_file(fetched: Fetching, say: Say) -> Path | None:
    """The demonstration model's file once it is there; None, and it is said why, if it cannot be had on this machine.

    Everything but the language tasks works without it.
    """
    if not serves_demonstration():
        say(f"Without a demonstration model: the package {SERVES_DEMONSTRATION} is not to be had for this machine.")
        return None
    try:
        return fetched.wait(demonstration.NAME) / demonstration.FILE
    except ModelMissing:
        say("Without a demonstration model: it could not be fetched (see above).")
        return None


def serves_demonstration() -> bool:
    """Whether what serves the model is installed; there are no wheels of it for some machines."""
    return importlib.util.find_spec(SERVES_DEMONSTRATION) is not None


def _is_there(model: str, models_dir: Path) -> bool:
    weights = demonstration.FILE if model == demonstration.NAME else "model.bin"
    return Path(model).is_dir() or (models_dir / model / weights).is_file()


def _fetch(root: Path, model: str, models_dir: Path, without: Collection[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services.worker.engines.model_sources", model]
    environment = environment_for_child({"CLAIMCHECK_SPEECH__MODELS_DIR": str(models_dir)}, without=without)
    return subprocess.Popen(command, cwd=root, env=environment)
