"""The JSON body: a text as input, and what is refused of it."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import pytest

from claimcheck.language import CHAT_TYPE, Chat
from services.process_api.json_input import MAX_JSON_BYTES
from tests.services.http.test_refusals import refused
from tests.stack.client import Client
from tests.stack.stores import Stores

READ = {"do": "read"}
HELLO = {"role": "user", "content": "Hello!"}


def post(client: Client, body: Any, *, path: str = "/v1/jobs", media_type: str = "application/json") -> httpx.Response:
    """Whatever is answered to this JSON; text and bytes are sent as they are."""
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.process.post(path, content=content, headers={"Content-Type": media_type})


def test_text_becomes_the_upload_of_a_task_that_takes_text(client: Client) -> None:
    answer = post(client, {"task": "probe", "input": {"text": "Grüße 🎙"}, "options": READ})
    assert answer.status_code == 202
    file = answer.json()["file"]
    assert (file["media_type"], file["size_bytes"], file["name"]) == ("text/plain", len("Grüße 🎙".encode()), "")
    assert client.until_ended(answer.json()["id"])["result"]["text"] == "Grüße 🎙"


def test_charset_in_the_type_changes_nothing(client: Client) -> None:
    body = {"task": "probe", "input": {"text": "hello"}}
    assert post(client, body, media_type="Application/JSON ; charset=utf-8").status_code == 202


@pytest.mark.parametrize(
    ("task", "given", "said"),
    [
        ("transcribe", {"text": "hello"}, "the input is of the kind 'text'; transcribe takes file"),
        ("fan", {"text": "hello"}, "the input is of the kind 'text'; fan takes file"),
        ("transcribe", {"job_id": "x"}, "the input is of the kind 'job_id'; transcribe takes file"),
        ("transcribe", {"messages": [HELLO]}, "the input is of the kind 'messages'; transcribe takes file"),
        ("describe", {"text": "hello"}, "the input is of the kind 'text'; describe takes file"),
        ("summarize", {"messages": [HELLO]}, "the input is of the kind 'messages'; summarize takes file, text, job_id"),
        ("complete", {"job_id": "x"}, "the input is of the kind 'job_id'; complete takes file, text, messages"),
        ("probe", {"job_id": "x"}, "the input is of the kind 'job_id'; probe takes file, text"),
        ("", {"text": "hello"}, "the input is of the kind 'text'; transcribe takes file"),
    ],
)
def test_input_that_the_task_has_no_use_for_is_400(client: Client, task: str, given: Any, said: str) -> None:
    refused(post(client, {"task": task, "input": given}), 400, "input-not-taken", said)


@pytest.mark.parametrize(
    ("body", "slug", "said"),
    [
        ("", "malformed-request", "no JSON"),
        ("{", "malformed-request", "no JSON"),
        (b'{"task": "\xff"}', "malformed-request", "no JSON"),
        ("[" * 60_000, "malformed-request", "nested too deeply"),
        ('{"task": "probe", "task": "probe", "input": {"text": "a"}}', "malformed-request", "'task' occurs twice"),
        (r'{"task": "probe", "input": {"text": "\ud800"}}', "malformed-request", "surrogates not allowed"),
        ("[]", "malformed-request", "the body: "),
        ("null", "malformed-request", "the body: "),
        ({}, "malformed-request", "input: Field required"),
        ({"input": "hello"}, "malformed-request", "input: "),
        ({"input": {}}, "malformed-request", "input has nothing; one of text, messages, job_id is expected"),
        ({"input": {"messages": "hello"}}, "malformed-request", "input.messages: "),
        ({"input": {"messages": []}, "task": "complete"}, "malformed-request", "input.messages has 0 messages"),
        ({"input": {"messages": [HELLO] * 201}, "task": "complete"}, "malformed-request", "has 201 messages; 1 to 200"),
        ({"input": {"text": "a", "job_id": "b"}}, "malformed-request", "input has job_id, text"),
        ({"input": {"url": "a"}}, "malformed-request", "input.url: "),
        ({"input": {"text": None}}, "malformed-request", "input.text: "),
        ({"input": {"text": 1}}, "malformed-request", "input.text: "),
        ({"input": {"text": "a"}, "tasks": "probe"}, "malformed-request", "tasks: "),
        ({"input": {"text": "a"}, "task": None}, "malformed-request", "task: "),
        ({"input": {"text": "a"}, "task": "probe", "options": "{}"}, "malformed-request", "options: "),
        ({"input": {"text": "a"}, "task": "paint"}, "unknown-task", "'paint'"),
        ({"input": {"text": "a"}, "task": "probe", "options": {"tempo": 1}}, "invalid-options", "tempo"),
        ({"input": {"text": ""}, "task": "probe"}, "empty-upload", "0 characters"),
        ({"input": {"text": "a"}, "task": "complete", "options": {"model": "gpt 4o"}}, "invalid-options", "model: "),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, (str, bytes, dict)) else None,
)
def test_json_that_is_no_submission_is_400(client: Client, body: Any, slug: str, said: str) -> None:
    refused(post(client, body), 400, slug, said)


def test_chat_becomes_the_upload_and_the_same_key_the_same_job(client: Client, stores: Stores) -> None:
    body = {"task": "complete", "input": {"messages": [{"role": "system", "content": "Be brief."}, HELLO]}}
    named = {"Idempotency-Key": secrets.token_hex(8)}
    answers = [client.process.post("/v1/jobs", json=body, headers=named) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    first, second = (answer.json() for answer in answers)
    assert first["id"] == second["id"]
    assert first["file"]["media_type"] == CHAT_TYPE
    kept = Chat.model_validate_json(stores.read_blob(stores.record(first["id"])["upload"]["blob"]))
    assert kept.messages[-1].content == "Hello!"
    other = {**body, "input": {"messages": [HELLO]}}
    refused(client.process.post("/v1/jobs", json=other, headers=named), 422, "idempotency-key-reused", "another file")


def with_text_of(size_bytes: int) -> str:
    """A body of so many bytes."""
    before, after = '{"task": "probe", "options": {"do": "read"}, "input": {"text": "', '"}}'
    return before + "y" * (size_bytes - len(before + after)) + after


def test_longest_json_is_taken_whole(client: Client) -> None:
    body = with_text_of(MAX_JSON_BYTES)
    answer = post(client, body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["file"]["size_bytes"] == body.count("y")


@pytest.mark.parametrize("size_bytes", [MAX_JSON_BYTES + 1, 2 * MAX_JSON_BYTES])
def test_json_over_the_limit_is_413(client: Client, size_bytes: int) -> None:
    answer = post(client, with_text_of(size_bytes))
    refused(answer, 413, "upload-too-large", "more than 1,048,576 bytes", "send what is larger as a file")


def test_options_do_not_grow_with_the_body(client: Client) -> None:
    body = {"task": "fan", "input": {"text": "a"}, "options": {"refuse": [1] * 30_000}}
    refused(post(client, body), 400, "invalid-options", "options have 90,0", "the limit is 65,536")


def test_query_beside_a_json_body_is_400(client: Client) -> None:
    answer = post(client, {"input": {"text": "a"}}, path="/v1/jobs?task=probe")
    refused(answer, 400, "malformed-request", "the query says task")
