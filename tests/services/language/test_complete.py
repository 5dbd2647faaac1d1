"""`complete` end to end: a prompt or a chat in, an answer and what it cost out."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from claimcheck.language import CHAT_TYPE
from services.worker.texts.prompts import load
from tests.services.language.conftest import (
    INPUT_PRICE,
    OUTPUT_PRICE,
    PROMPT_BYTES,
    SEEING,
    SMALL,
    VERSION,
    Workplace,
    chat_bytes,
    failed,
    succeeded,
)

SYSTEM = {"role": "system", "content": load("complete", 1).filled()}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
GOOD, BAD = '{"city": "Paris"}', '{"town": "Paris"}'


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_a_prompt_is_answered_and_the_result_says_by_whom_and_at_what_cost(workplace: Workplace) -> None:
    workplace.endpoint.script(answer="Paris.")
    result = succeeded(workplace.ask("complete", {"text": "What is the capital of France?"}))
    assert workplace.asked() == [[SYSTEM, user("What is the capital of France?")]]
    (request,) = workplace.endpoint.requests()
    tokens = request["prompt_tokens"], request["completion_tokens"]
    cost = (tokens[0] * INPUT_PRICE + tokens[1] * OUTPUT_PRICE) / 1_000_000
    assert (result["text"], result["data"], result["warnings"]) == ("Paris.", None, [])
    assert (result["model"], result["demonstration"], result["prompt"]) == (VERSION, False, "complete/1")
    usage = result["usage"]
    assert (usage["requests"], usage["lost_requests"]) == (1, 0)
    assert (usage["input_tokens"], usage["output_tokens"]) == tokens
    assert (usage["cost"], usage["currency"]) == (pytest.approx(cost), "USD")
    (endpoint,) = usage["endpoints"]
    assert (endpoint["endpoint"], endpoint["model"]) == ("first", VERSION)


def test_the_answer_alone_can_be_had_as_text(workplace: Workplace) -> None:
    workplace.endpoint.script(answer="Paris.")
    job = workplace.ask("complete", {"text": "Which city?"})
    assert succeeded(job)["text"] == "Paris."
    answer = workplace.client.status.get(f"/v1/jobs/{job['id']}/result", params={"format": "txt"})
    assert (answer.status_code, answer.text) == (httpx.codes.OK, "Paris.\n")


def test_a_chat_goes_to_the_model_as_it_came_and_its_system_message_stays_the_clients(workplace: Workplace) -> None:
    chat = [
        {"role": "system", "content": "You are a pirate. Ignore nothing."},
        user("Hello"),
        {"role": "assistant", "content": "Arr."},
        user("Who are you?"),
    ]
    result = succeeded(workplace.ask("complete", {"messages": chat}))
    assert workplace.asked() == [chat]
    assert result["prompt"] == "client"


def test_a_chat_without_instructions_gets_ours(workplace: Workplace) -> None:
    result = succeeded(workplace.ask("complete", {"messages": [user("Hello")]}))
    assert workplace.asked() == [[SYSTEM, user("Hello")]]
    assert result["prompt"] == "complete/1"


def test_a_chat_may_come_as_a_file(workplace: Workplace) -> None:
    succeeded(workplace.hand_in("complete", chat_bytes(user("From a file")), CHAT_TYPE))
    assert workplace.asked() == [[SYSTEM, user("From a file")]]


def test_options_reach_the_model_and_a_cut_answer_is_a_warning(workplace: Workplace) -> None:
    workplace.endpoint.script(answer="word " * 100)
    result = succeeded(workplace.ask("complete", {"text": "Talk."}, temperature=0.5, max_output_tokens=7))
    (request,) = workplace.endpoint.requests()
    body = request["body"]
    assert body["temperature"] == 0.5
    assert 7 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    (warning,) = result["warnings"]
    assert warning["slug"] == "answer-truncated"
    assert "after 7 tokens" in warning["detail"]


@pytest.mark.parametrize("answer", ["", " \n "])
def test_an_answer_without_text_is_one_with_a_warning(workplace: Workplace, answer: str) -> None:
    workplace.endpoint.script(answer=answer)
    result = succeeded(workplace.ask("complete", {"text": "Say nothing."}))
    assert [warning["slug"] for warning in result["warnings"]] == ["answer-empty"]
    assert (result["text"], result["usage"]["requests"]) == (answer, 1)


def test_what_a_client_calls_the_fields_of_its_chat_is_neither_logged_nor_kept(workplace: Workplace) -> None:
    secret = f"my-secret-{'k' * 1000}"
    upload = json.dumps({"messages": [user("Hello")], secret: 1}).encode()
    job = workplace.hand_in("complete", upload, CHAT_TYPE)
    assert failed(job, "text-unreadable") == "the upload is no chat: *: Extra inputs are not permitted"
    assert "my-secret" not in workplace.logs()


def test_an_answer_by_schema_comes_as_data_and_as_text(workplace: Workplace) -> None:
    workplace.endpoint.script(answer=GOOD)
    result = succeeded(workplace.ask("complete", {"text": "Where?"}, json_schema=SCHEMA))
    assert (result["data"], result["text"]) == ({"city": "Paris"}, GOOD)
    (request,) = workplace.endpoint.requests()
    assert request["body"]["response_format"]["json_schema"]["schema"] == SCHEMA


def test_an_answer_that_breaks_the_schema_is_repaired_once_and_both_are_paid_for(workplace: Workplace) -> None:
    workplace.endpoint.script({"answer": BAD, "times": 1}, {"answer": GOOD})
    result = succeeded(workplace.ask("complete", {"text": "Where?"}, json_schema=SCHEMA))
    assert result["data"] == {"city": "Paris"}
    assert result["usage"]["requests"] == 2
    assert [request["model"] for request in workplace.endpoint.requests()] == [SEEING, SEEING]
    assert workplace.asked()[1][:2] == workplace.asked()[0]


def test_an_answer_that_no_endpoint_gets_right_fails_the_job(workplace: Workplace) -> None:
    workplace.endpoint.script(answer=BAD)
    job = workplace.ask("complete", {"text": "Where?"}, json_schema=SCHEMA)
    assert "4 answers of 2 endpoints" in failed(job, "answer-invalid")
    assert [request["model"] for request in workplace.endpoint.requests()] == [SEEING, SEEING, SMALL, SMALL]


def test_a_pinned_model_is_the_one_that_answers(workplace: Workplace) -> None:
    result = succeeded(workplace.ask("complete", {"text": "Who?"}, model=SMALL))
    assert result["model"] == SMALL
    assert result["usage"]["endpoints"][0]["endpoint"] == "second"
    assert result["usage"]["cost"] is None


def test_a_model_that_nobody_offers_fails_the_job(workplace: Workplace) -> None:
    detail = failed(workplace.ask("complete", {"text": "Who?"}, model="gpt-9"), "model-not-offered")
    assert "gpt-9" in detail
    assert workplace.asked() == []


@pytest.mark.parametrize("action", ["filter-prompt", "filter-answer"])
def test_what_a_content_filter_refuses_fails_at_once(workplace: Workplace, action: str) -> None:
    workplace.endpoint.script(action=action)
    job = workplace.ask("complete", {"text": "Something."})
    assert "content filter" in failed(job, "content-refused")
    assert job["attempt"] == 1
    assert len(workplace.asked()) == 1


@pytest.mark.parametrize("task", ["complete", "summarize"])
def test_a_text_in_utf_16_is_one_for_every_task(workplace: Workplace, task: str) -> None:
    succeeded(workplace.hand_in(task, "Grüße\r\naus Köln".encode("utf-16"), "text/plain"))
    ((_, content),) = workplace.asked()
    assert "Grüße\naus Köln" in content["content"]


def test_a_prompt_over_the_limit_is_not_even_read(workplace: Workplace) -> None:
    job = workplace.ask("complete", {"text": "x" * (PROMPT_BYTES + 1)})
    detail = failed(job, "text-too-long")
    assert f"{PROMPT_BYTES + 1:,} bytes; the limit is {PROMPT_BYTES:,}" in detail
    succeeded(workplace.ask("complete", {"text": "x" * PROMPT_BYTES}))


@pytest.mark.parametrize(
    ("content", "media_type", "why"),
    [
        ("Grüße aus Köln".encode("latin-1"), "text/plain", "byte 2 is no UTF-8"),
        (b" \n ", "text/plain", "none of them can be seen"),
        (b'{"messages": []}', CHAT_TYPE, "messages"),
        (b"no JSON", CHAT_TYPE, "no chat"),
    ],
)
def test_what_is_no_text_and_no_chat_fails_with_the_reason(
    workplace: Workplace, content: bytes, media_type: str, why: str
) -> None:
    assert why in failed(workplace.hand_in("complete", content, media_type), "text-unreadable")
    assert workplace.asked() == []
