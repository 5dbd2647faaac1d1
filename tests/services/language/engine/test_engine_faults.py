"""The engine over the wire: what it does with each way in which an endpoint fails, and what it counts as lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

import pytest

from claimcheck.errors import (
    ClaimcheckError,
    ContentRefused,
    ContextTooLong,
    EndpointsNotReady,
    ModelFailed,
    ModelRequestRefused,
)
from services.worker.engines.language import LanguageEngine, State, turns
from services.worker.engines.language.blame import MOST_BUSY, MOST_LOST
from services.worker.engines.language.bounded import MAX_ANSWER_BYTES
from tests.services.language.engine.conftest import SCHEMA, Begun, Lab, events, new, question, state_of
from tests.stack.endpoints import RunEndpoint
from tests.stack.ports import free_port
from tests.stack.waiting import eventually

ONLY_A = {"match": {"key": "a"}}
FAILING: dict[str, dict[str, Any]] = {
    "429": {"action": "fail", "status": 429, "retry_after_s": 30},
    "500": {"action": "fail", "status": 500},
    "503": {"action": "fail", "status": 503},
    "401": {"action": "fail", "status": 401},
    "404": {"action": "fail", "status": 404},
    "closes": {"action": "close"},
    "truncates": {"action": "truncate"},
    "is short": {"action": "short"},
    "is a page": {"action": "body", "body": "<html>Bad gateway</html>"},
    "is empty": {"action": "body", "body": ""},
}
MAYBE_PAID = {"closes", "truncates", "is short", "is a page", "is empty"}
SILENT: dict[str, dict[str, Any]] = {"hangs": {"action": "hang"}, "drips": {"action": "drip", "drip_s": 90.0}}
SILENT_S = 4.0


@pytest.mark.parametrize("way", FAILING)
@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_next_endpoint_answers_while_the_first_fails(lab: Lab, way: str, kind: str) -> None:
    lab.service.script({**FAILING[way], **ONLY_A})
    engine = lab.engine(lab.endpoint("a", kind=kind), lab.endpoint("b", kind=kind, priority=1))
    reply = await engine.ask(question(), lab.ledger())
    assert (reply.call.endpoint, len(reply.asked.calls)) == ("b", 1)
    assert reply.asked.lost == (way in MAYBE_PAID)
    assert state_of(engine).in_flight == 0


async def test_next_endpoint_answers_when_the_first_has_said_nothing_for_too_long(lab: Lab) -> None:
    lab.service.script(*({**rule, "match": {"key": "a", "text": way}} for way, rule in SILENT.items()))

    async def one(way: str, kind: str) -> None:
        pair = lab.endpoint("a", kind=kind), lab.endpoint("b", kind=kind, priority=1)
        engine = lab.engine(*pair, call_s=SILENT_S)
        began_at = time.monotonic()
        reply = await engine.ask(question(way), lab.ledger())
        assert time.monotonic() - began_at < 60
        assert (reply.call.endpoint, len(reply.asked.calls), reply.asked.lost) == ("b", 1, 1)
        assert (state_of(engine).in_flight, state_of(engine).last_error) == (0, "timeout")

    await asyncio.gather(*(one(way, kind) for way in SILENT for kind in ("openai", "azure")))


@pytest.mark.parametrize(("size", "error"), [(MAX_ANSWER_BYTES, "unreadable"), (MAX_ANSWER_BYTES + 1, "too-large")])
async def test_answer_is_read_up_to_a_limit(lab: Lab, size: int, error: str) -> None:
    lab.service.script({"action": "body", "body": "x" * size, **ONLY_A})
    engine = lab.engine()
    reply = await engine.ask(question(), lab.ledger())
    assert (reply.call.endpoint, reply.asked.lost) == ("b", 1)
    assert state_of(engine).last_error == error


@pytest.mark.parametrize("form", ["seconds", "ms", "date"])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_kept_in_each_of_its_forms(lab: Lab, form: str, status: int) -> None:
    lab.service.script(action="fail", status=status, retry_after_s=60.0, retry_after_as=form)
    engine, job = lab.engine(lab.endpoint()), new()
    with pytest.raises(EndpointsNotReady) as raised:
        await engine.ask(question(), lab.ledger(job))
    # A date has whole seconds, and is rounded up.
    assert 50 < raised.value.delay_s <= 62
    assert state_of(engine).state == State.COOLING
    assert 40 < engine.next_in_s() <= 62
    assert (await lab.stored(job)).begun == 0, "the request was seen to fail, so nothing is lost"


async def test_absurd_retry_after_is_believed_up_to_the_limit(lab: Lab) -> None:
    lab.service.script(action="fail", status=429, retry_after_s=1e6)
    with pytest.raises(EndpointsNotReady) as raised:
        await lab.engine(lab.endpoint(), retry_after_max_s=60.0).ask(question(), lab.ledger())
    assert 50 < raised.value.delay_s <= 61


async def test_cooled_endpoint_is_asked_again_when_its_time_is_over(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="services")
    lab.service.script(action="fail", status=429, retry_after_s=0.3, retry_after_as="ms", times=1)
    engine, job = lab.engine(lab.endpoint()), new()
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question(), lab.ledger(job))
    await eventually(lambda: is_ready(engine), "the endpoint has cooled")
    reply = await engine.ask(question(), lab.ledger(job))
    assert (reply.asked.begun, reply.asked.lost) == (1, 0)
    assert events(caplog, "endpoint.cooling", "endpoint.ready") == ["endpoint.cooling", "endpoint.ready"]


async def is_ready(engine: LanguageEngine) -> bool:
    return engine.next_in_s() == 0


async def test_nobody_is_asked_while_everything_cools(lab: Lab) -> None:
    lab.service.script(action="fail", status=429, retry_after_s=30)
    engine = lab.engine()
    for _ in range(5):
        with pytest.raises(EndpointsNotReady):
            await engine.ask(question(), lab.ledger())
    assert lab.asked_by_key() == {"a": 1, "b": 1}


async def test_failing_endpoint_rests_and_is_tried_by_one_request(
    lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PROBE_WAIT_S", 60.0)
    caplog.set_level(logging.INFO, logger="services")
    lab.service.script(action="fail", status=500)
    engine = lab.engine(lab.endpoint())
    for _ in range(2):
        with pytest.raises(EndpointsNotReady):
            await engine.ask(question(), lab.ledger())
    assert state_of(engine).state == State.RESTING
    await eventually(lambda: is_ready(engine), "the endpoint has rested")
    lab.service.clear()
    lab.service.script(action="answer", delay_s=0.3)
    replies = await asyncio.gather(*(engine.ask(question(), lab.ledger()) for _ in range(6)))
    assert len(replies) == 6
    times = [request["at"] for request in lab.service.requests()]
    assert times[1] - times[0] >= 0.3, "the others wait for the one that tries it"
    assert events(caplog, "endpoint.resting", "endpoint.ready") == ["endpoint.resting", "endpoint.ready"]


async def test_endpoint_that_fails_its_try_rests_longer(lab: Lab) -> None:
    lab.service.script(action="fail", status=500)
    engine = lab.engine(lab.endpoint(), failures_to_open=1, rest_max_s=60.0)
    rests = []
    for _ in range(3):
        await eventually(lambda: is_ready(engine), "the endpoint has rested")
        with pytest.raises(EndpointsNotReady) as raised:
            await engine.ask(question(), lab.ledger())
        rests.append(raised.value.delay_s)
    for rest_s, longest_s in zip(rests, (0.2, 0.4, 0.8), strict=True):
        assert 0.4 * longest_s < rest_s <= longest_s, rests


@pytest.mark.parametrize(
    ("rule", "kind", "says"),
    [
        ({"action": "filter-prompt"}, ContentRefused, "the content filter of a refused the request"),
        ({"action": "filter-answer"}, ContentRefused, "the content filter of a refused the model's answer"),
        ({"action": "too-long"}, ContextTooLong, "longer than the context of a, which is 128,000 tokens"),
    ],
)
@pytest.mark.parametrize("protocol", ["openai", "azure"])
async def test_what_is_permanent_is_asked_once_and_says_so(
    lab: Lab, rule: dict[str, Any], kind: type[ClaimcheckError], says: str, protocol: str
) -> None:
    lab.service.script(rule)
    first = lab.endpoint("a", kind=protocol, context_tokens=128_000)
    engine, job = lab.engine(first, lab.endpoint("b", priority=1, context_tokens=128_000)), new()
    with pytest.raises(kind, match=says):
        await engine.ask(question(), lab.ledger(job))
    assert lab.asked_by_key() == {"a": 1}
    assert state_of(engine).state == State.READY
    assert (await lab.stored(job)).lost == 0


@pytest.mark.parametrize("status", [400, 422])
async def test_request_that_every_endpoint_refuses_fails_with_the_firsts_words(lab: Lab, status: int) -> None:
    lab.service.script(
        {"action": "fail", "status": status, "message": "not this", **ONLY_A},
        {"action": "fail", "status": 400, "message": "not that"},
    )
    engine, job = lab.engine(), new()
    with pytest.raises(ModelRequestRefused, match=f"a answered {status}") as raised:
        await engine.ask(question(), lab.ledger(job))
    assert raised.value.extra == {"service_says": "not this"}
    assert lab.asked_by_key() == {"a": 1, "b": 1}
    assert (await lab.stored(job)).lost == 0


async def test_option_that_one_endpoint_refuses_is_asked_of_the_next(lab: Lab) -> None:
    lab.service.script(action="fail", status=400, message="no temperature", **ONLY_A)
    reply = await lab.engine().ask(question(temperature=0.5), lab.ledger())
    assert (reply.call.endpoint, reply.asked.begun) == ("b", 1)


async def test_what_is_too_long_for_one_is_asked_of_a_larger_context_alone(lab: Lab) -> None:
    lab.service.script(action="too-long", **ONLY_A)
    small = lab.endpoint("a", context_tokens=8192)
    other = lab.endpoint("small", key="b", priority=1, context_tokens=8192)
    large = lab.endpoint("large", key="b", priority=2)
    reply = await lab.engine(small, other, large).ask(question(), lab.ledger())
    assert (reply.call.endpoint, reply.asked.begun) == ("large", 1)
    assert lab.asked_by_key() == {"a": 1, "b": 1}


async def test_what_is_too_long_with_its_schema_in_words_is_asked_where_that_goes_beside(lab: Lab) -> None:
    lab.service.script({"action": "too-long", **ONLY_A}, {"answer": '{"n": 1}'})
    words = lab.endpoint("a", context_tokens=8192, capabilities=["chat"])
    engine = lab.engine(words, lab.endpoint("b", priority=1, context_tokens=8192))
    with pytest.raises(ContextTooLong):
        await engine.ask(question(), lab.ledger())
    assert (await engine.ask(question(json_schema=SCHEMA), lab.ledger())).call.endpoint == "b"


async def test_what_is_too_long_is_asked_once_of_each_whose_context_is_not_set(lab: Lab) -> None:
    lab.service.script(action="too-long")
    with pytest.raises(ContextTooLong):
        await lab.engine().ask(question(), lab.ledger())
    assert lab.asked_by_key() == {"a": 1, "b": 1}


async def test_what_is_too_long_waits_while_a_larger_context_only_rests(lab: Lab) -> None:
    lab.service.script(
        {"action": "too-long", **ONLY_A},
        {"action": "fail", "status": 429, "retry_after_s": 0.3, "retry_after_as": "ms", "times": 1},
    )
    engine, job = lab.engine(lab.endpoint("a", context_tokens=8192), lab.endpoint("b", priority=1)), new()
    with pytest.raises(EndpointsNotReady) as raised:
        await engine.ask(question(), lab.ledger(job))
    assert raised.value.delay_s >= 0.2
    await eventually(lambda: is_well(engine, "b"), "the larger one is ready")
    reply = await engine.ask(question(), lab.ledger(job))
    assert (reply.call.endpoint, reply.asked.lost) == ("b", 0)


async def is_well(engine: LanguageEngine, name: str) -> bool:
    return state_of(engine, name).ready_in_s == 0


async def test_request_larger_than_the_quota_of_a_minute_cools_nobody_and_fails_for_good(lab: Lab) -> None:
    says = "Request too large for gpt-4o on tokens per min (TPM): Limit 10000, Requested 20000."
    lab.service.script(action="fail", status=429, message=says, code="rate_limit_exceeded")
    engine = lab.engine()
    with pytest.raises(ContextTooLong, match="more tokens than b takes in a minute"):
        await engine.ask(question(), lab.ledger())
    assert lab.asked_by_key() == {"a": 1, "b": 1}
    assert [state.state for state in engine.states()] == [State.READY, State.READY]


async def test_filtered_answer_is_kept_since_it_is_paid_for(lab: Lab) -> None:
    lab.service.script(action="filter-answer")
    engine, job = lab.engine(), new()
    for _ in range(2):
        with pytest.raises(ContentRefused):
            await engine.ask(question(), lab.ledger(job))
    assert [call.finish_reason for call in (await lab.stored(job)).calls] == ["content_filter"]
    assert lab.asked_by_key() == {"a": 1}


async def test_model_that_knows_only_the_newer_name_of_the_limit_is_told_that_one(lab: Lab) -> None:
    says = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    lab.service.script(action="fail", status=400, code="unsupported_parameter", message=says, times=1)
    engine = lab.engine(lab.endpoint())
    for _ in range(2):
        await engine.ask(question(max_output_tokens=9), lab.ledger())
    limits = [(body.get("max_tokens"), body.get("max_completion_tokens")) for body in lab.bodies()]
    assert limits == [(9, None), (None, 9), (None, 9)]


async def test_first_requests_at_once_all_learn_the_newer_name_of_the_limit(lab: Lab) -> None:
    says = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    refusal = {"action": "fail", "status": 400, "code": "unsupported_parameter", "message": says}
    lab.service.script({**refusal, "times": 4, "delay_s": 0.2})
    engine, begun = lab.engine(lab.endpoint()), Begun(4, held=True)
    await engine.open()
    ledgers = [lab.ledger(begun=begun) for _ in range(4)]
    replies = await asyncio.gather(*(engine.ask(question(), ledger) for ledger in ledgers))
    assert [reply.asked.begun for reply in replies] == [1] * 4
    names = [("max_tokens" in body, "max_completion_tokens" in body) for body in lab.bodies()]
    assert sorted(names) == [(False, True)] * 4 + [(True, False)] * 4


async def test_question_that_one_endpoint_fails_at_between_answers_is_to_blame(lab: Lab) -> None:
    lab.service.script(action="fail", status=500, match={"text": "poison"})
    engine, job = lab.engine(lab.endpoint(), failures_to_open=9), new()
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question("poison"), lab.ledger(job))
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question("poison"), lab.ledger(job))
    await engine.ask(question("food"), lab.ledger())
    with pytest.raises(ModelFailed, match=r"failed at this job, and not for the first time: a \(500\)"):
        await engine.ask(question("poison"), lab.ledger(job))


@pytest.mark.parametrize("status", [429, 503])
async def test_question_that_makes_its_endpoint_busy_each_time_is_to_blame_in_the_end(lab: Lab, status: int) -> None:
    lab.service.script(action="fail", status=status, retry_after_s=0.001, retry_after_as="ms", match={"text": "poison"})
    engine, job = lab.engine(lab.endpoint(), rest_first_s=0.002), new()
    for _ in range(MOST_BUSY - 1):
        with pytest.raises(EndpointsNotReady):
            await engine.ask(question("poison"), lab.ledger(job))
        await eventually(lambda: is_ready(engine), "the endpoint has cooled")
        await engine.ask(question("food"), lab.ledger())
    with pytest.raises(ModelFailed, match=rf"a \({status}\)"):
        await engine.ask(question("poison"), lab.ledger(job))
    assert lab.service.counts()["statuses"][str(status)] == MOST_BUSY
    assert (await lab.stored(job)).lost == 0


async def test_text_that_cannot_be_sent_is_no_fault_of_an_endpoint(lab: Lab) -> None:
    engine = lab.engine()
    with pytest.raises(ModelRequestRefused, match="characters that cannot be sent"):
        await engine.ask(question("half of a pair: \ud800"), lab.ledger())
    assert [state.state for state in engine.states()] == [State.READY, State.READY]


async def test_question_that_may_be_paid_for_again_and_again_costs_attempts(lab: Lab) -> None:
    lab.service.script(action="truncate")
    engine, job = lab.engine(lab.endpoint(), failures_to_open=99), new()
    for _ in range(MOST_LOST - 1):
        with pytest.raises(EndpointsNotReady):
            await engine.ask(question(), lab.ledger(job))
    with pytest.raises(ModelFailed):
        await engine.ask(question(), lab.ledger(job))
    assert (await lab.stored(job)).lost == MOST_LOST


async def test_endpoint_that_is_not_there_was_never_asked(lab: Lab) -> None:
    gone = lab.endpoint("a", url=f"http://127.0.0.1:{free_port()}/v1")
    engine, job = lab.engine(gone), new()
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question(), lab.ledger(job))
    assert state_of(engine).last_error == "connection"
    assert (await lab.stored(job)).lost == 0


async def test_time_limit_holds_while_an_answer_trickles(lab: Lab) -> None:
    lab.service.script(action="drip", drip_s=60.0)
    began_at = time.monotonic()
    with pytest.raises(EndpointsNotReady):
        await lab.engine(lab.endpoint(), call_s=0.5).ask(question(), lab.ledger())
    assert time.monotonic() - began_at < 30


async def test_endpoint_that_dies_and_returns_is_used_again(lab: Lab, run_endpoint: RunEndpoint) -> None:
    with run_endpoint(models=["m"]) as own:
        engine = lab.engine(own.endpoint_settings("own"))
        await engine.ask(question(), lab.ledger())
        own.stop()
        with pytest.raises(EndpointsNotReady):
            await engine.ask(question(), lab.ledger())
        own.start()
        await eventually(lambda: answers(engine, lab), "it answers again")


async def answers(engine: LanguageEngine, lab: Lab) -> bool:
    with contextlib.suppress(EndpointsNotReady):
        return bool((await engine.ask(question(), lab.ledger())).call.text)
    return False
