"""A dependency fails while a job is submitted: 503 in time, and either nothing is left or the job ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.conftest import LIMIT_S, PROMPT, SLACK_S, RunScene, Scene
from tests.stack.waiting import until


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """APIs with the time limit that they come with, for blocks too; a test leaves every program running."""
    with run_scene(env={**PROMPT, "CLAIMCHECK_WEB__BLOCK_TIMEOUT_S": str(LIMIT_S)}) as scene:
        yield scene


def unavailable(answer: httpx.Response, slug: str) -> None:
    """Check that the answer is this 503, and says when to come back."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:claimcheck:problem:{slug}"
    assert int(answer.headers["retry-after"]) >= 1


@contextlib.contextmanager
def within(limit_s: float) -> Iterator[None]:
    """Fail if the block takes longer."""
    began_at = time.monotonic()
    yield
    assert time.monotonic() - began_at <= limit_s + SLACK_S


def job_ids(scene: Scene) -> set[str]:
    """Every job there is a record of."""
    return {job["job_id"] for job in scene.stores.items("job")}


def test_frozen_storage_is_503_in_time_and_leaves_no_job(scene: Scene) -> None:
    known = job_ids(scene)
    scene.services.azurite.pause()
    try:
        with within(LIMIT_S):
            unavailable(scene.client.post(), "storage-unavailable")
        with within(2 * LIMIT_S):
            unavailable(scene.client.post(b"x" * 9 * 1024 * 1024), "storage-unavailable")
    finally:
        scene.services.azurite.resume()
    assert job_ids(scene) == known
    until_well(scene)
    scene.succeeded_once(scene.client.submit())


def test_dead_service_bus_is_503_in_time_and_leaves_neither_job_nor_blob(scene: Scene) -> None:
    scene.services.service_bus.kill()
    try:
        # Both senders have links; what was handed to one that turns out to be gone may have arrived: those jobs stay.
        for _ in range(2):
            with within(LIMIT_S):
                unavailable(scene.client.post(), "queue-unavailable")
        known, blobs = job_ids(scene), scene.stores.blobs()
        with within(LIMIT_S):
            unavailable(scene.client.post(), "queue-unavailable")
        assert job_ids(scene) == known
        assert scene.stores.blobs() == blobs
        until_degraded(scene.client.process, "queue")
        assert "queue" not in _degraded(scene.client.status)
    finally:
        scene.services.service_bus.start()
    until_well(scene)
    scene.succeeded_once(scene.client.submit())


def test_frozen_cosmos_is_503_in_time(scene: Scene) -> None:
    # What was on its way is never carried out: no later test finds its record.
    frozen = {"action": "fail", "error": "drop", "delay_s": 60.0, "times": 10}
    with scene.stores.records_fault(kind="create", **frozen), within(LIMIT_S):
        unavailable(scene.client.post(), "records-unavailable")
    scene.succeeded_once(scene.client.submit())


def test_dead_cosmos_is_503_in_time_for_submitting_and_for_asking(scene: Scene) -> None:
    job_id = scene.client.submit()
    scene.succeeded_once(job_id)
    scene.services.cosmos.kill()
    try:
        with within(LIMIT_S):
            unavailable(scene.client.post(), "records-unavailable")
        with within(LIMIT_S):
            unavailable(scene.client.get(job_id), "records-unavailable")
        for api in (scene.client.process, scene.client.status):
            until_degraded(api, "records")
    finally:
        scene.services.cosmos.start()
    scene.succeeded_once(job_id)
    until_well(scene)
    scene.succeeded_once(scene.client.submit())


def until_degraded(api: httpx.Client, dependency: str) -> None:
    """Wait until the API says that it misses this one and no other."""
    until(lambda: _degraded(api) == [dependency], f"{api.base_url} misses {dependency}")


def until_well(scene: Scene) -> None:
    """Wait until no API misses anything."""
    until(lambda: not scene.system_degraded(), "nothing is degraded any more")


def _degraded(api: httpx.Client) -> list[str]:
    answer = api.get("/readyz")
    assert answer.status_code == 200
    missing: list[str] = answer.json()["degraded"]
    return missing


def test_message_whose_answer_is_lost_is_sent_again_and_the_job_ends_once(scene: Scene) -> None:
    scene.succeeded_once(scene.client.submit())  # both senders have links
    scene.succeeded_once(scene.client.submit())
    with scene.stores.queue_fault(kind="send", action="commit-then-fail", error="drop"), within(LIMIT_S):
        job_id = scene.client.submit(options={"seconds": 0.2})
    scene.succeeded_once(job_id)
    assert scene.taken(job_id) == 1


@pytest.mark.parametrize("error", ["drop", "com.microsoft:server-busy"])
def test_job_whose_message_gets_no_good_answer_twice_ends_or_is_taken_back(scene: Scene, error: str) -> None:
    known = job_ids(scene)
    with scene.stores.queue_fault(kind="send", action="commit-then-fail", error=error, times=2), within(LIMIT_S):
        unavailable(scene.client.post(options={"seconds": 0.2}), "queue-unavailable")
    for job_id in job_ids(scene) - known:
        scene.succeeded_once(job_id)
    scene.stores.until_empty()


def test_link_that_was_closed_while_idle_costs_no_submission(scene: Scene) -> None:
    for _ in range(2):
        scene.succeeded_once(scene.client.submit())
    scene.stores.drop_connections()
    for _ in range(2):
        scene.succeeded_once(scene.client.submit())


def test_message_that_was_refused_takes_its_job_back(scene: Scene) -> None:
    known, blobs = job_ids(scene), scene.stores.blobs()
    with scene.stores.queue_fault(kind="send", action="fail", error="com.microsoft:server-busy"):
        unavailable(scene.client.post(), "queue-unavailable")
    assert job_ids(scene) == known
    assert scene.stores.blobs() == blobs


@pytest.mark.parametrize("error", ["drop", "500", "503", "408"])
def test_record_that_was_created_without_an_answer_becomes_one_job_or_none(scene: Scene, error: str) -> None:
    known = job_ids(scene)
    with scene.stores.records_fault(kind="create", action="commit-then-fail", error=error), within(LIMIT_S):
        answer = scene.client.post()
    assert answer.status_code in (202, 503), answer.text
    if answer.status_code == 202:
        assert job_ids(scene) - known == {answer.json()["id"]}
        scene.succeeded_once(answer.json()["id"])


@pytest.mark.parametrize(("error", "retry_after_s"), [("429", 0.05), ("449", None), ("503", None), ("drop", None)])
def test_record_that_was_refused_once_is_202_or_503_with_nothing_queued(
    scene: Scene, error: str, retry_after_s: float | None
) -> None:
    fault = {"kind": "create", "action": "fail", "error": error, "retry_after_s": retry_after_s}
    known = job_ids(scene)
    with scene.stores.records_fault(**fault), within(LIMIT_S):
        answer = scene.client.post()
    if answer.status_code == 202:
        scene.succeeded_once(answer.json()["id"])
    else:
        unavailable(answer, "records-unavailable")
        assert job_ids(scene) == known
