"""Idempotency-Key: the same key of the same tenant is the same job, however often and however it comes."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from claimcheck.idempotency import job_id_for
from claimcheck.web.access import key_hash
from tests.conftest import RunSystem
from tests.services.http.conftest import BLOCK_BYTES, Idle
from tests.services.http.test_refusals import refused
from tests.stack.client import Client
from tests.stack.stores import Stores
from tests.stack.system import System

AT_ONCE = 20
LARGE = b"x" * (2 * BLOCK_BYTES)


def new_key() -> str:
    """A key that nobody had."""
    return secrets.token_hex(8)


def keyed(key: str | bytes) -> dict[str, str]:
    """The header; bytes go out as they are."""
    return {"Idempotency-Key": key}  # type: ignore[dict-item]  # httpx takes bytes too


def at_once(client: Client, contents: list[bytes], key: str) -> list[httpx.Response]:
    """The answers to as many requests, sent together."""
    with ThreadPoolExecutor(len(contents)) as pool:
        return list(pool.map(lambda content: client.post(content, headers=keyed(key)), contents))


def blobs_of(stores: Stores, job_id: str) -> list[str]:
    """The job's uploads; there should be the one that its record names."""
    return stores.blobs(f"uploads/default/{job_id}/")


def times_taken(system: System, job_id: str) -> int:
    """How often the worker took the job."""
    return sum("job.taken " in line and job_id in line for line in system.logs("worker-1").splitlines())


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["one-block", "blocks"])
def test_twenty_requests_with_one_key_at_once_are_one_job_with_one_blob_that_runs_once(
    client: Client, stores: Stores, running: System, content: bytes
) -> None:
    key = new_key()
    answers = at_once(client, [content] * AT_ONCE, key)
    assert [a.status_code for a in answers] == [202] * AT_ONCE, [a.text for a in answers if a.status_code != 202]
    (job_id,) = {a.json()["id"] for a in answers}
    assert job_id == job_id_for("default", key)
    assert blobs_of(stores, job_id) == [stores.record(job_id)["upload"]["blob"]]
    assert client.until_ended(job_id)["status"] == "succeeded"
    stores.until_empty()
    assert times_taken(running, job_id) == 1
    assert len(stores.results_of(job_id)) == 1


def test_twenty_requests_with_one_key_at_once_are_202_also_while_no_worker_takes_the_job(idle: Idle) -> None:
    """Each but the first touches the queued record, and all of them judge the same version of it."""
    queued = idle.stores.counts()["active"]
    answers = at_once(idle.client, [b"the same"] * AT_ONCE, new_key())
    assert [a.status_code for a in answers] == [202] * AT_ONCE, [a.text for a in answers if a.status_code != 202]
    (job_id,) = {a.json()["id"] for a in answers}
    assert len(blobs_of(idle.stores, job_id)) == 1
    assert idle.stores.counts()["active"] == queued + 1


def test_of_two_files_with_one_key_at_once_one_is_accepted_and_leaves_the_only_blob(
    client: Client, stores: Stores
) -> None:
    for _ in range(5):
        answers = at_once(client, [b"one file", b"another file"], new_key())
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert won.status_code == 202
        refused(lost, 422, "idempotency-key-reused", "another file")
        assert blobs_of(stores, won.json()["id"]) == [stores.record(won.json()["id"])["upload"]["blob"]]


def test_same_request_later_gets_the_same_202_with_the_job_as_it_is(client: Client) -> None:
    key = new_key()
    first = client.post(headers=keyed(key))
    client.until_ended(first.json()["id"])
    again = client.post(headers=keyed(key))
    assert again.status_code == 202
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] == "succeeded"
    for header in ("location", "operation-location", "retry-after"):
        assert again.headers[header] == first.headers[header]


def test_job_that_failed_is_what_its_key_gets(client: Client, stores: Stores) -> None:
    key = new_key()
    job_id = client.submit(options={"do": "refuse"}, headers=keyed(key))
    client.until_ended(job_id)
    again = client.post(options={"do": "refuse"}, headers=keyed(key))
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (202, job_id, "failed")
    assert len(blobs_of(stores, job_id)) == 1


def test_key_of_a_cancelled_job_gets_the_cancelled_job(idle: Idle) -> None:
    key = new_key()
    job_id = idle.client.submit(headers=keyed(key))
    idle.client.cancel(job_id)
    again = idle.client.post(headers=keyed(key))
    assert (again.status_code, again.json()["status"]) == (202, "cancelled")


def test_key_of_an_erased_job_is_409_and_leaves_no_blob(idle: Idle) -> None:
    key = new_key()
    job_id = idle.client.submit(headers=keyed(key))
    assert idle.client.erase(job_id).status_code == 204
    refused(idle.client.post(headers=keyed(key)), 409, "idempotency-key-erased", "erased")
    assert blobs_of(idle.stores, job_id) == []


def test_quoted_and_bare_keys_are_the_same(idle: Idle) -> None:
    key = new_key()
    assert idle.client.submit(headers=keyed(key)) == idle.client.submit(headers=keyed(f'"{key}"'))


def test_name_and_type_of_the_file_may_differ(idle: Idle) -> None:
    key = new_key()
    first = idle.client.submit(headers=keyed(key))
    assert idle.client.submit(name="other.bin", media_type="application/x-other", headers=keyed(key)) == first


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"task": "fan"}, "another task"),
        ({"options": {"seconds": 1}}, "other options"),
        ({"content": b"another"}, "another file"),
        ({"task": "fan", "options": {"parts": 1}, "content": b"another"}, "task and other options and another file"),
    ],
)
def test_same_key_with_another_request_is_422_and_leaves_no_blob(
    idle: Idle, other: dict[str, object], said: str
) -> None:
    key = new_key()
    job_id = idle.client.submit(headers=keyed(key))
    refused(idle.client.post(headers=keyed(key), **other), 422, "idempotency-key-reused", said)  # type: ignore[arg-type]
    assert len(blobs_of(idle.stores, job_id)) == 1


def test_request_that_was_refused_does_not_take_the_key(idle: Idle) -> None:
    key = new_key()
    refused(idle.client.post(options={"do": "nonsense"}, headers=keyed(key)), 400, "invalid-options")
    assert idle.client.submit(headers=keyed(key)) == job_id_for("default", key)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "0 characters"),
        ('""', "0 characters"),
        ("x" * 256, "256 characters"),
        ("two words", "visible ASCII"),
        ("tab\there", "visible ASCII"),
        ("schlüssel".encode(), "visible ASCII"),
        ("ключ".encode(), "visible ASCII"),
    ],
)
def test_key_that_is_none_is_400(idle: Idle, key: str | bytes, said: str) -> None:
    refused(idle.client.post(headers=keyed(key)), 400, "malformed-request", "Idempotency-Key", said)


def test_longest_key_is_taken(idle: Idle) -> None:
    key = secrets.token_hex(127) + "~"
    assert idle.client.submit(headers=keyed(key)) == job_id_for("default", key)


def test_two_keys_are_400(idle: Idle) -> None:
    request = idle.client.process.build_request(
        "POST",
        "/v1/jobs",
        files={"file": ("a.txt", b"the upload", "text/plain")},
        data={"task": "probe"},
    )
    request.headers = httpx.Headers(
        [*request.headers.multi_items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    )
    refused(idle.client.process.send(request), 400, "malformed-request", "came 2 times")


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x7f"])
def test_key_with_a_control_character_is_400(idle: Idle, control: bytes) -> None:
    where = urlsplit(idle.system.process_url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            b"Content-Type: multipart/form-data; boundary=X\r\nIdempotency-Key: a" + control + b"b\r\n\r\n"
        )
        assert connection.recv(1024).startswith(b"HTTP/1.1 400 ")


@pytest.fixture(scope="module")
def shared(run_system: RunSystem) -> Iterator[Client]:
    """A system of two tenants, `one` and `two`, whose API keys are their names."""
    keys = json.dumps({key_hash("one"): "one", key_hash("two"): "two"})
    with (
        run_system(workers=0, env={"CLAIMCHECK_WEB__KEYS": keys}) as system,
        Client(system.process_url, system.status_url) as client,
    ):
        yield client


def test_one_key_of_two_tenants_is_two_jobs(shared: Client) -> None:
    key = new_key()
    one, two = (shared.submit(headers={**keyed(key), "X-API-Key": tenant}) for tenant in ("one", "two"))
    assert (one, two) == (job_id_for("one", key), job_id_for("two", key))
    assert one != two


@pytest.mark.parametrize("how", [("POST", "/cancel"), ("DELETE", "")], ids=["cancel", "erase"])
def test_job_of_another_tenant_is_unknown_to_whoever_would_end_it(shared: Client, how: tuple[str, str]) -> None:
    job_id = shared.submit(headers={"X-API-Key": "one"})
    method, tail = how
    answer = shared.process.request(method, f"/v1/jobs/{job_id}{tail}", headers={"X-API-Key": "two"})
    unknown = refused(answer, 404, "job-not-found")
    seen = shared.status.get(f"/v1/jobs/{job_id}", headers={"X-API-Key": "two"})
    assert seen.json() == unknown
    assert shared.status.get(f"/v1/jobs/{job_id}", headers={"X-API-Key": "one"}).json()["status"] == "queued"
    assert shared.process.request(method, f"/v1/jobs/{job_id}{tail}").status_code == 401
