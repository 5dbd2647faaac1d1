"""Submitting a file: what a 202 says, and where it leads."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import datetime
from urllib.parse import quote

import pytest

from claimcheck.representation import JobView
from claimcheck.tasks.summarize import DOCX
from tests.services.http.conftest import nobody_works
from tests.stack.client import Client
from tests.stack.stores import Stores
from tests.stack.system import System

FORM = "multipart/form-data; boundary=X"


def form(*parts: str) -> bytes:
    """A body made of parts, each its headers and its content, under the boundary of FORM."""
    return "".join(f"--X\r\n{part}\r\n" for part in parts).encode() + b"--X--\r\n"


def field(name: str, value: str) -> str:
    """A part with a field."""
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'


FILE = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhello'


def test_submission_is_answered_with_a_claim_ticket(client: Client, running: System) -> None:
    answer = client.post(b"hello", options={"seconds": 0.1})
    assert answer.status_code == 202
    body = answer.json()
    JobView.model_validate(body)
    assert str(uuid.UUID(body["id"])) == body["id"]
    assert (body["status"], body["task"], body["attempt"]) == ("queued", "probe", 1)
    assert body["options"]["seconds"] == 0.1
    assert body["status_url"] == f"{running.status_url}/v1/jobs/{body['id']}" == answer.headers["location"]
    assert body["operation_url"] == f"{running.status_url}/v1/operations/{body['id']}"
    assert body["operation_url"] == answer.headers["operation-location"]
    assert int(answer.headers["retry-after"]) >= 1
    assert datetime.fromisoformat(body["deadline_at"]) > datetime.fromisoformat(body["created_at"])


def test_job_is_202_with_retry_after_until_it_is_200_with_its_result(client: Client, running: System) -> None:
    with nobody_works(running):
        answer = client.post(options={"do": "read"})
        location = answer.headers["location"]
        first = client.status.get(location)
    assert first.status_code == 202
    assert int(first.headers["retry-after"]) >= 1
    assert first.json()["status"] == "queued"
    assert "result" not in first.json()
    client.until_ended(answer.json()["id"])
    last = client.status.get(location)
    assert last.status_code == 200
    assert "retry-after" not in last.headers
    body = last.json()
    JobView.model_validate(body)
    assert body["status"] == "succeeded"
    assert body["result"]["text"] == "the upload"
    assert set(body["result_urls"]) == {"json"}
    assert datetime.fromisoformat(body["expires_at"]) > datetime.fromisoformat(body["ended_at"])


def test_answer_names_what_was_uploaded(client: Client) -> None:
    body = client.post(b"hello", name="a.txt", media_type="text/plain").json()
    digest = hashlib.sha256(b"hello").hexdigest()
    assert body["file"] == {"name": "a.txt", "media_type": "text/plain", "size_bytes": 5, "sha256": digest}


@pytest.mark.parametrize(
    "parts",
    [(FILE, field("task", "probe"), field("options", "{}")), (field("options", "{}"), field("task", "probe"), FILE)],
    ids=["file first", "file last"],
)
def test_fields_may_come_in_any_order(client: Client, parts: tuple[str, ...]) -> None:
    answer = client.process.post("/v1/jobs", content=form(*parts), headers={"Content-Type": FORM})
    assert (answer.status_code, answer.json()["task"]) == (202, "probe")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\recordings\\talk.wav", "talk.wav"),
        ('a "quoted" name.wav', 'a "quoted" name.wav'),
        ("Gespräch 面接 🎙.wav", "Gespräch 面接 🎙.wav"),
        ("a" * 10_240, "a" * 255),
        ("משל\u202e3pm.exe", "משל3pm.exe"),
    ],
)
def test_file_name_is_data_and_never_a_path(client: Client, stores: Stores, name: str, shown: str) -> None:
    body = client.post(name=name).json()
    assert body["file"]["name"] == shown
    blob = stores.record(body["id"])["upload"]["blob"]
    assert re.fullmatch(rf"uploads/default/{body['id']}/[0-9a-f]+", blob)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\0b.wav", "ab.wav"),
        ("a\nSet-Cookie: b.wav", "aSet-Cookie: b.wav"),
        ("a\t\x1b[31mb\x7f.wav", "a[31mb.wav"),
        ("\u202e\u2028b.wav", "b.wav"),
        ("\0", ""),
    ],
)
def test_control_characters_in_a_file_name_are_left_out(client: Client, name: str, shown: str) -> None:
    file = FILE.replace("a.txt", name)
    answer = client.process.post("/v1/jobs", content=form(field("task", "probe"), file), headers={"Content-Type": FORM})
    assert (answer.status_code, answer.json()["file"]["name"]) == (202, shown)
    job = client.until_ended(answer.json()["id"])
    assert (job["status"], job["file"]["name"]) == ("succeeded", shown)
    download = client.status.get(job["result_urls"]["json"])
    assert download.status_code == 200
    assert quote(shown.removesuffix(".wav")) in download.headers["content-disposition"]
    assert "set-cookie" not in download.headers


def test_addresses_never_come_from_the_host_header(client: Client, running: System) -> None:
    answer = client.post(headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert answer.status_code == 202
    assert "evil" not in answer.text + str(answer.headers)
    polled = client.status.get(answer.headers["location"], headers={"Host": "evil.example"})
    assert "evil" not in polled.text
    assert answer.headers["location"].startswith(running.status_url)


def test_trace_context_of_the_caller_is_kept(client: Client, running: System) -> None:
    parent = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
    client.submit(headers={"traceparent": parent})
    assert f"trace_id={parent.split('-')[1]}" in running.logs("process-api")


def test_broken_trace_context_is_replaced(client: Client) -> None:
    assert client.post(headers={"traceparent": "00-nonsense"}).status_code == 202


def test_reference_contract_takes_a_file_and_gives_its_text(client: Client, running: System) -> None:
    with nobody_works(running):
        answer = client.process.post(
            "/api/process",
            data={"task": "probe", "options": '{"do": "read"}'},
            files={"file": ("a.txt", b"hello", "text/plain")},
        )
        assert answer.status_code == 202
        job_id = answer.json()["id"]
        results_url = f"{running.status_url}/api/status/{job_id}"
        assert answer.json() == {"id": job_id, "results_url": results_url}
        waiting = client.status.get(results_url)
    assert waiting.status_code == 202
    assert set(waiting.json()) == {"message"}
    assert int(waiting.headers["retry-after"]) >= 1
    client.until_ended(job_id)
    done = client.status.get(results_url)
    assert (done.status_code, done.json()) == (
        200,
        {"id": job_id, "status": "completed", "data": {"result": "hello"}},
    )


def test_reference_contract_shows_a_failed_job(client: Client) -> None:
    job_id = client.submit(options={"do": "refuse"})
    client.until_ended(job_id)
    answer = client.status.get(f"/api/status/{job_id}")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"]["type"] == "urn:claimcheck:problem:media-unreadable"


@pytest.mark.parametrize(
    ("task", "content", "name", "media_type"),
    [
        ("summarize", b"PK\3\4\0", "Paper.docx", DOCX),
        ("summarize", b"%PDF-1.4\n", "a", "application/pdf"),
        ("summarize", b"# Title", "a.md", "text/markdown"),
        ("summarize", "Grüße".encode("latin-1"), "a.txt", "text/plain"),
        ("complete", b"Hello?", "a", "text/plain"),
        ("describe", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a", "image/jpeg"),
        ("describe", b"GIF89a\1\0\1\0", "a.bin", "image/gif"),
    ],
)
def test_type_is_found_where_the_client_claims_nothing(
    client: Client, task: str, content: bytes, name: str, media_type: str
) -> None:
    answer = client.post(content, task=task, media_type="application/octet-stream", name=name)
    assert answer.status_code == 202, answer.text
    assert answer.json()["file"]["media_type"] == media_type
