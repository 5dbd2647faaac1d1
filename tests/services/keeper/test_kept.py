"""The keeper among the other programs: whatever they leave behind is swept, and nothing else."""

from __future__ import annotations

import contextlib
import secrets
import socket
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import RunSystem
from tests.services.keeper.conftest import IMPATIENT, PATIENT, Kept
from tests.stack.client import Client
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.waiting import until

BLOCK_BYTES = 64 * 1024
BODY = (
    b'--X\r\nContent-Disposition: form-data; name="task"\r\n\r\nprobe\r\n'
    b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    + b"x" * 3 * BLOCK_BYTES
    + b"\r\n--X--\r\n"
)
HEADERS = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\n"
    b"Content-Length: " + str(len(BODY)).encode() + b"\r\n\r\n"
)
REQUEST = HEADERS + BODY


def leave_orphan(stores: Stores, folder: str = "uploads") -> str:
    """Store a blob of a job that nobody knows; its name."""
    return stores.leave_blob(f"{folder}/default/{uuid.uuid4()}/{secrets.token_hex(8)}")


@contextlib.contextmanager
def connected(kept: Kept) -> Iterator[socket.socket]:
    """A connection to the process API; closed without reading when the context ends."""
    where = urlsplit(kept.system.process_url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        yield connection


@pytest.mark.parametrize(
    "sent_bytes",
    [
        pytest.param(len(HEADERS) - 10, id="within the headers"),
        pytest.param(len(HEADERS), id="before the body"),
        pytest.param(len(HEADERS) + 1000, id="within the first block"),
        pytest.param(len(HEADERS) + 2 * BLOCK_BYTES + 1000, id="after some blocks"),
        pytest.param(len(REQUEST) - 9, id="after the file, before the end"),
        pytest.param(len(REQUEST) - 1, id="one byte before the end"),
    ],
)
def test_client_that_goes_away_before_the_end_leaves_no_job_and_no_blob(kept: Kept, sent_bytes: int) -> None:
    jobs = len(kept.stores.items("job"))
    with connected(kept) as connection:
        connection.sendall(REQUEST[:sent_bytes])
    kept.until_swept()
    assert len(kept.stores.items("job")) == jobs
    kept.assert_every_blob_is_named()


def test_client_that_goes_away_before_the_answer_leaves_a_whole_job(kept: Kept) -> None:
    jobs = {job["job_id"] for job in kept.stores.items("job")}
    with kept.unswept():
        with connected(kept) as connection:
            connection.sendall(REQUEST)
        new = until(lambda: {job["job_id"] for job in kept.stores.items("job")} - jobs, "the job is recorded")
    assert kept.client.until_ended(*new)["status"] == "succeeded"
    kept.until_swept()
    kept.assert_every_blob_is_named()


def test_upload_whose_request_died_before_its_create_is_swept(kept: Kept) -> None:
    jobs, blobs = len(kept.stores.items("job")), set(kept.stores.blobs())
    process = kept.system.programs["process-api"].process
    assert process is not None
    died = {"kind": "create", "action": "kill-instead", "pid": process.pid}
    with kept.unswept():
        with kept.stores.records_fault(**died), pytest.raises(httpx.TransportError):
            kept.client.post()
        (orphan,) = set(kept.stores.blobs()) - blobs
    kept.system.kill("process-api")
    kept.system.restart("process-api")
    until(lambda: not kept.stores.blobs(orphan), "the orphan is swept", deadline_s=40)
    assert len(kept.stores.items("job")) == jobs
    until(
        lambda: any("blob.swept" in line and orphan in line for line in kept.system.logs("keeper-1").splitlines()),
        "the keeper says so",
    )
    kept.assert_every_blob_is_named()


def test_upload_that_lost_against_another_of_its_key_is_swept(kept: Kept) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    job_id = kept.submit(headers=key)
    kept.client.until_ended(job_id)
    process = kept.system.programs["process-api"].process
    assert process is not None
    # It dies once it knows that it lost, and before it deletes what it stored.
    died = {"kind": "create", "action": "kill-before", "pid": process.pid}
    with kept.unswept():
        with kept.stores.records_fault(**died), pytest.raises(httpx.TransportError):
            kept.client.post(headers=key)
        assert len(kept.stores.blobs(f"uploads/default/{job_id}/")) == 2
    kept.system.kill("process-api")
    kept.system.restart("process-api")
    kept.until_swept()
    assert kept.stores.blobs(f"uploads/default/{job_id}/") == [kept.stores.record(job_id)["upload"]["blob"]]
    assert kept.client.submit(headers=key) == job_id


def test_jobs_keep_their_uploads_and_results_while_orphans_by_the_hundred_are_swept(kept: Kept) -> None:
    small = [kept.submit(options={"do": "read"}) for _ in range(4)]
    large = [kept.submit(options={"result_bytes": 300_000}) for _ in range(2)]
    running = kept.submit(options={"do": "read", "seconds": 6})
    left = [leave_orphan(kept.stores, folder) for folder in ("uploads", "parts", "parts", "results") for _ in range(50)]
    until(lambda: not {*left} & {*kept.stores.blobs()}, "the orphans are swept", deadline_s=40)
    for job_id in (*small, *large, running):
        assert kept.client.until_ended(job_id)["status"] == "succeeded"
    kept.until_swept()
    for job_id in large:
        assert len(kept.client.get(job_id).json()["result"]["filler"]) == 300_000
    kept.assert_every_blob_is_named()


def test_blobs_of_an_expired_job_are_swept(kept: Kept) -> None:
    job_id = kept.submit(options={"result_bytes": 300_000})
    kept.client.until_ended(job_id)
    kept.stores.delete_record(job_id)
    until(lambda: not kept.stores.blobs(f"uploads/default/{job_id}/"), "its upload is swept", deadline_s=40)
    until(lambda: not kept.stores.blobs(f"results/default/{job_id}/"), "its result is swept", deadline_s=40)
    assert kept.client.get(job_id).status_code == httpx.codes.NOT_FOUND


def test_dependency_that_is_away_delays_the_sweep_and_does_not_end_the_keeper(kept: Kept) -> None:
    said = kept.system.logs("keeper-1").count("round.failed")
    kept.stores.services.cosmos.kill()
    orphan = leave_orphan(kept.stores)
    try:
        until(lambda: kept.system.logs("keeper-1").count("round.failed") > said, "a round fails", deadline_s=40)
        assert kept.stores.blobs(orphan)
    finally:
        kept.stores.services.cosmos.start()
    until(lambda: not kept.stores.blobs(orphan), "the orphan is swept", deadline_s=40)
    kept.system.wait_ready("keeper-1")


def test_second_erase_finds_what_was_written_after_the_first(
    run_system: RunSystem, services: Services, name_stock: NameStock
) -> None:
    names = name_stock.take()
    stores = Stores(services, names)
    seldom_swept = {**IMPATIENT, "CLAIMCHECK_KEEPER__ORPHAN_AGE_S": "3600"}  # so that no other sweep can have done it
    with (
        run_system(keepers=1, names=names, env=PATIENT, keeper_env=seldom_swept) as system,
        Client(system.process_url, system.status_url) as client,
    ):
        job_id = client.submit()
        client.until_ended(job_id)
        assert system.stop("keeper-1") == 0  # so that the second erase cannot come before what it shall find
        assert client.erase(job_id).status_code == httpx.codes.NO_CONTENT
        stores.leave_blob(f"results/default/{job_id}/{secrets.token_hex(8)}")
        system.restart("keeper-1")
        until(lambda: not stores.blobs(""), "the late result is erased", deadline_s=40)
        until(lambda: stores.record(job_id)["swept"], "the tombstone says so")
        until(lambda: "job.erased_again" in system.logs("keeper-1"), "the keeper says so")
        assert system.logs("keeper-1").count("job.erased_again") == 1
        assert client.get(job_id).status_code == httpx.codes.NOT_FOUND


def test_erase_whose_api_is_killed_is_finished_by_the_keeper(kept: Kept) -> None:
    job_id = kept.submit(options={"result_bytes": 300_000})
    kept.client.until_ended(job_id)
    (upload, result) = (
        *kept.stores.blobs(f"uploads/default/{job_id}/"),
        *kept.stores.blobs(f"results/default/{job_id}/"),
    )
    process = kept.system.programs["process-api"].process
    assert process is not None
    # Dead between the tombstone and the wipe.
    with (
        kept.stores.records_fault(kind="replace", action="kill-after", pid=process.pid),
        pytest.raises(httpx.TransportError),
    ):
        kept.client.erase(job_id)
    kept.system.kill("process-api")
    assert kept.client.get(job_id).status_code == httpx.codes.NOT_FOUND

    until(lambda: not {upload, result} & {*kept.stores.blobs("")}, "the keeper erases them", deadline_s=40)
    until(lambda: kept.stores.record(job_id)["swept"], "the tombstone says so", deadline_s=40)
    kept.system.restart("process-api")
    assert kept.client.erase(job_id).status_code == httpx.codes.NOT_FOUND


def test_keeper_that_is_killed_is_followed_by_one_that_sweeps_everything(kept: Kept) -> None:
    orphans = [kept.stores.leave_blob(f"parts/default/{uuid.uuid4()}/{secrets.token_hex(8)}") for _ in range(20)]
    until(lambda: not {*orphans} <= {*kept.stores.blobs("")}, "the sweep has begun", deadline_s=40)
    kept.system.kill("keeper-1")
    orphans.append(kept.stores.leave_blob(f"parts/default/{uuid.uuid4()}/{secrets.token_hex(8)}"))
    kept.system.restart("keeper-1")
    until(lambda: not {*orphans} & {*kept.stores.blobs("")}, "the next keeper sweeps the rest", deadline_s=40)
    kept.until_swept()
    kept.assert_every_blob_is_named()


def test_two_keepers_sweep_the_same_blobs_without_harm(
    run_system: RunSystem, services: Services, name_stock: NameStock
) -> None:
    names = name_stock.take()
    stores = Stores(services, names)
    with (
        run_system(keepers=2, names=names, env=PATIENT, keeper_env=IMPATIENT) as system,
        Client(system.process_url, system.status_url) as client,
    ):
        kept = Kept(system, client, stores)
        jobs, erased = [kept.submit() for _ in range(3)], kept.submit()
        client.until_ended(erased)
        assert client.erase(erased).status_code == httpx.codes.NO_CONTENT
        for _ in range(60):
            leave_orphan(stores)
        for job_id in jobs:
            assert client.until_ended(job_id)["status"] == "succeeded"
        kept.until_swept()
        until(lambda: stores.record(erased)["swept"], "the erased job is erased again", deadline_s=40)
        kept.assert_every_blob_is_named()
        said = system.logs("keeper-1") + system.logs("keeper-2")
        assert "round." not in said


def test_keeper_that_is_told_to_end_ends_at_once_in_mid_sweep(
    run_system: RunSystem, services: Services, name_stock: NameStock
) -> None:
    names = name_stock.take()
    stores = Stores(services, names)
    slow = {**IMPATIENT, "CLAIMCHECK_KEEPER__READS_PER_S": "0.01"}
    with run_system(workers=0, keepers=1, names=names, keeper_env=slow) as system:
        leave_orphan(stores)
        until(lambda: "blob.swept" in system.logs("keeper-1"), "a sweep is under way", deadline_s=40)
        # This one takes 100 s, and a drain that waited for it would be cut short, with another status.
        assert system.stop("keeper-1") == 0
        assert "keeper.drained" in system.logs("keeper-1")
