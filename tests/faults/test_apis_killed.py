"""The APIs die: what was accepted runs on, and what was not leaves nothing behind."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from azure.storage.blob import ContainerClient

from tests.faults.conftest import Scene
from tests.stack.waiting import until

HALF_A_REQUEST = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\n"
    b"Content-Length: 100000000\r\n\r\n"
    b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * 9_000_000
)


def test_accepted_job_ends_though_the_process_api_is_killed(scene: Scene) -> None:
    job_id = scene.client.submit(options={"seconds": 1})
    scene.system.kill("process-api")
    scene.succeeded_once(job_id)
    scene.system.restart("process-api")
    scene.succeeded_once(scene.client.submit())


def test_upload_that_was_under_way_when_the_process_api_was_killed_leaves_nothing(scene: Scene) -> None:
    jobs, blobs = len(scene.stores.items("job")), scene.stores.blobs()
    where = urlsplit(scene.system.process_url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(HALF_A_REQUEST)
        until(lambda: len(_begun_blobs(scene)) > len(blobs), "blocks of it are stored")
        scene.system.kill("process-api")
        until(lambda: _ended(connection), "the connection ends")
    scene.system.restart("process-api")
    assert len(scene.stores.items("job")) == jobs
    assert scene.stores.blobs() == blobs
    scene.succeeded_once(scene.client.submit())


def _begun_blobs(scene: Scene) -> list[str]:
    """The uploads of which storage has something, also those that nobody has committed."""
    account = scene.services.azurite.connection_string
    with ContainerClient.from_connection_string(account, scene.stores.names.container) as container:
        return [blob.name for blob in container.list_blobs("uploads/", include=["uncommittedblobs"])]


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1024) == b""
    except ConnectionResetError:
        return True


def test_job_ends_though_the_status_api_is_killed(scene: Scene) -> None:
    job_id = scene.client.submit(options={"seconds": 1})
    scene.until_taken(job_id)
    scene.system.kill("status-api")
    with pytest.raises(httpx.TransportError):
        scene.client.get(job_id)
    scene.until_recorded(job_id, "succeeded")
    scene.system.restart("status-api")
    scene.succeeded_once(job_id)


def test_running_and_queued_jobs_end_while_both_apis_are_away(scene: Scene) -> None:
    jobs = [scene.client.submit(options={"seconds": 0.5}) for _ in range(3)]
    for name in ("process-api", "status-api"):
        scene.system.kill(name)
    for job_id in jobs:
        scene.until_recorded(job_id, "succeeded")
    scene.system.start("process-api", "status-api")
    for job_id in jobs:
        scene.succeeded_once(job_id)
