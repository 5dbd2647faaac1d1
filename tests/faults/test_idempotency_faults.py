"""A submission with an idempotency key goes wrong half-way: the same request again leads to one job that ends once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx
import pytest
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from claimcheck.idempotency import job_id_for
from tests.faults.conftest import RunScene, Scene
from tests.faults.test_accepting import unavailable
from tests.stack.waiting import until


class Submission:
    """One request that may be sent again and again."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._key = scene, secrets.token_hex(8)
        self.job_id = job_id_for("default", self._key)

    def send(self) -> httpx.Response:
        """Whatever is answered."""
        return self._scene.client.post(headers={"Idempotency-Key": self._key})

    def accepted(self) -> None:
        """Send, and check that the job is what the key stands for."""
        answer = self.send()
        assert answer.status_code == 202, answer.text
        assert answer.json()["id"] == self.job_id

    def is_recorded(self) -> bool:
        """Whether there is a record of the job."""
        try:
            self._scene.stores.record(self.job_id)
        except CosmosResourceNotFoundError:
            return False
        return True

    def blobs(self) -> list[str]:
        """The uploads of the job, named or not."""
        return self._scene.stores.blobs(f"uploads/default/{self.job_id}/")

    def ran_once(self) -> None:
        """Check that the job ended well, ran once, and kept the blob that it names and no other."""
        self._scene.succeeded_once(self.job_id)
        self._scene.stores.until_empty()
        assert self._scene.taken(self.job_id) == 1
        assert self.blobs() == [self._scene.stores.record(self.job_id)["upload"]["blob"]]


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """One worker with one slot, which soon notices that its job is cancelled."""
    with run_scene(env={"CLAIMCHECK_QUEUE__RENEW_S": "0.5"}) as scene:
        yield scene


@pytest.fixture
def submission(scene: Scene) -> Submission:
    """A request whose key is new, to a system whose links to the queue are open."""
    for _ in range(2):  # both senders
        scene.succeeded_once(scene.client.submit())
    return Submission(scene)


def test_job_whose_creator_could_not_send_runs_for_the_request_that_joined_it_meanwhile(
    scene: Scene, submission: Submission
) -> None:
    """The creator may delete only what it created, and that has been touched since. No worker has: it is busy."""
    refused = {"kind": "send", "action": "fail", "error": "com.microsoft:server-busy", "delay_s": 4}
    with scene.busy(), ThreadPoolExecutor(1) as pool, scene.stores.queue_fault(**refused) as struck:
        creator = pool.submit(submission.send)
        until(struck, "the creator has written the record and sends")
        submission.accepted()
        unavailable(creator.result(), "queue-unavailable")
    submission.ran_once()


def test_request_whose_message_was_refused_leaves_nothing_and_works_when_it_comes_again(
    scene: Scene, submission: Submission
) -> None:
    with scene.stores.queue_fault(kind="send", action="fail", error="com.microsoft:server-busy"):
        unavailable(submission.send(), "queue-unavailable")
    assert not submission.is_recorded()
    assert submission.blobs() == []
    submission.accepted()
    submission.ran_once()


@pytest.mark.parametrize("error", ["drop", "500", "503", "408"])
def test_record_that_was_created_without_an_answer_is_met_by_its_own_request_or_by_the_next(
    scene: Scene, submission: Submission, error: str
) -> None:
    with scene.stores.records_fault(kind="create", action="commit-then-fail", error=error):
        answer = submission.send()
    assert answer.status_code in (202, 503), answer.text
    assert submission.is_recorded()
    submission.accepted()
    submission.ran_once()


@pytest.mark.parametrize("error", ["drop", "503"])
def test_touch_whose_answer_is_lost_still_leads_to_the_message(
    scene: Scene, submission: Submission, error: str
) -> None:
    """The request that joins a job whose creator died is refused by its own touch, and begins again."""
    _died_before_it_sent(scene, submission)
    with scene.stores.records_fault(kind="patch", action="commit-then-fail", error=error):
        answer = submission.send()
    assert answer.status_code in (202, 503), answer.text
    if answer.status_code == 503:
        submission.accepted()
    submission.ran_once()


def test_job_whose_creator_died_before_it_sent_runs_for_the_same_request_again(
    scene: Scene, submission: Submission
) -> None:
    _died_before_it_sent(scene, submission)
    scene.stores.until_empty()  # A message would have been taken, and its job with it.
    assert scene.stores.record(submission.job_id)["status"] == "queued"
    submission.accepted()
    submission.ran_once()


def test_job_whose_creator_died_after_it_sent_runs_once(scene: Scene, submission: Submission) -> None:
    _died(scene, scene.stores.queue_fault(kind="send", action="kill-after", pid=_pid(scene)), submission)
    submission.accepted()
    submission.ran_once()


def test_joining_request_whose_message_is_refused_leaves_the_record_and_takes_its_upload_back(
    scene: Scene, submission: Submission
) -> None:
    """Only a creator may delete a record: this one may be somebody's 202."""
    _died_before_it_sent(scene, submission)
    before = submission.blobs()
    with scene.stores.queue_fault(kind="send", action="fail", error="com.microsoft:server-busy"):
        unavailable(submission.send(), "queue-unavailable")
    assert submission.is_recorded()
    assert submission.blobs() == before
    submission.accepted()
    submission.ran_once()


def _died_before_it_sent(scene: Scene, submission: Submission) -> None:
    """Send while the process API is killed the moment that its record is created."""
    _died(scene, scene.stores.records_fault(kind="create", action="kill-after", pid=_pid(scene)), submission)


def _died(scene: Scene, kill: AbstractContextManager[object], submission: Submission) -> None:
    """Send while the process API is killed (kill -9), and start it again."""
    with kill, pytest.raises(httpx.TransportError):
        submission.send()
    scene.system.kill("process-api")
    scene.system.restart("process-api")
    assert submission.is_recorded()


def _pid(scene: Scene) -> int:
    process = scene.system.programs["process-api"].process
    assert process is not None
    return process.pid
