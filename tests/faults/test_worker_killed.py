"""A worker that is killed costs the lease's rest, not the job, its attempt or a second result."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.client import Body
from tests.stack.components import sample
from tests.stack.names import LOCK_S
from tests.stack.waiting import until

MAX_ATTEMPTS = 2
REPEATS = 3


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """Two jobs at once; a job fails once attempt and deaths together exceed two."""
    env = {"CLAIMCHECK_JOB__MAX_ATTEMPTS": str(MAX_ATTEMPTS), "CLAIMCHECK_WORKER__SLOTS": "2"}
    with run_scene(env=env) as scene:
        yield scene


def kill_worker_at_work(scene: Scene, job_id: str) -> Body:
    """Kill the worker once it runs the job, start it again; the job as it runs the second time."""
    scene.client.until_running(job_id)
    until(lambda: scene.taken(job_id) == 1, "the worker says so too")
    killed_at = datetime.now(UTC)
    scene.system.kill(WORKER)
    scene.system.restart(WORKER)

    def runs_again() -> Body | None:
        job = scene.client.job(job_id)
        return job if "started_at" in job and datetime.fromisoformat(job["started_at"]) > killed_at else None

    job = until(runs_again, "the job runs again", deadline_s=LOCK_S + 10)
    waited = datetime.fromisoformat(job["started_at"]) - killed_at
    assert waited.total_seconds() <= LOCK_S + 5
    return job


def test_job_of_a_killed_worker_runs_again_within_its_lock_and_succeeds_once(scene: Scene) -> None:
    fan_out = scene.client.submit(task="fan", options={"parts": 6, "seconds": 0.5})
    job_id = scene.client.submit(options={"do": "read", "seconds": 2})
    until(lambda: "part.finished" in scene.logs(), "a part is finished")
    again = kill_worker_at_work(scene, job_id)
    assert again["attempt"] == 1
    job = scene.succeeded_once(job_id)
    assert job["result"]["text"] == "the upload"
    assert scene.taken(job_id) == 2
    parts = scene.succeeded_once(fan_out)["result"]
    assert parts == {"parts": [{"part": k, "attempt": 1} for k in range(6)], "warnings": []}
    assert len([item for item in scene.stores.items("part") if item["job_id"] == fan_out]) == 6


def test_transcript_of_a_killed_worker_is_written_by_the_next(scene: Scene) -> None:
    job_id = scene.client.submit(long_recording(), task="transcribe", media_type="audio/wav", name="talk.wav")
    kill_worker_at_work(scene, job_id)
    job = scene.succeeded_once(job_id, deadline_s=60)
    assert job["result"]["text"].lower().count("ask not") >= REPEATS
    assert scene.taken(job_id) == 2


def test_job_that_kills_every_worker_fails_and_the_next_job_runs(scene: Scene) -> None:
    deadly = scene.client.submit(options={"do": "die"})
    worker = scene.system.programs[WORKER]
    deaths = 0

    def ended() -> bool:
        nonlocal deaths
        assert worker.process is not None
        if worker.process.poll() is not None:
            deaths += 1
            worker.start()
        return "ended_at" in scene.client.job(deadly)

    until(ended, "the deadly job ends", deadline_s=(MAX_ATTEMPTS + 1) * (LOCK_S + 8))
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
