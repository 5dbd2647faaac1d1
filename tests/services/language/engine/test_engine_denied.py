"""The engine over the wire: what makes an endpoint fail for good, and what only looks like it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import SecretStr

from claimcheck.errors import ContextTooLong, EndpointsNotReady, ModelFailed, NoEndpoint
from claimcheck.settings import LanguageSettings
from services.worker.engines.language import LanguageEngine, State
from tests.services.language.engine.conftest import KEYS, Lab, events, new, question, state_of
from tests.stack.waiting import eventually


@pytest.mark.parametrize(("status", "questions"), [(401, 1), (403, 2), (404, 2)])
async def test_endpoint_that_denies_us_has_failed(
    lab: Lab, status: int, questions: int, caplog: pytest.LogCaptureFixture
) -> None:
    lab.service.script(action="fail", status=status, times=questions)
    engine = lab.engine(lab.endpoint())
    for _ in range(questions - 1):  # The first may be refused for what it is.
        with pytest.raises(EndpointsNotReady, match="no endpoint that could answer is ready"):
            await engine.ask(question(), lab.ledger())
    for _ in range(2):
        with pytest.raises(EndpointsNotReady, match=rf"refuses this installation: a \({status}\)") as raised:
            await engine.ask(question(), lab.ledger())
        assert 100 < raised.value.delay_s <= 300
    assert lab.asked_by_key() == {"a": questions}
    assert (state_of(engine).state, state_of(engine).last_error) == (State.FAILED, str(status))
    assert engine.next_in_s() > 100, "this worker takes no more jobs meanwhile"
    (told,) = [record for record in caplog.records if record.getMessage() == "endpoint.failed"]
    assert (told.levelno, vars(told)["endpoint"], vars(told)["error"]) == (logging.ERROR, "a", str(status))


async def test_endpoint_that_has_failed_is_tried_again_and_ready_once_it_was_mended(lab: Lab) -> None:
    [rule] = lab.service.script(action="fail", status=402)
    engine, job = lab.engine(lab.endpoint(), failed_rest_s=0.2), new()
    for times in (1, 2):
        await eventually(lambda: may_take_a_job(engine), "it is to be tried")
        with pytest.raises(EndpointsNotReady, match="refuses this installation"):
            await engine.ask(question(), lab.ledger(job))
        assert (state_of(engine).state, lab.asked_by_key()) == (State.FAILED, {"a": times})
    lab.service.remove(rule)
    await eventually(lambda: may_take_a_job(engine), "it is to be tried once more")
    reply = await engine.ask(question(), lab.ledger(job))
    assert (reply.call.endpoint, reply.asked.lost, state_of(engine).state) == ("a", 0, State.READY)


async def test_job_that_is_too_long_for_one_waits_for_a_larger_one_that_has_failed(lab: Lab) -> None:
    lab.service.script(action="too-long", match={"key": "a"})
    [rule] = lab.service.script(action="fail", status=401, match={"key": "b"})
    engine, job = lab.engine(lab.endpoint("a", context_tokens=8000), lab.endpoint("b"), failed_rest_s=0.2), new()
    with pytest.raises(EndpointsNotReady, match=r"refuses this installation: b \(401\)"):
        await engine.ask(question(), lab.ledger(job))
    with pytest.raises(ContextTooLong):
        await engine.ask(question(divisible=True), lab.ledger())
    lab.service.remove(rule)
    await eventually(lambda: is_due(engine, "b"), "b is to be tried")
    assert (await engine.ask(question(), lab.ledger(job))).call.endpoint == "b"


async def may_take_a_job(engine: LanguageEngine) -> bool:
    return engine.next_in_s() == 0


async def is_due(engine: LanguageEngine, name: str) -> bool:
    return state_of(engine, name).ready_in_s == 0


async def test_nothing_is_done_for_a_question_that_nobody_could_be_asked(lab: Lab) -> None:
    engine, (waiting, answered) = lab.engine(lab.endpoint()), (new(), new())
    await engine.ask(question(), lab.ledger(answered))
    await engine.check_ready("answer", lab.ledger(waiting), model=None)
    lab.service.script(action="fail", status=401)
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question(), lab.ledger(waiting))
    with pytest.raises(EndpointsNotReady, match=r"refuses this installation: a \(401\)"):
        await engine.check_ready("answer", lab.ledger(waiting), model=None)
    await engine.check_ready("answer", lab.ledger(answered), model=None)  # Its answer is there.
    with pytest.raises(NoEndpoint):
        await engine.check_ready("answer", lab.ledger(answered), needs=frozenset({"vision"}), model=None)


@pytest.mark.parametrize("has_answered", [True, False])
async def test_denial_of_one_input_is_no_denial_of_us(lab: Lab, has_answered: bool) -> None:
    lab.service.script(action="fail", status=403, message="Your input was flagged", match={"text": "poison"})
    engine, job = lab.engine(lab.endpoint()), new()
    if has_answered:
        await engine.ask(question("food"), lab.ledger())
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question("poison"), lab.ledger(job))
    await engine.ask(question("food"), lab.ledger())
    with pytest.raises(ModelFailed, match=r"a \(403\)"):
        await engine.ask(question("poison"), lab.ledger(job))
    assert state_of(engine).state == State.READY


@pytest.mark.parametrize("key", ["abc\nd", "abc\u2013"])
async def test_endpoint_whose_key_cannot_be_sent_has_failed_and_the_next_one_is_asked(lab: Lab, key: str) -> None:
    first, second = LanguageSettings.model_validate({"endpoints": [lab.endpoint("a"), lab.endpoint("b")]}).endpoints
    # The settings refuse such a key. Whatever else makes a request that cannot be written ends in the same way.
    odd = first.model_copy(update={"key": SecretStr(key)})
    engine = lab.engine_of(LanguageSettings(endpoints=(odd, second)))
    reply = await engine.ask(question(), lab.ledger())
    assert (reply.call.endpoint, reply.asked.lost) == ("b", 0)
    assert (state_of(engine).state, state_of(engine).last_error) == (State.FAILED, "unsendable")
    with pytest.raises(EndpointsNotReady, match=r"refuses this installation: a \(unsendable\)"):
        await engine.ask(question(model="a"), lab.ledger())


class Identities:
    """What a platform offers to a container: tokens of its managed identity, over HTTP on loopback."""

    def __init__(self) -> None:
        self.answers = Counter[int]()
        self.has_identity = True

    async def token(self, request: web.Request) -> web.Response:
        """As App Service and Container Apps give it; the token is the key that the scripted endpoint knows."""
        status = 200 if self.has_identity else 400
        self.answers[status] += 1
        resource = request.query["resource"]
        assert resource == "https://cognitiveservices.azure.com"
        expires_on = str(int(time.time()) + 86_400)
        token = {"access_token": KEYS[0], "token_type": "Bearer", "expires_on": expires_on, "resource": resource}
        return web.json_response(token if self.has_identity else {"error": "invalid_request"}, status=status)


@pytest.fixture
async def identities(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Identities]:
    """This process runs where there are some."""
    identities, app = Identities(), web.Application()
    app.add_routes([web.get("/token", identities.token)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{site.name.rsplit(':', 1)[0]}:{runner.addresses[0][1]}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "a-secret-of-the-platform")
        yield identities
    finally:
        await runner.cleanup()


async def test_identity_is_asked_for_a_token_that_goes_along(lab: Lab, identities: Identities) -> None:
    reply = await lab.engine(lab.endpoint(kind="azure", key=None)).ask(question(), lab.ledger())
    (request,) = lab.service.requests()
    assert (reply.call.endpoint, request["key"]) == ("a", KEYS[0])
    assert identities.answers == {200: 1}


@pytest.mark.parametrize("status", [401, 403])
async def test_identity_that_has_no_role_yet_is_tried_again(lab: Lab, identities: Identities, status: int) -> None:
    lab.service.script(action="fail", status=status, times=1)
    engine, job = lab.engine(lab.endpoint(kind="azure", key=None)), new()
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question(), lab.ledger(job))
    assert (state_of(engine).state, state_of(engine).last_error) == (State.READY, str(status))
    assert identities.answers == {200: 1}, "it had a token, and the service refused it"
    reply = await engine.ask(question(), lab.ledger(job))
    assert (reply.call.endpoint, reply.asked.lost) == ("a", 0)


async def test_identity_whose_role_stays_missing_rests_and_has_never_failed(
    lab: Lab, identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    lab.service.script(action="fail", status=401)
    engine = lab.engine(lab.endpoint(kind="azure", key=None), failures_to_open=2, rest_first_s=60.0, rest_max_s=60.0)
    for _ in range(3):
        with pytest.raises(EndpointsNotReady):
            await engine.ask(question(), lab.ledger())
    assert (lab.asked_by_key(), identities.answers) == ({"a": 2}, {200: 1})
    assert (state_of(engine).state, state_of(engine).last_error) == (State.RESTING, "401")
    assert events(caplog, "endpoint.resting", "endpoint.failed") == ["endpoint.resting"]


async def test_identity_that_gives_no_token_is_asked_again(lab: Lab, identities: Identities) -> None:
    identities.has_identity = False
    engine, job = lab.engine(lab.endpoint(kind="azure", key=None), call_s=20.0), new()
    with pytest.raises(EndpointsNotReady):
        await engine.ask(question(), lab.ledger(job))
    assert (state_of(engine).state, state_of(engine).last_error) == (State.READY, "no-token")
    assert lab.service.counts()["asked"] == 0
    assert identities.answers[400] >= 1
    identities.has_identity = True
    reply = await engine.ask(question(), lab.ledger(job))
    assert (reply.call.endpoint, reply.asked.lost) == ("a", 0)
