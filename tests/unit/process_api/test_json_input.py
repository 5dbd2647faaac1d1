"""services/process_api/json_input.py: what a JSON body asks for, and the bytes that become the upload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claimcheck.errors import InvalidOptions, MalformedRequest
from claimcheck.language import CHAT_TYPE, MAX_CHAT_MESSAGES, Chat
from services.process_api.json_input import JsonOrder, read_submission

HELLO = {"role": "user", "content": "Grüße 🎙"}


def read(given: dict[str, Any], *, task: str = "complete", options: dict[str, Any] | None = None) -> JsonOrder:
    """What a body with this input asks for."""
    body = {"task": task, "input": given, "options": options or {}}
    return read_submission(json.dumps(body).encode(), given={}, default_task="")


def refusal(error: type[MalformedRequest], *given: Any, **how: Any) -> str:
    """Why a body is refused."""
    with pytest.raises(error) as refused:
        read(*given, **how)
    return refused.value.detail


def test_refusal_of_a_long_name_is_short() -> None:
    assert len(refusal(MalformedRequest, {"x" * 900_000: "hello"})) < 200
    assert len(refusal(MalformedRequest, {"messages": [{**HELLO, "x" * 900_000: "hello"}]})) < 200


def test_text_is_plain_text() -> None:
    asked = read({"text": "Grüße 🎙"})
    assert (asked.order.media_type, asked.content.decode()) == ("text/plain", "Grüße 🎙")
    assert (asked.order.name, asked.order.input_of) == ("", None)


def test_chat_is_kept_as_the_worker_reads_it() -> None:
    asked = read({"messages": [{"role": "system", "content": "Be brief."}, HELLO]})
    assert asked.order.media_type == CHAT_TYPE
    assert [message.role for message in Chat.model_validate_json(asked.content).messages] == ["system", "user"]


def test_same_chat_is_the_same_bytes_however_it_was_written() -> None:
    other_order = {"content": HELLO["content"], "role": "user"}
    assert read({"messages": [HELLO]}).content == read({"messages": [other_order]}).content
    assert read({"messages": [HELLO]}).content == '{"messages":[{"role":"user","content":"Grüße 🎙"}]}'.encode()


def test_earlier_job_is_named_and_not_looked_for() -> None:
    asked = read({"job_id": "whatever"}, task="summarize")
    assert (asked.order.input_of, asked.content) == ("whatever", b"")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "input.messages has 0 messages; 1 to 200 are expected"),
        ([HELLO] * (MAX_CHAT_MESSAGES + 1), "input.messages has 201 messages; 1 to 200 are expected"),
        ([HELLO, {"role": "user", "content": ""}], "input.messages.1.content: String should have at least 1 character"),
        ([{"role": "tool", "content": "x"}], "input.messages.0.role: Input should be 'system', 'user' or 'assistant'"),
        ([HELLO, HELLO, {"role": "user"}], "input.messages.2.content: Field required"),
        ([{**HELLO, "name": "Ada"}], "input.messages.0.name: Extra inputs are not permitted"),
        ([{"role": "user", "content": [{"type": "text"}]}], "input.messages.0.content: Input should be a valid string"),
        (["hello"], "input.messages.0: "),
        ([HELLO, {"role": "assistant", "content": "x"}], "the last message is the assistant's; the user's is expected"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_chat_that_is_none_is_refused_with_which_message_and_what(messages: list[Any], said: str) -> None:
    assert said in refusal(MalformedRequest, {"messages": messages})


def test_longest_chat_is_taken() -> None:
    assert read({"messages": [HELLO] * MAX_CHAT_MESSAGES}).content


SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_schema_of_the_answer_goes_into_the_options() -> None:
    assert read({"text": "a"}, options={"json_schema": SCHEMA}).order.options == {"json_schema": SCHEMA}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"json_schema": {**SCHEMA, "description": "x" * 16_384}}, "json_schema: the schema has 16,4"),
        ({"json_schema": {"type": "object", "$ref": "https://evil.example/a.json"}}, "it may only refer to itself"),
        ({"json_schema": {"type": "array"}}, "json_schema: the schema's type is \"array\"; 'object' is expected"),
        ({"json_schema": {"type": "object", "properties": 1}}, "json_schema: this is no JSON Schema: "),
        ({"json_schema": "{}"}, "json_schema: Input should be a valid dictionary"),
        ({"tempo": 1}, "tempo: the task has no such option; known: json_schema, max_output_tokens, model, temperature"),
        ({"model": "gpt 4o"}, "model: String should match pattern"),
        ({"max_output_tokens": 0}, "max_output_tokens: Input should be greater than or equal to 1"),
        ({"temperature": 2.1}, "temperature: Input should be less than or equal to 2"),
        ({"model": "x" * 65_536}, "options have 65,549 bytes; the limit is 65,536"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_bad_option_is_refused_with_the_reason(options: dict[str, Any], said: str) -> None:
    assert said in refusal(InvalidOptions, {"text": "a"}, options=options)
