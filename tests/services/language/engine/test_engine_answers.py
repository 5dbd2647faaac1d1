"""The engine over the wire: answers, both services, repairs, and what the ledger keeps of them."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from claimcheck.errors import AnswerInvalid, EndpointsNotReady, ModelNotOffered, NoEndpoint
from services.worker.engines.language import LanguageEngine, inquiry
from tests.services.language.engine.conftest import KEYS, MODEL, SCHEMA, VERSION, Begun, Lab, new, question, state_of
from tests.stack.waiting import eventually

GOOD, BAD = '{"n": 1}', '{"n": "one"}'


async def test_answer_says_who_gave_it_and_what_it_took(lab: Lab) -> None:
    lab.service.script(answer="Forty-two.", delay_s=0.05)
    job = new()
    engine = lab.engine(lab.endpoint(input_price=10.0, output_price=100.0, demonstration=True))
    await engine.open()
    reply = await engine.ask(question(temperature=0.5), lab.ledger(job))
    (request,) = lab.service.requests()
    call = reply.call
    assert (call.text, call.endpoint, call.model, call.finish_reason) == ("Forty-two.", "a", VERSION, "stop")
    assert (call.input_tokens, call.output_tokens) == (request["prompt_tokens"], request["completion_tokens"])
    assert call.cost == pytest.approx((call.input_tokens * 10 + call.output_tokens * 100) / 1e6)
    assert 0.05 <= call.latency_s < 50, "seconds, not milliseconds"
    assert call.demonstration
    assert reply.asked == await lab.stored(job)
    assert (reply.asked.begun, reply.asked.calls, reply.asked.lost) == (1, (call,), 0)
    body = request["body"]
    assert (body["model"], body["temperature"], body["max_tokens"]) == (MODEL, 0.5, 1024)


async def test_azure_is_asked_by_deployment_version_and_key(lab: Lab) -> None:
    azure = lab.endpoint(kind="azure", model="the-small-one", deployment=MODEL, api_version="2024-10-21")
    reply = await lab.engine(azure).ask(question(), lab.ledger())
    (request,) = lab.service.requests()
    assert (request["azure"], request["model"], request["api_version"]) == (True, MODEL, "2024-10-21")
    assert (request["key"], request["headers"].get("authorization")) == ("a", None)
    assert (reply.call.endpoint, reply.call.model) == ("a", VERSION)


async def test_key_of_the_environment_is_not_sent_where_none_is_configured(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEYS[0])
    engine = lab.engine(lab.endpoint("a", key=None), lab.endpoint("b"))
    for _ in range(2):
        await engine.ask(question(), lab.ledger())
    assert lab.asked_by_key() == {"": 1, "b": 2}


async def test_pinned_model_is_that_of_a_model_or_of_an_endpoint(lab: Lab) -> None:
    engine = lab.engine()
    replies = [await engine.ask(question(model=model), lab.ledger()) for model in (None, MODEL, "b")]
    assert [reply.call.endpoint for reply in replies] == ["a", "a", "b"]
    with pytest.raises(ModelNotOffered, match="model 'gpt-9' is not offered; known: gpt-4o-mini"):
        await engine.ask(question(model="gpt-9"), lab.ledger())


async def test_without_an_endpoint_that_can_nothing_is_noted(lab: Lab) -> None:
    job = new()
    with pytest.raises(NoEndpoint, match=r"takes images \(capability vision\)"):
        await lab.engine().ask(question(needs=frozenset({"vision"})), lab.ledger(job))
    assert await lab.records.asked.of_job(job) == []


async def test_context_is_the_smallest_of_those_that_may_be_asked(lab: Lab) -> None:
    seeing = lab.endpoint("a", context_tokens=9000, capabilities=["chat", "vision"])
    engine = lab.engine(seeing, lab.endpoint("b", context_tokens=4000))
    assert engine.context_tokens(needs=frozenset({"chat"}), model=None) == 4000
    assert engine.context_tokens(needs=frozenset({"vision"}), model=None) == 9000


async def test_schema_goes_along_and_its_answer_is_data(lab: Lab) -> None:
    lab.service.script(answer=f"```json\n{GOOD}\n```")
    reply = await lab.engine().ask(question(json_schema=SCHEMA), lab.ledger())
    (request,) = lab.service.requests()
    assert request["body"]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert reply.data == {"n": 1}


async def test_endpoint_without_json_is_told_the_schema_in_words(lab: Lab) -> None:
    lab.service.script(answer=GOOD)
    reply = await lab.engine(lab.endpoint(capabilities=["chat"])).ask(question(json_schema=SCHEMA), lab.ledger())
    (request,) = lab.service.requests()
    assert "response_format" not in request["body"]
    assert json.dumps(SCHEMA) in request["body"]["messages"][0]["content"]
    assert reply.data == {"n": 1}


@pytest.mark.parametrize("broken", [{"action": "break-json"}, {"action": "break-schema"}, {"answer": BAD}])
async def test_broken_answer_is_repaired_where_it_was_given(lab: Lab, broken: dict[str, str]) -> None:
    lab.service.script({**broken, "times": 1}, {"answer": GOOD})
    job = new()
    reply = await lab.engine().ask(question(json_schema=SCHEMA), lab.ledger(job))
    assert lab.asked_by_key() == {"a": 2}
    repair = lab.service.requests()[1]["body"]["messages"]
    assert [message["role"] for message in repair] == ["user", "assistant", "user"]
    assert "breaks the JSON Schema" in repair[2]["content"]
    assert reply.data == {"n": 1}
    assert (reply.asked.begun, len(reply.asked.calls), reply.asked.lost) == (2, 2, 0)


async def test_answer_that_stays_broken_is_asked_of_the_next_endpoint(lab: Lab) -> None:
    lab.service.script({"match": {"key": "a"}, "answer": BAD}, {"answer": GOOD})
    reply = await lab.engine().ask(question(json_schema=SCHEMA), lab.ledger())
    assert [call.endpoint for call in reply.asked.calls] == ["a", "a", "b"]
    assert len(lab.service.requests()[2]["body"]["messages"]) == 1, "b is not shown the answers of a"
    assert (reply.call.endpoint, reply.data) == ("b", {"n": 1})


async def test_answers_that_all_stay_broken_fail_the_job_and_are_all_kept(lab: Lab) -> None:
    lab.service.script(answer=BAD)
    job = new()
    with pytest.raises(AnswerInvalid, match="4 answers of 2 endpoints break the schema"):
        await lab.engine().ask(question(json_schema=SCHEMA), lab.ledger(job))
    asked = await lab.stored(job)
    assert (asked.begun, len(asked.calls)) == (4, 4)


async def test_answer_that_is_too_long_to_be_kept_may_be_paid_for_and_counts_as_lost(lab: Lab) -> None:
    message = {"role": "assistant", "content": "x" * 2_000_000}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    lab.service.script(action="body", body=json.dumps({"id": "1", "model": MODEL, "choices": [choice]}))
    job = new()
    with pytest.raises(AnswerInvalid, match="cannot be kept"):
        await lab.engine().ask(question(), lab.ledger(job))
    asked = await lab.stored(job)
    assert (asked.calls, asked.lost) == ((), 1)


async def test_kept_answer_is_used_again_and_nobody_is_asked(lab: Lab) -> None:
    job = new()
    first = await lab.engine().ask(question(), lab.ledger(job))
    assert await lab.engine().ask(question(), lab.ledger(job)) == first
    assert lab.service.counts()["asked"] == 1


async def test_kept_answers_that_break_the_schema_count_after_a_redelivery(lab: Lab) -> None:
    lab.service.script({"answer": BAD, "times": 1}, {"action": "hang", "times": 1}, {"answer": GOOD})
    job = new()
    first = asyncio.ensure_future(lab.engine().ask(question(json_schema=SCHEMA), lab.ledger(job)))
    await eventually(lambda: asked_at_least(lab, 2), "the repair is under way")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    reply = await lab.engine().ask(question(json_schema=SCHEMA), lab.ledger(job))
    assert len(lab.service.requests()[2]["body"]["messages"]) == 3, "it goes on with the repair"
    assert (reply.asked.begun, len(reply.asked.calls), reply.asked.lost) == (3, 2, 1)


async def test_request_that_is_cancelled_frees_its_slot_and_is_no_failure(lab: Lab) -> None:
    lab.service.script(action="hang", times=1)
    engine = lab.engine(lab.endpoint(concurrency=1))
    job = new()
    asking = asyncio.ensure_future(engine.ask(question(), lab.ledger(job)))
    await eventually(lambda: asked_at_least(lab, 1), "the request is under way")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await engine.ask(question(), lab.ledger())).call.endpoint == "a"
    state = state_of(engine)
    assert (state.in_flight, dict(state.requests), state.last_error) == (0, {"cancelled": 1, "answered": 1}, None)
    assert (await lab.stored(job)).lost == 1


async def test_question_that_is_cancelled_while_it_waits_for_a_slot_has_lost_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiry, "WITHDRAW_S", 60.0)
    lab.service.script(action="hang")
    engine, job, begun = lab.engine(lab.endpoint(concurrency=1)), new(), Begun(1)
    hanging = asyncio.ensure_future(engine.ask(question(), lab.ledger()))
    await eventually(lambda: asked_at_least(lab, 1), "the slot is taken")
    waiting = asyncio.ensure_future(engine.ask(question(), lab.ledger(job, begun=begun)))
    await begun.until_all()
    assert (await lab.stored(job)).begun == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ((await lab.stored(job)).begun, lab.service.counts()["asked"]) == (0, 1)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def test_question_that_is_cancelled_after_a_clean_failure_has_lost_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiry, "WITHDRAW_S", 60.0)
    lab.service.script({"action": "fail", "status": 503, "match": {"text": "late"}}, {"action": "hang"})
    engine, job = lab.engine(lab.endpoint("a"), lab.endpoint("b", priority=1, concurrency=1)), new()
    hanging = asyncio.ensure_future(engine.ask(question(model="b"), lab.ledger()))
    await eventually(lambda: asked_at_least(lab, 1), "the slot is taken")
    waiting = asyncio.ensure_future(engine.ask(question("late"), lab.ledger(job)))
    await eventually(lambda: asked_at_least(lab, 2), "the first has failed")
    await eventually(lambda: is_free(engine), "the other waits for the second")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await lab.stored(job)).begun == 0
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def is_free(engine: LanguageEngine) -> bool:
    return state_of(engine).in_flight == 0


async def test_job_that_nobody_can_be_asked_for_leaves_nothing_and_one_with_an_answer_has_it(lab: Lab) -> None:
    engine, answered, fresh = lab.engine(lab.endpoint()), new(), new()
    first = await engine.ask(question(), lab.ledger(answered))
    lab.service.script(action="fail", status=429, retry_after_s=30)
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question(), lab.ledger())
    with pytest.raises(EndpointsNotReady, match="no endpoint that could answer is ready"):
        await engine.ask(question(), lab.ledger(fresh))
    assert await lab.records.asked.of_job(fresh) == []
    assert await engine.ask(question(), lab.ledger(answered)) == first


async def asked_at_least(lab: Lab, count: int) -> bool:
    return bool(lab.service.counts()["asked"] >= count)


async def test_what_is_said_is_logged_only_if_a_setting_says_so(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("openai", "httpx2", "httpcore2"):
        caplog.set_level(logging.WARNING, logger=name)  # As a worker's are.
    caplog.set_level(logging.DEBUG)
    lab.service.script({"action": "fail", "times": 1, "message": "your prompt about SECRET"}, {"answer": "SECRET too"})
    await lab.engine().ask(question("the SECRET"), lab.ledger())
    assert not [record for record in caplog.records if "SECRET" in json.dumps(vars(record), default=str)]
    await lab.engine(log_content=True).ask(question("the SECRET"), lab.ledger())
    (told,) = [vars(record) for record in caplog.records if record.getMessage() == "model.answered"]
    assert (told["messages"], told["answer"]) == ([{"role": "user", "content": "the SECRET"}], "SECRET too")
