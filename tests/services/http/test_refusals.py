"""What is refused: each with a problem document that says what, the value and the limit."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.services.http.conftest import LIMIT_BYTES
from tests.services.http.test_submit import FILE, FORM, field, form
from tests.stack.client import Client

FORM_TYPE = {"Content-Type": FORM}


def refused(answer: httpx.Response, status: int, slug: str, *said: str) -> dict[str, Any]:
    """Check that the answer is this problem, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:claimcheck:problem:{slug}"
    assert problem["status"] == status
    assert problem["title"]
    for words in said:
        assert words in problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("multipart/mixed; boundary=X", form(FILE), ["'multipart/mixed'", "multipart/form-data is expected"]),
        ("multipart/form-data", form(FILE), ["boundary has 0 characters", "1 to 70"]),
        (f"multipart/form-data; boundary={'x' * 71}", form(FILE), ["boundary has 71 characters", "1 to 70"]),
        (FORM, b"", ["before its last boundary"]),
        (FORM, b"no boundary at all", ["malformed"]),
        (FORM, b"\r\n" * 50_000, ["before its last boundary"]),
        (FORM, b"\r\n" * 200_000, ["more than 262,144 bytes besides the file"]),
        (FORM, b"--X\r\n\r\n\r\n" + form(FILE), ["no content disposition"]),
        (FORM, form(FILE).replace(b"\r\n", b"\n"), ["malformed"]),
        (FORM, form(FILE)[:-10], ["before its last boundary"]),
        (FORM, form(FILE)[:-4], ["before its last boundary"]),
        (FORM, form(field("task", "probe")), ["no part named 'file'"]),
        (FORM, form(FILE, FILE), ["two parts named 'file'"]),
        (FORM, form(field("task", "probe"), field("task", "fan"), FILE), ["'task' is given twice"]),
        (FORM, form('Content-Disposition: form-data; filename="a"\r\n\r\nhello'), ["no content disposition"]),
        (FORM, form("Content-Type: text/plain\r\n\r\nhello"), ["no content disposition"]),
        (FORM, form(field("options", "{}"), FILE, field("options", "{}")), ["'options' is given twice"]),
        (FORM, form(field("comment", "hello"), FILE), ["a part named 'comment'; file, task and options are expected"]),
        (FORM, form(*[field(f"f{n}", "x") for n in range(10_000)], FILE), ["a part named 'f0'"]),
        (FORM, form(*[field("task", "probe")] * 10_000, FILE), ["'task' is given twice"]),
        (FORM, form(*[FILE] * 10_000), ["two parts named 'file'"]),
        (FORM, form(field("task", "probe"), FILE).replace(b"probe", b"pr\xffbe"), ["'task' is no UTF-8"]),
        (FORM, form(field("options", '{"a": "b"}'), FILE).replace(b"b", b"\xc3"), ["'options' is no UTF-8"]),
        (FORM, form(field("options", "x" * (64 * 1024 + 1)), FILE), ["'options' has more than 65,536 bytes"]),
        (FORM, form(f'Content-Disposition: form-data; name="file"{";" * 15_000}\r\n\r\nhello'), ["15,001 semicolons"]),
        (f"{FORM}{';' * 15_000}", form(FILE), ["content type has 15,001 semicolons; at most 100 are expected"]),
        (FORM, form(f"X-Long: {'x' * 17_000}\r\n{FILE}"), ["headers of a part have more than 16,384 bytes"]),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, list) else None,
)
def test_malformed_upload_is_400(client: Client, content_type: str, body: bytes, said: list[str]) -> None:
    answer = client.process.post("/v1/jobs", content=body, headers={"Content-Type": content_type})
    refused(answer, 400, "malformed-upload", *said)


@pytest.mark.parametrize("sent", ["audio/x\nX-Evil: 1", "audio/x\0", "audio/é", "audio", "audio/*"])
def test_content_type_that_is_none_is_400(client: Client, sent: str) -> None:
    shown = repr(sent.encode().decode("latin-1"))
    body = form(field("task", "probe"), FILE.replace("text/plain", sent))
    answer = client.process.post("/v1/jobs", content=body, headers=FORM_TYPE)
    refused(answer, 400, "malformed-upload", f"the content type of the file is {shown};")


def test_field_of_exactly_the_limit_is_taken(client: Client) -> None:
    body = form(field("options", "{}" + " " * (64 * 1024 - 2)), field("task", "probe"), FILE)
    assert client.process.post("/v1/jobs", content=body, headers=FORM_TYPE).status_code == 202


def test_empty_file_is_400(client: Client) -> None:
    refused(client.post(b""), 400, "empty-upload", "0 bytes", "at least 1")


def test_unknown_task_is_400_and_names_those_there_are(client: Client) -> None:
    refused(client.post(task="paint"), 400, "unknown-task", "'paint'", ", probe, summarize, transcribe")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{", ["no JSON"]),
        ("[1]", ["JSON list", "object"]),
        ("1", ["JSON int", "object"]),
        ("null", ["JSON NoneType", "object"]),
        ("[" * 60_000, ["nested too deeply"]),
        ('{"tempo": 1}', ["tempo"]),
        ('{"seconds": "soon"}', ["seconds"]),
        ('{"do": "dance"}', ["do"]),
        ('{"seconds": NaN}', ["no JSON"]),
        ('{"seconds": -Infinity}', ["no JSON"]),
        ('{"seconds": 1e999}', ["no JSON"]),
        (r'{"\ud800": 1}', ["surrogates not allowed"]),
        ('{"seconds": 1, "seconds": 2}', ["'seconds' occurs twice"]),
        ('{"a":' * 40 + "1" + "}" * 40, ["nested too deeply; the limit is 32 levels"]),
        (f'{{"result_bytes": {"9" * 4000}}}', ["4000 digits; integers up to"]),
    ],
    ids=[
        *("cut off", "list", "number", "null", "deep", "unknown name", "wrong type", "unknown value"),
        *("no number", "infinite", "beyond any float", "half a character", "a name twice", "deeper than the limit"),
        "a number of 4,000 digits",
    ],
)
def test_invalid_options_are_400(client: Client, options: str, said: list[str]) -> None:
    body = form(field("task", "probe"), field("options", options), FILE)
    refused(client.process.post("/v1/jobs", content=body, headers=FORM_TYPE), 400, "invalid-options", *said)


def test_every_invalid_option_is_listed(client: Client) -> None:
    problem = refused(client.post(options={"tempo": 1, "do": "dance"}), 400, "invalid-options")
    assert {found["option"] for found in problem["problems"]} == {"tempo", "do"}


def test_unsupported_media_type_is_415_and_names_those_that_are(client: Client) -> None:
    answer = client.post(b"\0", task="transcribe", media_type="image/png")
    refused(answer, 415, "unsupported-media", "the file is image/png by its declared type", "transcribe takes audio/*")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\x89PNG\r\n\x1a\n\0", "image/png"), (b"PK\3\4\0", "application/zip"), (b"hello", "text/plain")],
)
def test_file_that_is_no_media_is_415_whatever_it_is_called(client: Client, content: bytes, said: str) -> None:
    answer = client.post(content, task="transcribe", media_type="audio/mpeg", name="a.mp3")
    refused(answer, 415, "unsupported-media", f"the file is {said} by its content", "transcribe takes audio/*")


@pytest.mark.parametrize(
    ("task", "content", "name", "said"),
    [
        ("describe", b"\0\0\0\x18ftypheic\0\0\0\0", "a.jpg", "image/heif by its content; describe takes image/jpeg, "),
        ("describe", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "text/plain by its content"),
        ("describe", b"II*\0\x08\0\0\0", "a.png", "image/tiff by its content"),
        ("describe", b"%PDF-1.4\n", "a.png", "application/pdf by its content"),
        ("summarize", b"PK\3\4\0", "a.xlsx", "application/zip by its content; summarize takes text/*, application/pdf"),
        ("summarize", b"\x89PNG\r\n\x1a\n\0", "a.txt", "image/png by its content"),
        ("summarize", b"\0\1", "a.mp3", "audio/mpeg by its name"),
        ("complete", b"%PDF-1.4\n", "a.pdf", "application/pdf by its name; complete takes text/*"),
    ],
)
def test_file_that_a_task_does_not_take_is_415(client: Client, task: str, content: bytes, name: str, said: str) -> None:
    answer = client.post(content, task=task, media_type="application/octet-stream", name=name)
    refused(answer, 415, "unsupported-media", f"the file is {said}")


def test_reference_contract_chooses_the_task_by_content(client: Client) -> None:
    for name in ("a", "", "a.mp3"):
        image = client.process.post("/api/process", files={"file": (name, b"\x89PNG\r\n\x1a\n\0")})
        assert image.status_code == 202, image.text
        assert set(image.json()) == {"id", "results_url"}
        assert client.job(image.json()["id"])["task"] == "describe"
    text = client.process.post("/api/process", files={"file": ("a.txt", b"hello", "text/plain")})
    refused(text, 415, "unsupported-media", "text/plain", "transcribe takes audio/*")


def test_file_without_a_media_type_is_taken(client: Client) -> None:
    untyped = 'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello'
    body = form(field("task", "probe"), untyped)
    assert client.process.post("/v1/jobs", content=body, headers=FORM_TYPE).status_code == 202


def test_file_over_the_limit_is_413_and_says_the_limit(client: Client) -> None:
    problem = refused(client.post(b"x" * (LIMIT_BYTES + 1)), 413, "upload-too-large", "3 MB", "the limit is 2 MB")
    assert problem["limit_bytes"] == LIMIT_BYTES


def test_body_far_over_the_limit_is_413(client: Client) -> None:
    refused(client.post(b"x" * (4 * LIMIT_BYTES)), 413, "upload-too-large", "at least 8 MB", "the limit is 2 MB")


def test_file_over_the_limit_is_413_when_the_length_is_not_announced(client: Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"--X\r\n" + FILE.encode()
        for _ in range(3 * LIMIT_BYTES // 65536):
            yield b"x" * 65536
        yield b"\r\n--X--\r\n"

    answer = client.process.post("/v1/jobs", content=chunks(), headers=FORM_TYPE)
    refused(answer, 413, "upload-too-large", "at least", "the limit is 2 MB")


UNKNOWN = "0f9619ff-8b86-4d01-b42d-00cf4fc964ff"
KNOWN_SHAPES = ["{}", UNKNOWN, UNKNOWN.upper(), UNKNOWN.replace("-", ""), "1", "x" * 300, "%00", "..%2Fjob"]


@pytest.mark.parametrize("job_id", KNOWN_SHAPES)
@pytest.mark.parametrize("path", ["/v1/jobs/{}", "/v1/jobs/{}/result", "/v1/operations/{}", "/api/status/{}"])
def test_unknown_and_malformed_ids_get_the_same_404(client: Client, path: str, job_id: str) -> None:
    problem = client.status.get(path.format(job_id))
    if job_id == "..%2Fjob":  # a slash makes it another path, which does not exist either
        assert problem.status_code == 404
        return
    refused(problem, 404, "job-not-found", "there is no job with this id")
    assert problem.json() == client.status.get(f"/v1/jobs/{uuid.uuid4()}").json()


def test_upper_case_id_of_an_existing_job_is_404_as_well(client: Client) -> None:
    job_id = client.submit()
    assert client.get(job_id).status_code in (200, 202)
    refused(client.get(job_id.upper()), 404, "job-not-found")
    refused(client.get(job_id.replace("-", "")), 404, "job-not-found")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v2/jobs"])
def test_unknown_path_is_a_problem_too(client: Client, path: str) -> None:
    refused(client.status.get(path), 404, "not-found")
    refused(client.process.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "POST"),
        ("GET", "/v1/jobs", "POST"),
        ("GET", "/api/process", "POST"),
        ("GET", f"/v1/jobs/{UNKNOWN}/cancel", "POST"),
        ("PUT", "/readyz", "GET, HEAD"),
    ],
)
def test_wrong_method_at_the_process_api_names_the_right_one(
    client: Client, method: str, path: str, allowed: str
) -> None:
    answer = client.process.request(method, path)
    refused(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


def test_wrong_method_is_a_problem_too(client: Client) -> None:
    answer = client.status.delete(f"/v1/operations/{uuid.uuid4()}")
    refused(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]
