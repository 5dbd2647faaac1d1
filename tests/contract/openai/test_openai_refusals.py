"""What the endpoint refuses by itself, in the words of either service: keys, models, and requests that are wrong."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import openai
import pytest

from tests.contract.openai.conftest import KEY, MODEL, Caller, client_of
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint

OPEN = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
CLOSED = {**OPEN, "additionalProperties": False}


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "an_answer", "schema": schema, "strict": True}}


async def test_a_wrong_key_is_401(caller: Caller) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        await caller.with_key("wrong").ask()

    assert refused.value.code == ("401" if caller.azure else "invalid_api_key")


async def test_a_model_that_is_not_there_is_404(caller: Caller) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await caller.ask(model="gpt-9")

    assert refused.value.code == ("DeploymentNotFound" if caller.azure else "model_not_found")


def test_azure_without_a_version_of_its_api_is_404(endpoint: ScriptedEndpoint) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}]}
    path = f"{endpoint.url}/openai/deployments/{MODEL}/chat/completions"

    refused = httpx.post(path, json=body, headers={"api-key": KEY}, verify=False)

    assert (refused.status_code, refused.json()) == (404, {"error": {"code": "404", "message": "Resource not found"}})


async def test_azures_newer_address_takes_the_model_from_the_body(endpoint: ScriptedEndpoint) -> None:
    client = openai.AsyncOpenAI(
        base_url=f"{endpoint.url}/openai/v1", api_key="none", default_headers={"api-key": KEY}, max_retries=0
    )
    async with client:
        answer = await Caller(client).ask()

    assert "prompt_filter_results" in answer.model_extra


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"extra_body": {"colour": "red"}}, "Unrecognized request argument supplied: colour"),
        ({"messages": []}, "Invalid 'messages'"),
        ({"messages": [{"role": "boss", "content": "Do it."}]}, r"messages\[0\].role"),
        ({"messages": [{"role": "user", "content": []}]}, r"messages\[0\].content"),
        ({"messages": [{"role": "user", "content": 7}]}, r"messages\[0\].content"),
        ({"max_tokens": 0}, "Invalid 'max_tokens'"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "at the same time"),
        ({"temperature": 2.1}, "Invalid 'temperature'"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream'"),
        ({"n": 2}, "not supported by this emulator"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "not supported by this emulator"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "not a name"}}}, "json_schema.name"),
        ({"response_format": _strict(OPEN)}, "'additionalProperties' is required"),
        ({"response_format": _strict({**CLOSED, "required": []})}, "Missing 'title'"),
        ({"response_format": _strict({"type": "string"})}, 'type: "object"'),
        (
            {"response_format": _strict({**CLOSED, "properties": {"title": {"type": "array", "items": OPEN}}})},
            "'items'.*'additionalProperties' is required",
        ),
    ],
)
async def test_a_request_that_is_wrong_is_400_and_says_why(
    openai_only: Caller, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said):
        await openai_only.ask(**options)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("data:image/png;base64,!!!", "invalid_base64"),
        ("data:image/png;base64," + base64.b64encode(b"no image").decode(), "invalid_image_format"),
        ("data:image/jpeg;base64," + base64.b64encode(b"GIF89a\1\0\1\0").decode(), "invalid_image_format"),
        ("data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(), "invalid_image_format"),
        ("data:application/pdf;base64,AAAA", "invalid_image_format"),
        ("https://example.org/cat.png", "unsupported_by_emulator"),
    ],
)
async def test_what_is_no_image_is_400(openai_only: Caller, url: str, code: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await openai_only.ask([{"type": "image_url", "image_url": {"url": url}}])

    assert refused.value.code == code


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model": "gpt-4o", "messages": ' + b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_400(endpoint: ScriptedEndpoint, content: bytes) -> None:
    headers = {"authorization": f"Bearer {KEY}"}

    refused = httpx.post(f"{endpoint.url}/v1/chat/completions", content=content, headers=headers, verify=False)

    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "could not parse the JSON body" in refused.json()["error"]["message"]


@pytest.mark.parametrize("path", ["", "v1", "v1/chat", "v1/embeddings", "openai/deployments/gpt-4o", "_emulator/what"])
def test_a_path_that_is_not_there_is_404(endpoint: ScriptedEndpoint, path: str) -> None:
    assert httpx.get(f"{endpoint.url}/{path}", verify=False).status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_a_question_that_leaves_no_room_for_its_answer_is_too_long(run_endpoint: RunEndpoint, kind: str) -> None:
    with run_endpoint(models=[MODEL], more=["--context-tokens=100"]) as endpoint, client_of(endpoint, kind) as client:
        caller = Caller(client)
        await caller.ask("x" * 4 * 80, max_tokens=14)
        with pytest.raises(openai.BadRequestError, match="maximum context length is 100 tokens") as refused:
            await caller.ask("x" * 4 * 80, max_tokens=15)

    assert refused.value.code == "context_length_exceeded"
