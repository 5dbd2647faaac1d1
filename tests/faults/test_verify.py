"""`claimcheck verify` against the real system: it holds through chaos, and it does not where something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from claimcheck.client import Client
from claimcheck.settings import environment_for_child
from tests.faults.conftest import RunScene, Scene
from tests.services.launcher.running import LauncherProcess
from tests.stack.components import MODELS, ROOT
from tests.stack.names import LOCK_S
from tests.stack.ports import free_port, free_ports
from tests.stack.waiting import until

JOBS = 100
LIMIT_S = 400.0
HANDED_IN = 6


class Verifying:
    """`claimcheck verify` as a process."""

    def __init__(self, folder: Path, variables: Mapping[str, str], *arguments: str) -> None:
        self._errors = folder / "verify.err"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "claimcheck.commands", "verify", "--json", *arguments],
                cwd=ROOT,
                env=environment_for_child(variables),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def said(self) -> str:
        """What it has told a person so far."""
        return self._errors.read_text()

    def ended(self) -> tuple[int, dict[str, Any]]:
        """Its exit status and its verdict."""
        try:
            output, _ = self._process.communicate(timeout=LIMIT_S)
        finally:
            self._process.kill()
        assert output, self.said()
        return self._process.returncode, json.loads(output)


@contextmanager
def launched(folder: Path, variables: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A system that `claimcheck up` runs, with short locks; the environment in which both commands find it."""
    names = ("LOCAL__BLOB", "LOCAL__SERVICE_BUS", "LOCAL__SERVICE_BUS_ADMIN", "LOCAL__COSMOS", "WEB__PROCESS")
    ports = {f"CLAIMCHECK_{name}_PORT": str(free_port()) for name in (*names, "WEB__STATUS")}
    found = {
        **ports,
        "CLAIMCHECK_LOCAL__WORKER_PORT": str(free_ports(3)),  # two workers' and the keeper's
        "CLAIMCHECK_LOCAL__SPEECH_WORKERS": "2",
        "CLAIMCHECK_LOCAL__DIR": str(folder / "data"),
        "CLAIMCHECK_SPEECH__MODELS_DIR": str(MODELS),
        "CLAIMCHECK_SPEECH__MODEL": "tiny.en",
        "CLAIMCHECK_QUEUE__LEASE_S": str(LOCK_S),
        "CLAIMCHECK_QUEUE__RENEW_S": str(LOCK_S / 3),
        "CLAIMCHECK_KEEPER__RESCUE_S": "2",
        # Worker and broker may die around one job more than four times, and then it would fail: rightly, but by chance.
        "CLAIMCHECK_JOB__MAX_ATTEMPTS": "10",
        "CLAIMCHECK_CLIENT__PROCESS_URL": f"http://localhost:{ports['CLAIMCHECK_WEB__PROCESS_PORT']}",
        "CLAIMCHECK_CLIENT__STATUS_URL": f"http://localhost:{ports['CLAIMCHECK_WEB__STATUS_PORT']}",
        "PYTHONPATH": str(ROOT / "tests" / "plugin"),
        **variables,
    }
    launcher = LauncherProcess(("-m", "claimcheck.commands", "up"), folder / "data", found)
    try:
        launcher.wait_ready(deadline_s=90)
        yield found
    finally:
        launcher.close()


@pytest.mark.timeout(520)
@pytest.mark.parametrize(
    ("task", "duplicate_detection"),
    [
        pytest.param(("--task", "transcribe"), "true", id="transcribe"),
        pytest.param(
            ("--task", "probe", "--options", '{"do": "read", "seconds": 0.2}'), "false", id="no duplicate detection"
        ),
    ],
)
def test_every_202_ends_once_while_processes_are_killed_and_frozen(
    tmp_path: Path, task: tuple[str, ...], duplicate_detection: str
) -> None:
    with launched(tmp_path, {"CLAIMCHECK_LOCAL__DUPLICATE_DETECTION": duplicate_detection}) as variables:
        chaos = ("--chaos", "--chaos-s", "60", "--seed", "4")
        verifying = Verifying(tmp_path, variables, "--jobs", str(JOBS), *chaos, *task, "--wait-s", "240")
        status, verdict = verifying.ended()

    wrong = {name: verdict[name] for name in ("lost", "unexpected", "duplicated", "differing", "stuck", "failed")}
    assert {name: found["jobs"] for name, found in wrong.items() if found["count"]} == {}, verifying.said()
    assert (status, verdict["holds"]) == (0, True)
    assert verdict["attempted"] == JOBS
    # A request without a key that meets a dead process is not sent again; there are ten of them.
    assert verdict["acknowledged"] >= JOBS - JOBS // 10
    assert verdict["acknowledged"] + verdict["recovered"]["count"] == verdict["succeeded"]
    assert sum(verdict["calamities"].values()) >= 3, verdict["calamities"]


@pytest.fixture
def broken(run_scene: RunScene) -> Iterator[Scene]:
    """A system without a worker: nothing that it accepts ever ends."""
    with run_scene(workers=0) as scene:
        yield scene


def _led_to(scene: Scene) -> dict[str, str]:
    system = scene.system
    return {
        "CLAIMCHECK_CLIENT__PROCESS_URL": system.process_url,
        "CLAIMCHECK_CLIENT__STATUS_URL": system.status_url,
    }


def test_what_is_lost_stuck_or_unexpected_is_named_and_the_exit_status_says_so(broken: Scene, tmp_path: Path) -> None:
    arguments = ("--jobs", str(HANDED_IN), "--task", "probe", "--wait-s", "10")
    verifying = Verifying(tmp_path, _led_to(broken), *arguments)
    with Client(broken.system.process_url, broken.system.status_url) as client:
        handed_in = until(lambda: _all_handed_in(client), "all are in the list", deadline_s=60)
        lost, *stuck = (job.id for job in handed_in)
        client.erase(lost)
        forged = client.submit(b"not one of the run", task="probe", name=f"{handed_in[0].file.name}-forged")
    status, verdict = verifying.ended()

    assert (status, verdict["holds"]) == (1, False)
    assert [job["id"] for job in verdict["lost"]["jobs"]] == [lost]
    assert {job["id"] for job in verdict["stuck"]["jobs"]} == set(stuck)
    assert [job["id"] for job in verdict["unexpected"]["jobs"]] == [forged.id]
    assert verdict["acknowledged"] == HANDED_IN


def _all_handed_in(client: Client) -> list[Any]:
    jobs = list(client.jobs())
    return jobs if len(jobs) == HANDED_IN else []


def test_a_job_of_a_window_that_has_not_ended_in_time_is_named(broken: Scene, tmp_path: Path) -> None:
    with Client(broken.system.process_url, broken.system.status_url) as client:
        job = client.submit(b"content", task="probe")

    patient = Verifying(tmp_path, _led_to(broken), "--since", "1h").ended()
    hasty = Verifying(tmp_path, _led_to(broken), "--since", "1h", "--wait-s", "0.001").ended()

    assert (patient[0], patient[1]["open"], patient[1]["lost"]) == (0, 1, None)
    assert (hasty[0], [stuck["id"] for stuck in hasty[1]["stuck"]["jobs"]]) == (1, [job.id])


def test_a_window_with_jobs_that_have_ended_holds(scene: Scene, tmp_path: Path) -> None:
    with Client(scene.system.process_url, scene.system.status_url) as client:
        jobs = [client.submit(b"content", task="probe", options={"do": do}) for do in ("succeed", "refuse")]
        for job in jobs:
            client.wait(job.id, timeout_s=60)

    status, verdict = Verifying(tmp_path, _led_to(scene), "--since", "1h").ended()

    assert (status, verdict["succeeded"], verdict["open"]) == (0, 1, 0)
    assert [failed["id"] for failed in verdict["failed"]["jobs"]] == [jobs[1].id]
    before = Verifying(tmp_path, _led_to(scene), "--since", "2h", "--until", "1h").ended()
    assert (before[0], before[1]["succeeded"]) == (0, 0)
