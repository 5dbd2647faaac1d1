"""Uploads around the block size, and uploads that never end."""

from __future__ import annotations

import hashlib
import random
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.services.http.conftest import BLOCK_BYTES, LIMIT_BYTES
from tests.services.http.test_refusals import FORM_TYPE, refused
from tests.services.http.test_submit import FILE, FORM, field, form
from tests.stack.client import Client
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until


@pytest.mark.parametrize(
    "size_bytes",
    [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, 7 * BLOCK_BYTES + 5, LIMIT_BYTES],
)
def test_what_is_stored_is_what_was_sent(client: Client, stores: Stores, size_bytes: int) -> None:
    content = random.Random(size_bytes).randbytes(size_bytes)
    body = client.post(content).json()
    assert body["file"]["size_bytes"] == size_bytes
    assert body["file"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert stores.read_blob(stores.record(body["id"])["upload"]["blob"]) == content


def test_content_that_looks_like_a_boundary_is_kept(client: Client, stores: Stores) -> None:
    content = b"\r\n--X" * 50_000 + b"\r\n--"
    body = client.post(content).json()
    assert stores.read_blob(stores.record(body["id"])["upload"]["blob"]) == content


PART = b"--X\r\n" + FILE.encode()


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        (FORM, b""),
        (FORM, PART[:40]),
        (FORM, PART + b"x" * 100),
        (FORM, PART + b"x" * 5 * BLOCK_BYTES),
        (FORM, PART + b"x" * 5 * BLOCK_BYTES + b"\r\n--X\r\n" + field("task", "probe").encode()[:-1]),
        (FORM, form(FILE, field("task", "probe"))[:-4]),
        ("audio/mpeg", b""),
        ("audio/mpeg", b"\0" * 100),
        ("audio/mpeg", b"\0" * 5 * BLOCK_BYTES),
        ("application/json", b'{"task": "probe", "input": {"te'),
    ],
    ids=[
        *("before the body", "in a part's headers", "within a block", "after some blocks", "after the file"),
        *("before the last boundary", "before a raw body", "in its first block", "after some blocks of it", "in JSON"),
    ],
)
def test_client_that_goes_away_leaves_no_job_and_no_blob(
    client: Client, stores: Stores, running: System, content_type: str, sent: bytes
) -> None:
    jobs, blobs = stores.items("job"), set(stores.blobs())
    noted = running.logs("process-api").count("upload.abandoned")
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {LIMIT_BYTES}\r\n\r\n"
    if content_type == "application/json":
        head = head.replace(str(LIMIT_BYTES), "1000")
    where = urlsplit(running.process_url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(head.encode() + sent)
    until(lambda: running.logs("process-api").count("upload.abandoned") > noted, "the API notices")
    assert len(stores.items("job")) == len(jobs)
    assert set(stores.blobs()) == blobs


@pytest.mark.parametrize("spoiled", ["task", "options", "end"])
def test_refused_upload_leaves_no_job_and_no_blob(client: Client, stores: Stores, spoiled: str) -> None:
    jobs, blobs = stores.items("job"), set(stores.blobs())
    content = b"x" * (3 * BLOCK_BYTES)
    if spoiled == "end":
        body = b"--X\r\n" + FILE.encode() + content
        answer = client.process.post("/v1/jobs", content=body, headers={"Content-Type": FORM})
    elif spoiled == "task":
        answer = client.post(content, task="paint")
    else:
        answer = client.post(content, options={"tempo": 1})
    assert answer.status_code == 400
    assert len(stores.items("job")) == len(jobs)
    assert set(stores.blobs()) == blobs


@pytest.mark.parametrize("before", [b"\r\n", form(field("task", "probe"), FILE)], ids=["preamble", "epilogue"])
def test_body_that_goes_on_and_on_around_its_parts_is_refused(client: Client, stores: Stores, before: bytes) -> None:
    jobs, blobs = stores.items("job"), set(stores.blobs())

    def chunks() -> Iterator[bytes]:
        yield before
        for _ in range(64):
            yield b"\r\n" * 16 * 1024

    answer = client.process.post("/v1/jobs", content=chunks(), headers=FORM_TYPE)
    refused(answer, 400, "malformed-upload", "more than 262,144 bytes besides the file")
    assert len(stores.items("job")) == len(jobs)
    assert set(stores.blobs()) == blobs
