"""Who may see what: keys over the wire."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from claimcheck.records import Records
from claimcheck.web.access import key_hash
from tests.services.http.conftest import ORIGIN
from tests.services.status_api.conftest import KEYS, OPERATOR_KEY, stored_job
from tests.stack.client import ANSWER_S, Client
from tests.stack.system import System

READS = (
    "/v1/jobs/{}",
    "/v1/jobs/{}/result",
    "/v1/jobs/{}/result?format=nonsense",
    "/v1/operations/{}",
    "/api/status/{}",
)
ALLOWED = ("Authorization", "X-API-Key", "Idempotency-Key", "Prefer")


def shown(answer: httpx.Response) -> tuple[int, Mapping[str, str], bytes]:
    """All that a client sees of an answer, but for the time of day."""
    return answer.status_code, {name: value for name, value in answer.headers.items() if name != "date"}, answer.content


async def erased(records: Records) -> str:
    """The id of an erased job of `acme`."""
    job = await records.create_job(stored_job("acme"))
    await records.bury(job, datetime.now(UTC))
    return job.job_id


@pytest.mark.parametrize("path", READS)
async def test_foreign_erased_and_malformed_ids_look_like_unknown_ones(
    client: Client, records: Records, path: str
) -> None:
    foreign = (await records.create_job(stored_job("rival"))).job_id
    own = (await records.create_job(stored_job("acme"))).job_id
    unknown = shown(client.status.get(path.format(uuid.uuid4()), headers={"Prefer": "wait=30"}))
    assert unknown[0] == 404
    for job_id in (foreign, await erased(records), own.upper(), own.replace("-", ""), f"{{{own}}}", "x", "9" * 5000):
        assert shown(client.status.get(path.format(job_id), headers={"Prefer": "wait=30"})) == unknown
    assert client.status.get(path.format(own)).status_code in (200, 202)


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/jobs/{}/cancel"), ("DELETE", "/v1/jobs/{}")])
async def test_foreign_job_cannot_be_ended_and_looks_unknown(
    client: Client, records: Records, method: str, path: str
) -> None:
    foreign = await records.create_job(stored_job("rival"))
    unknown = shown(client.process.request(method, path.format(uuid.uuid4())))
    assert unknown[0] == 404
    for job_id in (foreign.job_id, foreign.job_id.upper(), await erased(records)):
        assert shown(client.process.request(method, path.format(job_id))) == unknown
    assert await records.read("rival", foreign.job_id) == foreign


@pytest.mark.parametrize("path", READS)
def test_job_is_its_tenants_alone(client: Client, rival: Client, path: str) -> None:
    job_id = client.submit(options={"do": "read"})
    client.until_ended(job_id)
    assert client.status.get(path.format(job_id)).status_code in (200, 406)
    assert rival.status.get(path.format(job_id)).status_code == 404


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({}, ""),
        ({"Authorization": "Basic Zm9v"}, ""),
        ({"Authorization": "Bearer cck_nobody"}, "invalid_token"),
        ({"X-API-Key": "cck_nobody"}, "invalid_token"),
        ({"X-API-Key": key_hash(KEYS["acme"])}, "invalid_token"),
        ({"X-API-Key": OPERATOR_KEY}, "invalid_token"),
        ({"Authorization": f"Bearer {KEYS['acme']}", "X-API-Key": KEYS["rival"]}, "invalid_request"),
    ],
)
def test_without_a_tenants_key_every_route_of_jobs_is_401(running: System, headers: dict[str, str], fault: str) -> None:
    job_id = str(uuid.uuid4())
    answers = [
        httpx.get(running.status_url + path.format(job_id), headers=headers, timeout=ANSWER_S)
        for path in (*READS, "/v1/jobs")
    ]
    for path in ("/v1/jobs", "/api/process"):
        form: dict[str, Any] = {"data": {"task": "probe"}, "files": {"file": ("a.txt", b"hello", "text/plain")}}
        answers.append(httpx.post(running.process_url + path, headers=headers, timeout=ANSWER_S, **form))
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:claimcheck:problem:unauthenticated")
        expected = 'Bearer realm="claimcheck"' + (f', error="{fault}"' if fault else "")
        assert answer.headers["www-authenticate"] == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEYS['acme']}"},
        {"X-API-Key": KEYS["acme"]},
        {"Authorization": f"bearer {KEYS['acme']}", "X-API-Key": KEYS["acme"]},
    ],
)
def test_key_is_taken_from_either_header(running: System, headers: dict[str, str]) -> None:
    assert httpx.get(f"{running.status_url}/v1/jobs", headers=headers, timeout=ANSWER_S).status_code == 200


def test_health_description_and_page_need_no_key(running: System) -> None:
    for url in (running.process_url, running.status_url):
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert httpx.get(url + path, timeout=ANSWER_S).status_code == 200
    assert httpx.get(running.process_url, timeout=ANSWER_S).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("header", ALLOWED)
def test_browser_may_ask_beforehand_without_a_key(running: System, method: str, header: str) -> None:
    # The page that the process API serves is an origin of its own.
    asked = {
        "Origin": running.process_url,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": header.lower(),
    }
    for url in (running.process_url, running.status_url):
        answer = httpx.options(f"{url}/v1/jobs", headers=asked, timeout=ANSWER_S)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == running.process_url
        assert method in answer.headers["access-control-allow-methods"]
        assert header.lower() in answer.headers["access-control-allow-headers"].lower()


def test_page_may_read_why_it_was_refused(running: System) -> None:
    answer = httpx.get(f"{running.status_url}/v1/jobs", headers={"Origin": running.process_url}, timeout=ANSWER_S)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, running.process_url)
    assert "www-authenticate" in answer.headers["access-control-expose-headers"].lower()
    foreign = httpx.get(f"{running.status_url}/v1/jobs", headers={"Origin": ORIGIN}, timeout=ANSWER_S)
    assert "access-control-allow-origin" not in foreign.headers


def test_no_key_is_ever_logged(running: System, client: Client) -> None:
    job_id = client.submit()
    client.until_ended(job_id)
    guessed = "cck_guessed"
    for url in (running.process_url, running.status_url):
        httpx.get(f"{url}/v1/jobs", headers={"X-API-Key": guessed}, timeout=ANSWER_S)
        httpx.get(f"{url}/v1/jobs", headers={"Authorization": f"Bearer {guessed}"}, timeout=ANSWER_S)
        httpx.get(f"{url}/v1/jobs/{uuid.uuid4()}", headers={"X-API-Key": KEYS["acme"]}, timeout=ANSWER_S)
    written = "".join(running.logs(name) for name in running.programs)
    assert job_id in written
    assert "cck_" not in written
    assert not [key for key in KEYS.values() if key_hash(key) in written]
