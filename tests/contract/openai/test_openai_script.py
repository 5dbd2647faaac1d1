"""The endpoint misbehaves as its script says, and the SDK sees what it would see of the real service."""

from __future__ import annotations

import email.utils
import json
import time
from typing import Any

import httpx
import openai
import pytest

from tests.contract.openai.conftest import ANSWER_S, MODEL, Caller, client_of, done
from tests.stack.endpoints import Rule, RunEndpoint, ScriptedEndpoint
from tests.stack.waiting import eventually

SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "required": ["title"]}}}


async def _text(caller: Caller, content: str = "Who are you?", **options: Any) -> str:
    answer = await caller.ask(content, **options)
    return str(answer.choices[0].message.content)


async def test_an_answer_is_what_the_script_says(caller: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script({"answer": "A cat.", "match": {"text": "cat"}}, {"answer": {"animal": "dog"}})

    assert await _text(caller, "Is this a cat?") == "A cat."
    assert await _text(caller, "What is this?") == '{"animal": "dog"}'


async def test_an_answer_may_be_taken_from_the_question(service: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(answer_from=r"page (\d+)")

    assert await _text(service, "Here is page 17 of 200.") == "17"
    assert await _text(service, "Here is none.") == ""


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_status_comes_with_the_body_of_the_service(
    service: Caller, endpoint: ScriptedEndpoint, status: int, error: type[openai.APIStatusError]
) -> None:
    endpoint.script(action="fail", status=status)

    with pytest.raises(error) as refused:
        await service.ask()

    body = refused.value.body
    assert isinstance(body, dict)
    assert body.keys() == ({"code", "message"} if service.azure else {"message", "type", "param", "code"})


async def test_a_failure_may_have_a_code_and_a_message_of_its_own(
    openai_only: Caller, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(action="fail", status=429, code="insufficient_quota", message="You exceeded your quota.")

    with pytest.raises(openai.RateLimitError, match="You exceeded your quota") as refused:
        await openai_only.ask()

    assert refused.value.code == "insufficient_quota"


async def test_retry_after_comes_in_three_forms(openai_only: Caller, endpoint: ScriptedEndpoint) -> None:
    found, asked_at = {}, time.time()
    for form in ("seconds", "ms", "date"):
        [rule] = endpoint.script(action="fail", status=429, retry_after_s=1.5, retry_after_as=form)
        with pytest.raises(openai.RateLimitError) as refused:
            await openai_only.ask()
        found[form] = refused.value.response.headers
        endpoint.remove(rule)

    assert found["seconds"]["retry-after"] == "2"
    assert (found["ms"]["retry-after-ms"], "retry-after" in found["ms"]) == ("1500", False)
    assert asked_at < email.utils.parsedate_to_datetime(found["date"]["retry-after"]).timestamp() <= time.time() + 3


async def test_a_filtered_prompt_is_400(caller: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="filter-prompt")

    with pytest.raises(openai.BadRequestError) as refused:
        await caller.ask()

    assert refused.value.code == ("content_filter" if caller.azure else "content_policy_violation")
    if caller.azure:
        body: Any = refused.value.body
        assert body["innererror"]["code"] == "ResponsibleAIPolicyViolation"
        assert body["innererror"]["content_filter_result"]["violence"]["filtered"] is True


async def test_a_filtered_answer_has_no_text(caller: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="filter-answer")

    [choice] = (await caller.ask()).choices
    chunks = await caller.stream()

    assert (choice.finish_reason, choice.message.content) == ("content_filter", None)
    assert chunks[-1].choices[0].finish_reason == "content_filter"


async def test_a_context_can_be_too_long_by_script(service: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="too-long")

    with pytest.raises(openai.BadRequestError, match="128001 tokens") as refused:
        await service.ask()

    assert refused.value.code == "context_length_exceeded"


async def test_a_cut_answer_is_half_of_it(service: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="cut-answer", answer="0123456789")

    [choice] = (await service.ask()).choices

    assert (choice.message.content, choice.finish_reason) == ("01234", "length")


async def test_answers_break_what_was_asked_for_so_many_times(service: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script({"action": "break-json", "times": 1}, {"action": "break-schema", "times": 1})

    answers = [await _text(service, response_format=SCHEMA) for _ in range(3)]

    with pytest.raises(json.JSONDecodeError):
        json.loads(answers[0])
    assert json.loads(answers[1]) == {}
    assert "title" in json.loads(answers[2])


async def test_a_body_may_be_anything(caller: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="body", body='{"choices": [')

    with pytest.raises(json.JSONDecodeError):
        await caller.ask()


@pytest.mark.parametrize("action", ["truncate", "close"])
async def test_a_connection_breaks(caller: Caller, endpoint: ScriptedEndpoint, action: str) -> None:
    endpoint.script(action=action)

    with pytest.raises(openai.APIConnectionError):
        await caller.ask()


async def test_a_short_body_says_that_it_is_whole(caller: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="short")

    with pytest.raises(json.JSONDecodeError):
        await caller.ask()


async def test_a_stream_breaks_off(service: Caller, endpoint: ScriptedEndpoint) -> None:
    [rule] = endpoint.script(action="truncate", answer="x" * 200)
    with pytest.raises(openai.APIConnectionError):
        await service.stream()
    endpoint.remove(rule)

    endpoint.script(action="short", answer="x" * 200)
    assert not [chunk for chunk in await service.stream() if chunk.choices and chunk.choices[0].finish_reason]


async def test_a_dripping_answer_is_late_and_whole(service: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="drip", drip_s=0.4, answer="at last")
    begun_at = time.monotonic()

    assert await _text(service) == "at last"
    assert time.monotonic() - begun_at >= 0.4


async def test_an_endpoint_that_hangs_notices_that_its_client_leaves(
    caller: Caller, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(action="hang", times=1)

    with pytest.raises(openai.APITimeoutError):
        await caller.impatient().ask()

    async def left() -> bool:
        return bool(endpoint.counts()["outcomes"].get("left") == 1)

    await eventually(left, "the endpoint knows that its client has left")
    assert await _text(caller) == f"{MODEL} was asked: Who are you?"


async def test_a_delay_comes_before_the_answer_or_the_failure(run_endpoint: RunEndpoint) -> None:
    with run_endpoint(models=[MODEL], delay_s=0.2) as endpoint, client_of(endpoint, "openai") as client:
        assert await _seconds(Caller(client)) >= 0.2
    with run_endpoint(models=[MODEL], delay_s=10 * ANSWER_S) as endpoint, client_of(endpoint, "openai") as client:
        [rule] = endpoint.script(delay_s=0.4)
        assert await _seconds(Caller(client)) >= 0.4
        endpoint.remove(rule)
        endpoint.script(action="fail", status=503)
        with pytest.raises(openai.InternalServerError):
            await Caller(client).ask()


async def _seconds(caller: Caller) -> float:
    begun_at = time.monotonic()
    await caller.ask()
    return time.monotonic() - begun_at


async def test_the_first_rule_that_strikes_wins(openai_only: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(
        {"answer": "second and third", "nth": 2, "times": 2},
        {"answer": "cat", "match": {"text": "cat"}},
        {"answer": "mini", "match": {"model": "gpt-4o-mini"}},
        {"answer": "another", "match": {"key": "another-key"}},
    )

    assert await _text(openai_only, "a cat") == "cat"
    assert [await _text(openai_only, "a cat") for _ in range(3)] == ["second and third", "second and third", "cat"]
    assert await _text(openai_only, model="gpt-4o-mini") == "mini"
    assert await _text(openai_only.with_key("another-key")) == "another"
    assert await _text(openai_only) == f"{MODEL} was asked: Who are you?"
    assert [(rule["seen"], rule["struck"]) for rule in endpoint.rules()] == [(7, 2), (2, 2), (1, 1), (1, 1)]


async def test_a_share_of_the_requests_is_struck_evenly(openai_only: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(answer="struck", share=0.25)

    struck = [await _text(openai_only) == "struck" for _ in range(8)]

    assert struck == [False, False, False, True, False, False, False, True]


async def test_a_rule_ends_with_its_time_and_when_it_is_taken_away(
    openai_only: Caller, endpoint: ScriptedEndpoint
) -> None:
    [for_ever] = endpoint.script(answer="for ever")
    [for_long] = endpoint.script(answer="for long", for_s=600)
    endpoint.remove(for_ever)
    assert await _text(openai_only) == "for long"
    began_at = time.monotonic()
    endpoint.script(answer="for a moment", for_s=0.2)
    endpoint.remove(for_long)

    async def over() -> bool:
        return await _text(openai_only) != "for a moment"

    await eventually(over, "the rule has ended")
    assert time.monotonic() - began_at >= 0.2


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"action": "explode"}, "action is 'explode'"),
        ({"status": 200, "action": "fail"}, "status is 200"),
        ({"nth": 0}, "nth is 0"),
        ({"share": 0}, "share is 0"),
        ({"match": {"colour": "red"}}, "match has ['colour']"),
        ({"answer_from": "("}, "answer_from is no regular expression"),
        ({"retry_after_as": "hours"}, "retry_after_as is 'hours'"),
        ({"sttus": 500}, "unknown field ['sttus']"),
        ("fail", "a rule is a JSON object"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_arms_nothing(
    endpoint: ScriptedEndpoint, rule: Rule | str, said: str
) -> None:
    refused = httpx.post(f"{endpoint.url}/_emulator/script", json=[{"answer": "fine"}, rule], verify=False)

    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert said in refused.json()["error"]["message"]
    assert endpoint.rules() == []


@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_a_stopped_endpoint_refuses_connections_and_forgets_its_script(
    run_endpoint: RunEndpoint, kind: str
) -> None:
    with run_endpoint(models=[MODEL]) as endpoint, client_of(endpoint, kind) as client:
        endpoint.script(answer="before")
        endpoint.stop()
        with pytest.raises(openai.APIConnectionError):
            await done(Caller(client).ask())
        endpoint.start()

        assert await _text(Caller(client)) == f"{MODEL} was asked: Who are you?"
