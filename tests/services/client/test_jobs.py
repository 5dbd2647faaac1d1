"""Hand in, wait, fetch, list, cancel, erase: with both clients."""

from __future__ import annotations

import hashlib
import io
import os
import random
import secrets
import threading
from pathlib import Path
from typing import Any

import pytest

from claimcheck.client import (
    Client,
    Conflict,
    FileRefused,
    JobFailed,
    JobHasNoResult,
    JobNotEnded,
    JobView,
    KeyRefused,
    NotFound,
    Refused,
    UploadProgress,
    WaitTimedOut,
)
from tests.services.client.conftest import LIMIT_BYTES, OTHERS_KEY, MakeClient, Recording
from tests.stack.stores import Stores
from tests.stack.system import System


def test_recording_becomes_text_in_every_format(client: Any, recording: Recording, tmp_path: Path) -> None:
    seen: list[JobView] = []
    ended = client.wait(recording.job_id, on_progress=seen.append)
    assert ended.status == "succeeded"
    assert seen[-1] == ended
    assert ended.file.name == "fmt_jfk.wav"
    assert ended.file.media_type.startswith("audio/")
    found = client.result(recording.job_id)
    assert found == ended.result
    assert "ask not what your country" in found["text"].lower()
    assert client.result(recording.job_id, "txt").strip() == found["text"].strip()
    assert client.result(recording.job_id, "srt").startswith("1\n00:00:0")
    assert client.result(recording.job_id, "vtt").startswith("WEBVTT")
    path = client.download(recording.job_id, "srt", tmp_path / "talk.srt")
    assert path.read_text() == client.result(recording.job_id, "srt")


@pytest.mark.parametrize("kind", ["path", "file", "pipe", "bytes"])
def test_what_is_stored_is_what_was_handed_in(client: Any, tmp_path: Path, kind: str) -> None:
    content = random.Random(kind).randbytes(LIMIT_BYTES if kind != "pipe" else LIMIT_BYTES // 2 + 1)
    path = tmp_path / "Rede „1“ \u202e.bin"
    path.write_bytes(content)
    seen: list[UploadProgress] = []
    if kind == "pipe":
        with Piped(content) as pipe:
            job = client.submit(pipe, task="probe", on_progress=seen.append)
    elif kind == "file":
        with path.open("rb") as file:
            job = client.submit(file, task="probe", on_progress=seen.append)
    else:
        job = client.submit(path if kind == "path" else content, task="probe", on_progress=seen.append)
    assert job.file.sha256 == hashlib.sha256(content).hexdigest()
    assert [seen[0].sent_bytes, seen[-1].sent_bytes] == [0, len(content)]
    assert seen[-1].total_bytes == (None if kind == "pipe" else len(content))
    assert job.file.name.startswith("Rede „1“") is (kind in ("path", "file"))


class Piped:
    """A pipe that somebody else writes to."""

    def __init__(self, content: bytes) -> None:
        reading, self._writing = os.pipe()
        self._file = os.fdopen(reading, "rb")
        self._thread = threading.Thread(target=self._write, args=[content])

    def __enter__(self) -> Any:
        self._thread.start()
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._thread.join()

    def _write(self, content: bytes) -> None:
        with os.fdopen(self._writing, "wb") as end:
            end.write(content)


def test_options_and_a_name_of_ones_own_arrive(client: Any) -> None:
    job = client.submit(b"x", task="probe", options={"seconds": 0.01}, name="own.txt", media_type="text/plain")
    assert job.options["seconds"] == 0.01
    assert (job.file.name, job.file.media_type) == ("own.txt", "text/plain")


def test_file_that_is_called_json_is_a_file(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    path.write_text('{"task": "transcribe", "input": {"text": "x"}}')
    job = client.submit(path, task="probe", media_type="application/json")
    assert (job.task, job.file.name, job.file.size_bytes) == ("probe", "task.json", path.stat().st_size)


def test_same_key_is_the_same_job_and_another_body_is_refused(client: Any) -> None:
    key = secrets.token_hex(8)
    first = client.submit(b"content", task="probe", idempotency_key=key)
    assert client.submit(b"content", task="probe", idempotency_key=key).id == first.id
    assert client.submit(b"content", task="probe").id != first.id
    with pytest.raises(Conflict, match="idempotency key"):
        client.submit(b"other", task="probe", idempotency_key=key)


def test_progress_of_a_job_is_seen_while_it_runs(client: Any, api: Client) -> None:
    seen: list[str] = []
    job = client.submit(b"x", task="probe", options={"seconds": 60})

    def cancel_once_it_runs(job: JobView) -> None:
        seen.append(job.status)
        if job.status == "running":
            api.cancel(job.id)

    ended = client.wait(job.id, timeout_s=60, on_progress=cancel_once_it_runs)
    assert ended.status == "cancelled"
    assert seen[-1] == "cancelled"
    assert "running" in seen


def test_wait_that_is_over_leaves_the_job_alone(client: Any) -> None:
    job = client.submit(b"x", task="probe", options={"seconds": 60})
    with pytest.raises(WaitTimedOut) as late:
        client.wait(job.id, timeout_s=0.2)
    left = client.job(job.id)
    client.cancel(job.id)
    assert late.value.job.id == job.id
    assert left.status in ("queued", "running")


def test_failed_job_ends_the_wait_and_its_result_says_why(client: Any) -> None:
    job = client.submit(b"x", task="probe", options={"do": "refuse"})
    ended = client.wait(job.id, timeout_s=60)
    assert ended.status == "failed"
    with pytest.raises(JobFailed, match="the probe was told to refuse") as failed:
        client.result(job.id)
    assert failed.value.problem.type == "urn:claimcheck:problem:media-unreadable"
    with pytest.raises(JobFailed):
        client.download(job.id, "json", Path("never-written"))
    assert not Path("never-written").exists()


def test_cancelled_job_has_no_result(client: Any) -> None:
    job = client.submit(b"x", task="probe", options={"seconds": 30})
    with pytest.raises(JobNotEnded):
        client.result(job.id)
    assert client.cancel(job.id).status == "cancelled"
    assert client.cancel(job.id).status == "cancelled"
    assert client.wait(job.id, timeout_s=5).status == "cancelled"
    with pytest.raises(JobHasNoResult, match="cancelled"):
        client.result(job.id)


def test_ended_job_cannot_be_cancelled(client: Any, recording: Recording) -> None:
    with pytest.raises(Conflict, match="succeeded"):
        client.cancel(recording.job_id)


def test_erased_job_is_not_found(client: Any) -> None:
    job = client.submit(b"x", task="probe")
    client.wait(job.id, timeout_s=60)
    client.erase(job.id)
    for ask in (client.job, client.result, client.cancel, client.erase):
        with pytest.raises(NotFound):
            ask(job.id)


def test_every_job_is_listed_once_over_all_pages(make_client: MakeClient, running: System, client: Any) -> None:
    theirs = make_client(running.process_url, running.status_url, key=OTHERS_KEY)
    known = {job.id for job in theirs.jobs()}
    made = [theirs.submit(b"%d" % number, task="probe").id for number in range(5)]
    found = [job.id for job in theirs.jobs(task="probe") if job.id not in known]
    assert found == made[::-1]
    assert [job.id for job in theirs.jobs(limit=2)] == made[:2:-1]
    assert list(theirs.jobs(limit=0)) == []
    assert not {job.id for job in client.jobs()} & set(made)
    assert [job.status for job in theirs.jobs(status="cancelled")] == []


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"task": "paint"}, Refused, "paint"),
        ({"task": "probe", "options": {"tempo": 1}}, Refused, "tempo"),
        ({"file": b"", "task": "probe"}, Refused, "0 bytes"),
        ({"file": b"x" * (LIMIT_BYTES + 1), "task": "probe"}, FileRefused, "the limit is 2 MB"),
        ({"file": b"\x89PNG\r\n\x1a\n" + bytes(5000), "task": "transcribe"}, FileRefused, "image/png"),
    ],
)
def test_refusal_says_what_is_wrong(client: Any, given: dict[str, Any], kind: type[Refused], says: str) -> None:
    with pytest.raises(kind, match=says):
        client.submit(**{"file": b"x", **given})


@pytest.mark.parametrize("key", [None, "", "somebody"])
def test_without_a_key_that_is_known_nothing_goes(make_client: MakeClient, running: System, key: str | None) -> None:
    stranger = make_client(running.process_url, running.status_url, key=key)
    with pytest.raises(KeyRefused):
        stranger.submit(b"x", task="probe")
    with pytest.raises(KeyRefused):
        list(stranger.jobs())


def test_anothers_job_is_not_found(make_client: MakeClient, running: System, recording: Recording) -> None:
    theirs = make_client(running.process_url, running.status_url, key=OTHERS_KEY)
    for ask in (theirs.job, theirs.wait, theirs.result, theirs.cancel, theirs.erase):
        with pytest.raises(NotFound):
            ask(recording.job_id)


def test_upload_that_is_read_from_where_it_stands(client: Any, stores: Stores) -> None:
    file = io.BytesIO(b"skipped and sent")
    file.seek(len(b"skipped and "))
    assert client.submit(file, task="probe").file.size_bytes == 4
