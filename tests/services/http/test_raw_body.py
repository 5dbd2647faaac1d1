"""A body that is the file: what `curl --data-binary @FILE` and `curl -T FILE` send."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.services.http.conftest import BLOCK_BYTES, LIMIT_BYTES
from tests.services.http.test_refusals import refused
from tests.services.http.test_submit import FILE, FORM, field, form
from tests.stack.client import Client
from tests.stack.components import missing
from tests.stack.stores import Stores
from tests.stack.system import System

PROBE = "/v1/jobs?task=probe"
CONTENT = bytes(range(256)) * 1000


def post(client: Client, content: bytes | Iterator[bytes], *, path: str = PROBE, **headers: str) -> httpx.Response:
    """Whatever is answered. Header names with underscores for hyphens."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return client.process.post(path, content=content, headers=named)


def chunks(content: bytes) -> Iterator[bytes]:
    """The content in pieces, so that its length is not announced."""
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


@pytest.mark.parametrize("announced", [True, False], ids=["with its length", "chunked"])
def test_what_is_stored_is_the_body(client: Client, stores: Stores, announced: bool) -> None:
    answer = post(client, CONTENT if announced else chunks(CONTENT), content_type="audio/mpeg")
    assert answer.status_code == 202
    job = answer.json()
    assert (job["task"], job["file"]["size_bytes"], job["file"]["media_type"]) == ("probe", len(CONTENT), "audio/mpeg")
    assert job["file"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert stores.read_blob(stores.record(job["id"])["upload"]["blob"]) == CONTENT


def test_options_come_in_the_query(client: Client) -> None:
    answer = post(client, b"hello", path=PROBE + '&options={"do": "read"}')
    assert answer.json()["options"]["do"] == "read"
    assert client.until_ended(answer.json()["id"])["result"]["text"] == "hello"


def test_task_is_the_default_when_nobody_names_one(client: Client, recording: Path) -> None:
    answer = post(client, recording.read_bytes(), path="/v1/jobs", content_disposition='attachment; filename="ä.wav"')
    assert (answer.status_code, answer.json()["task"]) == (202, "transcribe")
    assert answer.json()["file"]["name"] == "ä.wav"
    assert answer.json()["file"]["media_type"] == "audio/wav"
    assert client.until_ended(answer.json()["id"], deadline_s=60)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=talk.wav", "talk.wav"),
        ("attachment; filename*=UTF-8''na%C3%AFve.wav; filename=naive.wav", "naïve.wav"),
        ("attachment; filename*=UTF-8''..%5C..%2F%E2%80%AEa%00.wav", "a.wav"),
        ("", ""),
    ],
)
def test_name_comes_from_the_content_disposition(client: Client, header: str, name: str) -> None:
    assert post(client, b"hello", content_disposition=header).json()["file"]["name"] == name


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/octet-stream", None])
def test_type_that_says_nothing_is_found_in_the_content(client: Client, content_type: str | None) -> None:
    headers = {"content_type": content_type} if content_type else {}
    assert post(client, b"RIFF\x24\0\0\0WAVEfmt ", **headers).json()["file"]["media_type"] == "audio/wave"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--data-binary", "@{}"], ""),
        (["-T", "{}", "-X", "POST"], ""),
        (["-T", "{}", "-X", "POST", "-H", "Transfer-Encoding: chunked"], ""),
        (["-T", "-", "-X", "POST", "-H", "Content-Disposition: attachment; filename=a.bin"], "a.bin"),
        (["-F", "file=@{}"], "upload.bin"),
    ],
    ids=["--data-binary", "-T", "-T chunked", "-T from a pipe", "-F"],
)
def test_curl_can_submit(client: Client, running: System, tmp_path: Path, arguments: list[str], name: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        missing("there is no curl")
        return
    file = tmp_path / "upload.bin"
    file.write_bytes(CONTENT)
    command = [curl, "-sS", *(argument.format(file) for argument in arguments), running.process_url + PROBE]
    with file.open("rb") as pipe:
        said = subprocess.run(command, stdin=pipe, capture_output=True, text=True, timeout=30, check=True).stdout
    job = httpx.Response(202, text=said).json()
    assert (job["file"]["name"], job["file"]["size_bytes"]) == (name, len(CONTENT))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/jobs?task=probe&task=probe", "the query has 'task' twice"),
        ("/v1/jobs?options={}&options={}", "the query has 'options' twice"),
        ("/v1/jobs?tasks=probe", "a parameter 'tasks'; task and options are expected"),
        ("/v1/jobs?task=probe&file=a", "a parameter 'file'"),
    ],
)
def test_query_that_is_unclear_is_400(client: Client, path: str, said: str) -> None:
    refused(post(client, b"hello", path=path), 400, "malformed-request", said)
    body = form(FILE)
    refused(post(client, body, path=path, content_type=FORM), 400, "malformed-request", said)


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/v1/jobs?task=paint", "unknown-task"),
        ("/v1/jobs?task=probe&options={", "invalid-options"),
        ('/v1/jobs?task=probe&options={"tempo":1}', "invalid-options"),
    ],
)
def test_query_is_checked_before_the_body_is_read(running: System, path: str, slug: str) -> None:
    answer = answered(running, path, f"Content-Length: {LIMIT_BYTES}")
    assert b" 400 " in answer.splitlines()[0]
    assert slug.encode() in answer


def answered(running: System, path: str, *headers: str) -> bytes:
    """What is answered to a request of whose body nothing is sent."""
    where = urlsplit(running.process_url)
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", "Content-Type: audio/mpeg", *headers, "", ""])
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(head.encode())
        received = b""
        while b"}" not in received and (more := connection.recv(65536)):
            received += more
    return received


def test_form_may_leave_its_fields_to_the_query(client: Client) -> None:
    answer = post(client, form(FILE), content_type=FORM)
    assert (answer.status_code, answer.json()["task"]) == (202, "probe")


def test_field_in_the_query_and_in_the_form_is_400(client: Client) -> None:
    answer = post(client, form(FILE, field("task", "probe")), content_type=FORM)
    refused(answer, 400, "malformed-upload", "'task' is given twice")


def test_empty_body_is_400(client: Client) -> None:
    refused(post(client, b""), 400, "empty-upload")
    refused(post(client, chunks(b"")), 400, "empty-upload")


def test_type_that_is_none_is_400(client: Client) -> None:
    refused(post(client, b"hello", content_type="audio"), 400, "malformed-upload", "'audio'; one like 'audio/mpeg'")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "aws-chunked"])
def test_encoded_body_is_415(client: Client, encoding: str) -> None:
    said = f"Content-Encoding is '{encoding}'"
    refused(post(client, b"hello", content_encoding=encoding), 415, "unsupported-media", said)
    refused(post(client, form(FILE), content_type=FORM, content_encoding=encoding), 415, "unsupported-media", said)


def test_encoding_that_is_none_is_taken(client: Client) -> None:
    assert post(client, b"hello", content_encoding="identity").status_code == 202


def test_file_of_exactly_the_limit_is_taken(client: Client) -> None:
    assert post(client, bytes(LIMIT_BYTES)).status_code == 202
    assert post(client, chunks(bytes(LIMIT_BYTES))).status_code == 202


def test_file_over_the_limit_is_413_before_any_of_it_is_sent(running: System) -> None:
    answer = answered(running, PROBE, f"Content-Length: {LIMIT_BYTES + 1}")
    assert b" 413 " in answer.splitlines()[0]
    assert b"the file is 3 MB; the limit is 2 MB" in answer


def test_file_over_the_limit_is_413_when_its_length_is_not_announced(client: Client, stores: Stores) -> None:
    blobs = set(stores.blobs())
    answer = post(client, chunks(bytes(LIMIT_BYTES + 1)))
    refused(answer, 413, "upload-too-large", "at least 3 MB", "the limit is 2 MB")
    assert set(stores.blobs()) == blobs


def test_content_that_is_no_media_is_415_at_its_first_bytes(running: System, stores: Stores) -> None:
    """The rest of a file of 2 MB is never sent."""
    where, blobs = urlsplit(running.process_url), set(stores.blobs())
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: audio/mpeg\r\nContent-Length: {LIMIT_BYTES}\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(head.encode() + b"\x89PNG\r\n\x1a\n" + bytes(BLOCK_BYTES))
        answer = connection.recv(65536)
    assert b" 415 " in answer.splitlines()[0]
    assert set(stores.blobs()) == blobs


def test_reference_contract_takes_a_raw_body_as_well(client: Client) -> None:
    answer = post(client, b"hello", path="/api/process?task=probe")
    assert (answer.status_code, set(answer.json())) == (202, {"id", "results_url"})
