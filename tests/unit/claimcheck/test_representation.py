"""What HTTP shows of a job."""

from __future__ import annotations

from datetime import timedelta

import pytest

from claimcheck import representation
from claimcheck.errors import MediaUnreadable
from claimcheck.job import End, Job, ResultRef, Status
from claimcheck.representation import Urls
from claimcheck.tasks.transcribe import TASK
from tests.unit.claimcheck.samples import JOB_ID, NOW, job, run

URLS = Urls(status="http://s")
FAILED = job(status=Status.FAILED, end=End(at=NOW, error=MediaUnreadable("no decoder reads it").problem()))
SUCCEEDED = job(status=Status.SUCCEEDED, end=End(at=NOW, result=ResultRef(item="result:1")))


@pytest.mark.parametrize(("age_s", "expected_s"), [(0, 1), (9, 1), (10, 1), (11, 2), (60, 6), (299, 30), (3600, 30)])
def test_clients_are_asked_to_come_back_after_a_tenth_of_the_jobs_age(age_s: float, expected_s: int) -> None:
    assert representation.retry_after_s(job(), now=NOW + timedelta(seconds=age_s), poll_s=1) == expected_s


@pytest.mark.parametrize(("due_in_s", "expected_s"), [(0.2, 1), (7.2, 8), (500, 30)])
def test_job_that_waits_for_a_retry_is_polled_when_that_is_due(due_in_s: float, expected_s: int) -> None:
    waiting = job(due_at=NOW + timedelta(seconds=due_in_s), created_at=NOW - timedelta(hours=1))
    assert representation.retry_after_s(waiting, now=NOW, poll_s=1) == expected_s


@pytest.mark.parametrize("unfinished", [job(), job(status=Status.RUNNING, run=run())])
def test_unfinished_job_is_202_with_retry_after(unfinished: Job) -> None:
    answer = representation.polled(unfinished, {}, now=NOW, poll_s=1)
    assert (answer.status, answer.headers["Retry-After"]) == (202, "1")


@pytest.mark.parametrize("ended", [FAILED, SUCCEEDED, job(status=Status.CANCELLED, end=End(at=NOW))])
def test_ended_job_is_200_without_retry_after(ended: Job) -> None:
    answer = representation.polled(ended, {}, now=NOW, poll_s=1)
    assert answer.status == 200
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "current"),
    [
        ('W/"7"', True),
        ('"7"', True),
        ('"6", W/"7"', True),
        ("*", True),
        ('W/"6"', False),
        ("7", False),
        ("", False),
    ],
)
def test_caller_who_names_the_records_version_has_the_answer_already(sent: str, current: bool) -> None:
    assert representation.is_current(SUCCEEDED.model_copy(update={"etag": '"7"'}), sent) is current


def test_unchanged_job_is_304_with_the_headers_of_the_full_answer() -> None:
    running = job(status=Status.RUNNING, run=run())
    answer = representation.unchanged(running, now=NOW, poll_s=1)
    assert (answer.status, answer.body) == (304, {})
    assert answer.headers == representation.polled(running, {}, now=NOW, poll_s=1).headers


def view(shown: Job) -> dict[str, object]:
    return representation.view(shown, task=TASK, urls=URLS, now=NOW)


def test_view_of_a_queued_job_has_no_field_that_does_not_apply_yet() -> None:
    assert not {"result", "error", "progress", "ended_at", "next_attempt_at", "result_urls"} & set(view(job()))


def test_view_says_when_a_retry_is_due() -> None:
    assert view(job(attempt=2, due_at=NOW + timedelta(seconds=5)))["next_attempt_at"] == "2026-05-04T12:00:05.000Z"
    assert "next_attempt_at" not in view(job(attempt=2, due_at=NOW - timedelta(seconds=5)))


def test_view_says_which_job_the_text_is_of() -> None:
    assert "input_of" not in view(job())
    assert view(job(input_of=JOB_ID))["input_of"] == JOB_ID


def test_view_says_how_many_warnings_the_result_carries() -> None:
    assert "warnings" not in view(SUCCEEDED)
    warned = job(status=Status.SUCCEEDED, end=End(at=NOW, result=ResultRef(item="result:1"), warnings=2))
    assert view(warned)["warnings"] == 2


def test_job_expires_when_its_record_says_and_not_by_a_setting() -> None:
    kept = job(status=Status.SUCCEEDED, end=End(at=NOW, result=ResultRef(item="result:1")), ttl=90)
    assert view(kept)["expires_at"] == "2026-05-04T12:01:30.000Z"
    assert "expires_at" not in view(job())


def test_view_of_a_succeeded_job_names_every_format() -> None:
    urls = view(SUCCEEDED)["result_urls"]
    assert isinstance(urls, dict)
    assert urls["srt"] == f"http://s/v1/jobs/{JOB_ID}/result?format=srt"
    assert set(urls) == {"json", "txt", "srt", "vtt"}


def test_accepted_job_says_where_to_poll() -> None:
    answer = representation.accepted(job(), {}, urls=URLS, poll_s=1)
    assert answer.status == 202
    assert answer.headers == {
        "Location": f"http://s/v1/jobs/{JOB_ID}",
        "Operation-Location": f"http://s/v1/operations/{JOB_ID}",
        "Retry-After": "1",
    }


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (job(), "NotStarted"),
        (job(status=Status.RUNNING), "Running"),
        (SUCCEEDED, "Succeeded"),
        (FAILED, "Failed"),
        (job(status=Status.CANCELLED), "Canceled"),
    ],
)
def test_operation_is_always_200_in_the_words_of_the_guidelines(shown: Job, status: str) -> None:
    answer = representation.operation(shown, urls=URLS, now=NOW, poll_s=1)
    assert (answer.status, answer.body["status"]) == (200, status)


def test_failed_operation_has_a_code_and_a_message() -> None:
    answer = representation.operation(FAILED, urls=URLS, now=NOW, poll_s=1)
    assert answer.body["error"] == {"code": "media-unreadable", "message": "no decoder reads it"}


def test_reference_contract_is_202_with_a_message_then_200_with_the_text() -> None:
    waiting = representation.reference_polled(job(), None, now=NOW, poll_s=1)
    assert (waiting.status, list(waiting.body)) == (202, ["message"])
    done = representation.reference_polled(SUCCEEDED, {"text": "hello"}, now=NOW, poll_s=1)
    assert done.body == {"id": JOB_ID, "status": "completed", "data": {"result": "hello"}}


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("talk.mp3", "talk.srt"),
        ("../../etc/passwd", "passwd.srt"),
        ("C:\\temp\\a.wav", "a.srt"),
        ('a"b\r\nSet-Cookie: x.mp3', "a_b__Set-Cookie_ x.srt"),
        ("", "transcribe.srt"),
        ("ünï.mp3", "_n_.srt"),
    ],
)
def test_download_is_named_after_the_upload_and_nothing_gets_out_of_the_header(name: str, plain: str) -> None:
    upload = SUCCEEDED.upload.model_copy(update={"name": name})
    header = representation.download_headers(job(upload=upload), "srt")["Content-Disposition"]
    assert f'filename="{plain}"' in header
    assert header.isascii()
    assert "\n" not in header
