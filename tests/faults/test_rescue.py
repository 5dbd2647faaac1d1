"""Jobs whose message is gone are announced anew, each once; those that wait, or are run, are left alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from claimcheck.job import timestamp
from services.worker.keeper.rescuer import PAGE
from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.by_hand import ByHand
from tests.stack.names import LOCK_S
from tests.stack.waiting import until

KEEPERS = ("keeper-1", "keeper-2")
SOON_S = 60.0
PATIENCE_S = 5 * LOCK_S
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """Two keepers that look often, and a worker that a test starts when it needs one."""
    env = {
        "CLAIMCHECK_KEEPER__RESCUE_S": "0.3",
        "CLAIMCHECK_WORKER__SLOTS": "2",
        "CLAIMCHECK_QUEUE__RENEW_S": "0.5",  # A worker that stands still for seconds keeps its leases.
    }
    with run_scene(keepers=2, env=env) as scene:
        assert scene.system.stop(WORKER) == 0
        yield scene


@pytest.fixture
def by_hand(scene: Scene) -> ByHand:
    """The queue, in the test's hands."""
    return ByHand(scene.stores)


@contextlib.contextmanager
def working(scene: Scene) -> Iterator[None]:
    """With the worker, which ends when the context does."""
    scene.system.restart(WORKER)
    yield
    assert scene.system.stop(WORKER) == 0


def forget(scene: Scene, job_id: str, **changes: object) -> None:
    """Let an hour pass since the job last moved; `changes`: of its record besides."""
    an_hour_ago = timestamp(datetime.now(UTC) - HOUR)
    scene.stores.change_record(job_id, **{"moved_at": an_hour_ago, **changes})


def rescued(scene: Scene, job_id: str) -> int:
    """How often a keeper says that it has rescued the job."""
    lines = [line for keeper in KEEPERS for line in scene.system.logs(keeper).splitlines()]
    return sum("job.rescued" in line and job_id in line for line in lines)


def test_jobs_whose_messages_are_gone_are_rescued_once_by_two_keepers_and_succeed_once(
    scene: Scene, by_hand: ByHand
) -> None:
    purged = [scene.client.submit() for _ in range(5)]
    retried, fan_out = scene.client.submit(), scene.client.submit(task="fan", options={"parts": 3})
    # As the first request of a sender may go by a connection that is gone, it is sent once more.
    with scene.stores.queue_fault(kind="send", action="fail", error="drop", times=2):
        assert scene.client.post().status_code == httpx.codes.SERVICE_UNAVAILABLE
    by_hand.take_off(len(purged) + 2)
    known = {*purged, retried, fan_out}
    (unsent,) = {job["job_id"] for job in scene.stores.items("job")} - known
    epochs = {job["job_id"]: job["epoch"] for job in scene.stores.items("job")}

    for job_id in (*purged, unsent):
        forget(scene, job_id)
    forget(scene, retried, attempt=2, due_at=timestamp(datetime.now(UTC) - HOUR / 2))
    forget(scene, fan_out, status="running", stage="piece", parts={"total": 3, "done": 0})
    until(lambda: all(rescued(scene, job_id) for job_id in epochs), "all are rescued", deadline_s=SOON_S)
    messages = len(epochs) + 1  # a fan-out of three parts has two chains
    until(lambda: scene.stores.counts()["active"] == messages, "all are announced")

    with working(scene):
        for job_id in {*purged, unsent}:
            scene.succeeded_once(job_id)
        scene.succeeded_once(retried, attempt=2)
        assert [part["part"] for part in scene.succeeded_once(fan_out)["result"]["parts"]] == [0, 1, 2]
    assert {job_id: rescued(scene, job_id) for job_id in epochs} == dict.fromkeys(epochs, 1)
    assert all(scene.stores.record(job_id)["epoch"] != epoch for job_id, epoch in epochs.items())
    assert all(scene.taken(job_id) == 1 for job_id in epochs if job_id != fan_out)


def test_two_keepers_share_the_dead_letters_and_keep_each_once(scene: Scene, by_hand: ByHand) -> None:
    jobs = [scene.client.submit() for _ in range(6)]
    by_hand.exhaust(len(jobs))
    for job_id in jobs:
        job = scene.client.until_ended(job_id, deadline_s=SOON_S)
        assert (job["status"], job["error"]["type"]) == ("failed", "urn:claimcheck:problem:dead-lettered")
    until(lambda: scene.stores.counts()["dead_lettered"] == 0, "no dead letter is left", deadline_s=SOON_S)
    assert sorted(letter["job_id"] for letter in scene.stores.items("dead-letter")) == sorted(jobs)


def test_message_that_turns_up_after_the_rescue_announces_and_runs_nothing_twice(scene: Scene, by_hand: ByHand) -> None:
    job_id = scene.client.submit()
    (body,) = by_hand.take_off()
    forget(scene, job_id)
    until(lambda: scene.stores.counts()["active"] == 1, "it is announced anew", deadline_s=SOON_S)
    scene.stores.send({"late": body})
    with working(scene):
        scene.succeeded_once(job_id)
        scene.stores.until_empty()
    assert scene.taken(job_id) == 1


def pid_of(scene: Scene, name: str) -> int:
    """Of a program that runs."""
    process = scene.system.programs[name].process
    assert process is not None
    return process.pid


def until_dead(scene: Scene, name: str) -> None:
    """Wait until a fault has killed the program."""
    process = scene.system.programs[name].process
    assert process is not None
    until(lambda: process.poll() is not None, f"{name} is killed", deadline_s=SOON_S)
    scene.system.kill(name)


def test_keeper_that_is_killed_after_its_look_or_its_write_is_followed_by_one_that_rescues(
    scene: Scene, by_hand: ByHand
) -> None:
    victim, other = KEEPERS
    assert scene.system.stop(other) == 0  # what it does would hide what the killed one left
    looked, written = scene.client.submit(), scene.client.submit()
    by_hand.take_off(2)

    # Whoever asks whether the queue is there looks at one message; the rescuer looks at a page.
    look = {"kind": "peek", "match": {"count": str(PAGE)}}
    with scene.stores.queue_fault(**look, action="kill-after", pid=pid_of(scene, victim)):
        forget(scene, looked)
        until_dead(scene, victim)
    scene.system.restart(victim)
    until(lambda: scene.stores.counts()["active"] == 1, "the first is announced anew", deadline_s=SOON_S)

    with scene.stores.records_fault(kind="patch", action="kill-after", pid=pid_of(scene, victim)):
        forget(scene, written)
        until_dead(scene, victim)
    assert scene.stores.counts()["active"] == 1
    forget(scene, written)  # With its new epoch and no message it would be looked for once it is no longer fresh.
    scene.system.start(victim, other)
    until(lambda: scene.stores.counts()["active"] == 2, "the second is announced anew", deadline_s=SOON_S)
    with working(scene):
        for job_id in (looked, written):
            scene.succeeded_once(job_id)
            assert scene.taken(job_id) == 1


def test_running_job_and_one_that_waits_for_its_retry_are_left_alone_while_a_forgotten_one_is_rescued_in_time(
    scene: Scene, by_hand: ByHand
) -> None:
    forgotten = scene.client.submit()
    created_at = datetime.fromisoformat(scene.stores.record(forgotten)["created_at"])
    by_hand.take_off()
    # A job that waits for its due time is not looked for, whatever is on the queue.
    waits = scene.client.submit()
    by_hand.take_off()
    forget(scene, waits, attempt=2, due_at=timestamp(datetime.now(UTC) + HOUR))
    with working(scene):
        runs = scene.client.submit(options={"seconds": 3600})
        scene.client.until_running(runs)
        until(lambda: rescued(scene, forgotten), "the forgotten one is rescued", deadline_s=PATIENCE_S + SOON_S)
        rescued_at = datetime.now(UTC)
        scene.succeeded_once(forgotten)
        assert scene.client.cancel(runs).status_code == httpx.codes.OK
        scene.stores.until_empty()
    assert rescued_at - created_at >= timedelta(seconds=PATIENCE_S)
    # At that time the running job's message was as old: what protects it are its heartbeats.
    assert rescued(scene, runs) == rescued(scene, waits) == 0
    assert scene.taken(runs) == 1
    assert scene.client.cancel(waits).status_code == httpx.codes.OK
