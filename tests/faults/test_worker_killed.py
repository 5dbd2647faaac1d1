"""A worker that is killed costs the lease's rest, not the job, its attempt or a second result."""

from __future__ import annotations

import contextlib
import io
import wave
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.by_hand import ByHand
from tests.stack.client import Body
from tests.stack.components import sample
from tests.stack.fault_hook import FaultHook
from tests.stack.names import LOCK_S
from tests.stack.waiting import until

MAX_ATTEMPTS = 2
REPEATS = 3


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """Three deliveries at once; a job fails once attempt and deaths together exceed two."""
    env = {"CLAIMCHECK_JOB__MAX_ATTEMPTS": str(MAX_ATTEMPTS), "CLAIMCHECK_WORKER__SLOTS": "3"}
    with run_scene(env=env) as scene:
        yield scene


@contextlib.contextmanager
def results_refused(scene: Scene, *, but: int = 0) -> Iterator[None]:
    """No result of a job or a part can be stored, except the first so many: what is at work then stays so."""
    with contextlib.closing(FaultHook(scene.services.cosmos, "http")) as hook:
        database = scene.stores.names.container
        hook.arm(kind="batch", action="fail", error="503", nth=but + 1, times=10_000, match={"database": database})
        yield


def kill_worker_at_work(scene: Scene, job_id: str) -> datetime:
    """Kill the worker once it runs the job, whose result must be refused until then; when that was."""
    scene.client.until_running(job_id)
    until(lambda: scene.taken(job_id) == 1, "the worker says so too")
    killed_at = datetime.now(UTC)
    scene.system.kill(WORKER)
    return killed_at


def runs_again(scene: Scene, job_id: str, killed_at: datetime) -> Body:
    """Start the worker again; the job as it runs the second time."""
    scene.system.restart(WORKER)
    may_run_at = max(datetime.now(UTC), killed_at + timedelta(seconds=LOCK_S))

    def again() -> Body | None:
        job = scene.client.job(job_id)
        return job if "started_at" in job and datetime.fromisoformat(job["started_at"]) > killed_at else None

    job = until(again, "the job runs again")
    assert datetime.fromisoformat(job["started_at"]) <= may_run_at + timedelta(seconds=10)
    return job


def test_job_of_a_killed_worker_runs_again_within_its_lock_and_succeeds_once(scene: Scene) -> None:
    with results_refused(scene, but=1):
        fan_out = scene.client.submit(task="fan", options={"parts": 6, "seconds": 0.5})
        until(lambda: "part.finished" in scene.logs(), "a part is finished")
        job_id = scene.client.submit(options={"do": "read", "seconds": 1})
        killed_at = kill_worker_at_work(scene, job_id)
    assert runs_again(scene, job_id, killed_at)["attempt"] == 1
    job = scene.succeeded_once(job_id)
    assert job["result"]["text"] == "the upload"
    assert scene.taken(job_id) == 2
    parts = scene.succeeded_once(fan_out)["result"]
    assert parts == {"parts": [{"part": k, "attempt": 1} for k in range(6)], "warnings": []}
    assert len([item for item in scene.stores.items("part") if item["job_id"] == fan_out]) == 6


def test_transcript_of_a_killed_worker_is_written_by_the_next(scene: Scene) -> None:
    with results_refused(scene):
        job_id = scene.client.submit(long_recording(), task="transcribe", media_type="audio/wav", name="talk.wav")
        killed_at = kill_worker_at_work(scene, job_id)
    runs_again(scene, job_id, killed_at)
    job = scene.succeeded_once(job_id, deadline_s=60)
    assert job["result"]["text"].lower().count("ask not") >= REPEATS
    assert scene.taken(job_id) == 2


def test_job_that_kills_every_worker_fails_and_the_next_job_runs(scene: Scene) -> None:
    deadly = scene.client.submit(options={"do": "die"})
    worker = scene.system.programs[WORKER]
    by_hand = ByHand(scene.stores)
    deaths = 0

    def ended() -> bool:
        nonlocal deaths
        assert worker.process is not None
        if worker.process.poll() is not None:
            deaths += 1
            by_hand.end_leases()
            worker.start()
        return "ended_at" in scene.client.job(deadly)

    until(ended, "the deadly job ends", deadline_s=90)
    job = scene.client.job(deadly)
    assert (job["status"], job["error"]["type"]) == ("failed", "urn:claimcheck:problem:worker-died")
    assert f"{MAX_ATTEMPTS} deliveries" in job["error"]["detail"]
    assert deaths == MAX_ATTEMPTS
    scene.system.wait_ready(WORKER)
    scene.succeeded_once(scene.client.submit())


def long_recording() -> bytes:
    """Half a minute of speech: eleven seconds, repeated."""
    long = io.BytesIO()
    with wave.open(str(sample("fmt_jfk.wav"))) as short, wave.open(long, "wb") as file:
        file.setparams(short.getparams())
        frames = short.readframes(short.getnframes())
        for _ in range(REPEATS):
            file.writeframes(frames)
    return long.getvalue()
