"""The OpenAPI documents are true: what they allow is sent, and every answer must be one that they name.

Requests come from schemathesis: valid ones, and ones that break the schema in every place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection

from tests.services.http.conftest import LIMIT_BYTES
from tests.stack.client import ANSWER_S, Client
from tests.stack.system import System

SENT = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,  # The same requests in every run: a failure can be repeated, and a good run says the same again.
    suppress_health_check=list(HealthCheck),
)
CHECKS = SchemathesisConfig.from_dict(
    {
        "checks": {
            # The content of a file and of `options` decides too, and no schema says what is in them.
            "positive_data_acceptance": {"expected-statuses": ["2xx", 304, "4xx", 503]},
            "negative_data_rejection": {"expected-statuses": ["4xx", 503]},
            # A busy machine may be slow beyond the time limits, and the documents say what is answered then.
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 503]},
        },
    }
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("api", ["process_url", "status_url"])
def test_every_answer_is_one_that_the_document_names(running: System, api: str, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_url(f"{getattr(running, api)}/openapi.json", config=CHECKS)
    for operation in _operations(document):
        if mode is GenerationMode.POSITIVE or operation.body or any(operation.iter_parameters()):
            _check(operation.as_strategy(generation_mode=mode))


def _operations(document: BaseSchema) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    for found in document.get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def _check(requests: SearchStrategy[Case[Any]]) -> None:
    @SENT
    @given(requests)
    def check(case: Case[Any]) -> None:
        # The fields of a form are text, so one of the wrong type may well say something right: an object is JSON, too.
        is_form = (case.media_type or "").startswith("multipart/")
        case.call_and_validate(excluded_checks=[negative_data_rejection] if is_form else [])

    check()


STATES: dict[str, dict[str, Any]] = {
    "running": {"seconds": 60},
    "succeeded": {"do": "succeed"},
    "failed": {"do": "refuse"},
    "cancelled": {"seconds": 60},
}


@pytest.mark.parametrize("state", STATES)
def test_a_job_in_this_state_is_shown_as_the_document_says(running: System, client: Client, state: str) -> None:
    document = schemathesis.openapi.from_url(f"{running.status_url}/openapi.json", config=CHECKS)
    job_id = client.submit(options=STATES[state])
    if state == "cancelled":
        client.cancel(job_id)
    client.until_status(job_id, state)
    for operation in _operations(document):
        if "{job_id}" in operation.path:
            answer = client.status.get(operation.path.format(job_id=job_id), headers={"Prefer": "wait=0"})
            assert answer.status_code in (200, 202, 409)
            operation.validate_response(answer)
    if state == "running":
        client.cancel(job_id)


SUBMISSIONS: dict[str, dict[str, Any]] = {
    "a form": {"files": {"file": ("a.txt", b"text", "text/plain")}, "data": {"task": "probe"}},
    "the file itself": {"content": b"text", "headers": {"Content-Type": "text/plain"}, "params": {"task": "probe"}},
    "json": {"json": {"task": "probe", "input": {"text": "text"}}},
    "a chat": {"json": {"task": "complete", "input": {"messages": [{"role": "user", "content": "text"}]}}},
    "an earlier job that is not there": {"json": {"task": "summarize", "input": {"job_id": "x"}}},
    "a form without a file": {"files": {"task": (None, "probe")}},
    "an unknown task": {"content": b"text", "params": {"task": "prove"}},
    "the wrong content": {"content": b"\x89PNG\r\n\x1a\n" + bytes(64), "params": {"task": "transcribe"}},
    "too much": {"content": bytes(LIMIT_BYTES + 1), "params": {"task": "probe"}},
    "an input that the task does not take": {"json": {"task": "transcribe", "input": {"text": "text"}}},
}


@pytest.mark.parametrize("submission", SUBMISSIONS)
@pytest.mark.parametrize("path", ["/v1/jobs", "/api/process"])
def test_a_submission_is_answered_as_the_document_says(
    running: System, client: Client, path: str, submission: str
) -> None:
    document = schemathesis.openapi.from_url(f"{running.process_url}/openapi.json", config=CHECKS)
    for headers in ({}, {"Prefer": "wait=10"}):
        sent = SUBMISSIONS[submission]
        request = client.process.build_request(
            "POST", path, **{**sent, "headers": {**sent.get("headers", {}), **headers}}
        )
        request.read()  # A form is a stream, and the answer's check looks at what was sent.
        answer = client.process.send(request)
        document[path]["POST"].validate_response(answer)


@pytest.mark.parametrize("api", ["process_url", "status_url"])
def test_every_operation_names_its_errors_with_examples(running: System, api: str) -> None:
    document = httpx.get(f"{getattr(running, api)}/openapi.json", timeout=ANSWER_S).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in ("/healthz", "/readyz"):
                continue
            problems = {int(status): answer for status, answer in operation["responses"].items() if status >= "4"}
            assert {400, 401, 408, 414, 431} <= problems.keys(), f"{method} {path}"
            for status, answer in problems.items():
                examples = answer["content"]["application/problem+json"].get("examples", {})
                assert status == 500 or examples, f"{method} {path} {status}"
                assert all(e["value"]["detail"] for e in examples.values()), f"{method} {path} {status}"


@pytest.mark.parametrize("api", ["process_url", "status_url"])
def test_operations_are_named_after_their_functions(running: System, api: str) -> None:
    document = httpx.get(f"{getattr(running, api)}/openapi.json", timeout=ANSWER_S).json()
    names = [o["operationId"] for operations in document["paths"].values() for o in operations.values()]
    assert len(names) == len(set(names))
    assert all(name.replace("_", "").isalpha() for name in names), names
