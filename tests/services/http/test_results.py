"""The result as a file, and the answers where there is none."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from claimcheck.representation import JobView
from claimcheck.transcript import Transcript
from tests.services.http.conftest import nobody_works
from tests.services.http.test_refusals import refused
from tests.stack.client import Client
from tests.stack.system import System


@pytest.fixture(scope="module")
def transcribed(client: Client, recording: Path) -> str:
    """The id of a recording that was transcribed."""
    job_id = client.submit(recording.read_bytes(), task="transcribe", name="Rede „1“.wav", media_type="audio/wav")
    client.until_ended(job_id, deadline_s=60)
    return job_id


def test_transcript_is_in_the_answer_and_names_its_formats(client: Client, transcribed: str) -> None:
    answer = client.get(transcribed)
    assert answer.status_code == 200
    body = answer.json()
    JobView.model_validate(body)
    transcript = Transcript.model_validate(body["result"])
    assert "ask not what your country can do for you" in transcript.text.lower()
    assert set(body["result_urls"]) == {"json", "txt", "srt", "vtt"}


def test_poll_that_names_the_state_it_has_is_304_until_the_job_changes(client: Client, running: System) -> None:
    with nobody_works(running):
        job_id = client.submit()
        first = client.get(job_id)
        assert first.json()["status"] == "queued"
    ended = client.until_ended(job_id)
    last = client.get(job_id)
    assert last.headers["etag"] != first.headers["etag"]
    path = f"/v1/jobs/{job_id}"
    again = client.status.get(path, headers={"If-None-Match": last.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == last.headers["etag"]
    stale = client.status.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (stale.status_code, stale.json()["result"]) == (200, ended["result"])


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("json", "application/json", "{"),
        ("txt", "text/plain; charset=utf-8", "And so"),
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:0"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT"),
    ],
)
def test_result_is_a_file_in_each_format(
    client: Client, transcribed: str, form: str, media_type: str, begins: str
) -> None:
    answer = client.status.get(client.job(transcribed)["result_urls"][form])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.text.lstrip().startswith(begins)
    disposition = answer.headers["content-disposition"]
    assert f'filename="Rede _1_.{form}"' in disposition
    assert unquote(disposition.partition("UTF-8''")[2]) == f"Rede „1“.{form}"


def test_result_without_a_format_is_json(client: Client, transcribed: str) -> None:
    answer = client.status.get(f"/v1/jobs/{transcribed}/result")
    assert answer.json() == client.job(transcribed)["result"]


@pytest.mark.parametrize("form", ["pdf", "", "JSON", "x" * 500])
def test_unknown_format_is_406_and_names_those_there_are(client: Client, transcribed: str, form: str) -> None:
    answer = client.status.get(f"/v1/jobs/{transcribed}/result", params={"format": form})
    problem = refused(answer, 406, "format-not-available", repr(form[:20]), "json, txt, srt, vtt")
    assert problem["formats"] == ["json", "txt", "srt", "vtt"]


def test_result_of_a_running_job_is_202_with_the_job(client: Client) -> None:
    job_id = client.submit(options={"seconds": 60})
    answer = client.status.get(f"/v1/jobs/{job_id}/result")
    client.cancel(job_id)
    assert answer.status_code == 202
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["id"] == job_id


def test_failed_job_is_200_with_its_error(client: Client) -> None:
    job_id = client.submit(options={"do": "refuse"})
    client.until_ended(job_id)
    answer = client.get(job_id)
    assert answer.status_code == 200
    body = answer.json()
    JobView.model_validate(body)
    assert (body["status"], body["error"]["type"]) == ("failed", "urn:claimcheck:problem:media-unreadable")
    assert body["error"]["detail"] == "the probe was told to refuse"
    assert "result" not in body


def test_result_of_a_failed_job_is_409_with_its_error(client: Client) -> None:
    job_id = client.submit(options={"do": "refuse"})
    client.until_ended(job_id)
    answer = client.status.get(f"/v1/jobs/{job_id}/result", params={"format": "txt"})
    problem = refused(answer, 409, "job-has-no-result", "the job is failed")
    assert problem["error"]["type"] == "urn:claimcheck:problem:media-unreadable"


def test_result_too_large_for_a_record_is_served_all_the_same(client: Client) -> None:
    job_id = client.submit(options={"result_bytes": 300 * 1024})
    body = client.until_ended(job_id)
    assert body["result"]["filler"] == "x" * 300 * 1024
    answer = client.status.get(f"/v1/jobs/{job_id}/result")
    assert len(answer.json()["filler"]) == 300 * 1024
