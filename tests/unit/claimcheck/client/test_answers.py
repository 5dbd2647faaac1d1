"""What the client makes of an answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from claimcheck.client import answers, errors
from claimcheck.client.answers import Page
from claimcheck.client.errors import (
    ClientError,
    Conflict,
    FileRefused,
    JobFailed,
    JobHasNoResult,
    JobNotEnded,
    KeyRefused,
    NotFound,
    ProblemError,
    Refused,
    Unavailable,
    UnexpectedAnswer,
)
from claimcheck.client.exchange import Reply

JOB: dict[str, Any] = {
    "v": 1,
    "id": "6f1c2f0e-0000-4000-8000-000000000001",
    "status": "queued",
    "task": "probe",
    "options": {},
    "file": {"name": "talk.mp3", "media_type": "audio/mpeg", "size_bytes": 3, "sha256": "0" * 64},
    "attempt": 1,
    "created_at": "2026-11-21T12:00:00.000Z",
    "deadline_at": "2026-11-22T12:00:00.000Z",
    "status_url": "http://localhost:8001/v1/jobs/6f1c2f0e-0000-4000-8000-000000000001",
    "operation_url": "http://localhost:8001/v1/operations/6f1c2f0e-0000-4000-8000-000000000001",
}
TOO_LARGE = {
    "type": "urn:claimcheck:problem:x",
    "title": "The file is too large",
    "status": 413,
    "detail": "9 MB; 2 MB",
    "limit": 2,
}


def reply(status: int, body: object, **headers: str) -> Reply:
    return Reply(status, headers, json.dumps(body).encode())


def test_fields_of_a_newer_server_are_ignored() -> None:
    newer = {**JOB, "mood": "sunny", "file": {**JOB["file"], "pages": 3}}
    assert answers.job(reply(202, newer)) == answers.job(reply(202, JOB))


@pytest.mark.parametrize(
    ("status", "ended"),
    [("queued", False), ("running", False), ("succeeded", True), ("failed", True), ("cancelled", True)],
)
def test_job_knows_whether_it_has_ended(status: str, ended: bool) -> None:
    assert answers.job(reply(200, {**JOB, "status": status})).ended is ended


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused), (401, KeyRefused), (403, KeyRefused), (404, NotFound), (406, Refused), (408, Unavailable),
        (409, Conflict), (413, FileRefused), (415, FileRefused), (418, Refused), (422, Conflict), (429, Unavailable),
        (431, Refused), (500, Unavailable), (502, Unavailable), (503, Unavailable), (599, Unavailable),
    ],
)  # fmt: skip
def test_each_status_has_its_error(status: int, kind: type[ProblemError]) -> None:
    with pytest.raises(ProblemError) as refused:
        answers.refuse(reply(status, {**TOO_LARGE, "status": status}))
    assert type(refused.value) is kind


def test_error_carries_the_problem() -> None:
    with pytest.raises(FileRefused, match="The file is too large: 9 MB; 2 MB") as refused:
        answers.job(reply(413, TOO_LARGE))
    error = refused.value
    assert (error.type, error.title, error.status) == ("urn:claimcheck:problem:x", "The file is too large", 413)
    assert (error.detail, error.extra) == ("9 MB; 2 MB", {"limit": 2})


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[]", b"\xff\xfe", b'"text"'])
def test_answer_without_a_problem_is_one_all_the_same(body: bytes) -> None:
    with pytest.raises(Unavailable) as refused:
        answers.refuse(Reply(502, {}, body))
    assert str(refused.value) == "Bad Gateway: the server answered 502 and did not say why; is the address right?"


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "Not Found"},
        {"type": "about:blank", "title": "Not Found", "detail": "Not Found"},
        {"type": 7, "detail": "Not Found"},
        {"type": "https://else/where", "detail": "Not Found"},
    ],
)
def test_refusal_of_somebody_elses_asks_whether_the_address_is_right(body: dict[str, Any]) -> None:
    with pytest.raises(NotFound) as refused:
        answers.refuse(reply(404, body))
    assert str(refused.value) == "Not Found: Not Found; is the address right?"


def test_refusal_of_ours_does_not_doubt_the_address() -> None:
    with pytest.raises(FileRefused) as refused:
        answers.refuse(reply(413, TOO_LARGE))
    assert str(refused.value) == "The file is too large: 9 MB; 2 MB"


def test_unavailable_says_when_to_come_back() -> None:
    with pytest.raises(Unavailable) as busy:
        answers.refuse(Reply(503, {"retry-after": "9"}))
    assert busy.value.retry_after_s == 9.0


def test_redirect_is_shown_and_not_followed() -> None:
    with pytest.raises(UnexpectedAnswer, match="answered 307 and points to https://elsewhere"):
        answers.job(Reply(307, {"location": "https://elsewhere"}))


@pytest.mark.parametrize("body", [b"", b"<html>Welcome</html>", b"{}", b'{"v": 2}', b"[]"])
def test_something_else_than_a_job_is_no_job(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer, match="is this the address of a Claimcheck API"):
        answers.job(Reply(200, {}, body))


def test_result_of_a_job_that_has_not_ended() -> None:
    with pytest.raises(JobNotEnded, match="is queued; it has no result yet") as early:
        answers.result(reply(202, JOB))
    assert early.value.job.status == "queued"


def test_result_of_a_failed_job_is_its_problem() -> None:
    cause = {"type": "urn:claimcheck:problem:media-unreadable", "title": "Unreadable", "status": 422, "detail": "why"}
    document = {"type": "urn:claimcheck:problem:job-has-no-result", "detail": "the job is failed", "error": cause}
    with pytest.raises(JobFailed, match="Unreadable: why") as failed:
        answers.result(reply(409, document))
    assert failed.value.problem.type == "urn:claimcheck:problem:media-unreadable"


def test_result_of_a_cancelled_job() -> None:
    document = {"type": "urn:claimcheck:problem:job-has-no-result", "detail": "the job is cancelled"}
    with pytest.raises(JobHasNoResult, match="the job is cancelled"):
        answers.result(reply(409, document))


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b"3"])
def test_json_result_is_an_object(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer, match="the result is no JSON"):
        answers.value(body)


@pytest.mark.parametrize(
    ("next_url", "params"),
    [
        (None, None),
        ("http://localhost:8001/v1/jobs?limit=7&after=A-_b", {"limit": "7", "after": "A-_b"}),
        ("https://thief.example/steal?limit=7", {"limit": "7"}),
    ],
)
def test_only_the_query_of_the_next_page_is_taken(next_url: str | None, params: dict[str, str] | None) -> None:
    assert Page(jobs=[], next_url=next_url).next_params == params


def test_tree_in_the_docstring_names_every_error_once() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    ours = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, ClientError)]
    assert sorted(drawn) == sorted(error.__name__ for error in ours if error is not ClientError)
