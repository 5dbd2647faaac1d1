"""A worker that has no room left, in memory or on its disk: the job fails and says so, and the worker lives."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import WORKER, RunScene, Scene

MB = 1_000_000
ROOM_MB = 64  # Enough for what a worker does besides its jobs.


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """One worker, and one attempt."""
    env = {"CLAIMCHECK_JOB__MAX_ATTEMPTS": "1"}
    with run_scene(env=env) as scene:
        scene.succeeded_once(scene.client.submit())  # What a worker opens and loads at its first job is there by then.
        yield scene


@contextlib.contextmanager
def little_memory(scene: Scene) -> Iterator[None]:
    """Let the worker have no more memory than it has now, and a little."""
    worker = _worker(scene)
    before = worker.rlimit(psutil.RLIMIT_AS)
    worker.rlimit(psutil.RLIMIT_AS, (worker.memory_info().vms + ROOM_MB * MB, before[1]))
    try:
        yield
    finally:
        worker.rlimit(psutil.RLIMIT_AS, before)


@contextlib.contextmanager
def no_scratch_folder(scene: Scene) -> Iterator[None]:
    """Take the folder away in which the worker makes those of its runs: it can write nowhere."""
    (folder,) = Path(scene.system.programs[WORKER].variables["CLAIMCHECK_WORKER__SCRATCH_DIR"]).glob("worker-*")
    aside = folder.with_name("aside")
    shutil.move(folder, aside)
    try:
        yield
    finally:
        shutil.move(aside, folder)


def _worker(scene: Scene) -> psutil.Process:
    process = scene.system.programs[WORKER].process
    assert process is not None
    return psutil.Process(process.pid)


def fails(scene: Scene, job_id: str) -> None:
    """Wait for the end; check that it came to an error that nobody foresaw."""
    job = scene.client.until_ended(job_id, deadline_s=60)
    assert job["status"] == "failed", job
    assert job["error"]["type"] == "urn:claimcheck:problem:attempts-exhausted"
    assert job["error"]["last"]["type"] == "urn:claimcheck:problem:unexpected-error"


def test_job_that_needs_more_memory_than_there_is_fails_and_the_next_one_runs(scene: Scene) -> None:
    with little_memory(scene):
        fails(scene, scene.client.submit(options={"result_bytes": 2000 * MB}))
        assert "MemoryError" in scene.logs()
        scene.succeeded_once(scene.client.submit())
    assert _worker(scene).is_running()


def test_job_without_a_scratch_folder_fails_and_others_run(scene: Scene) -> None:
    with no_scratch_folder(scene):
        fails(scene, scene.client.submit(options={"do": "read"}))
        scene.succeeded_once(scene.client.submit())
    scene.succeeded_once(scene.client.submit(options={"do": "read"}))
