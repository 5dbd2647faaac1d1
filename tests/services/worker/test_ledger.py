"""What models were asked and answered: kept once, counted once, whoever writes and whichever answer is lost."""

from __future__ import annotations

import asyncio

import pytest

from claimcheck.errors import AnswerInvalid
from claimcheck.job import Job
from claimcheck.language import Asked, Call, usage_of
from services.worker.drain import Drain
from services.worker.lease import Overtaken
from services.worker.patience import Patience
from services.worker.stage_ledger import StageLedger
from tests.services.worker.conftest import Bench
from tests.stack.names import Names
from tests.stack.services import Services
from tests.stack.stores import Stores

pytestmark = pytest.mark.asyncio(loop_scope="module")

TTL_S = 3600


def ledger_of(bench: Bench, job: Job, part: int | None = None) -> StageLedger:
    """The ledger as one delivery has it."""
    return StageLedger(job, "language", part, items=bench.records.asked, patience=Patience(Drain(25.0)), ttl_s=TTL_S)


def answer(text: str = "forty-two") -> Call:
    """An answer of ten tokens."""
    return Call(
        text=text, endpoint="one", model="m-1", finish_reason="stop", input_tokens=7, output_tokens=10, latency_s=0.5
    )


async def stored(bench: Bench, job: Job) -> list[Asked]:
    """What is there."""
    return await bench.records.asked.of_job(job)


@pytest.fixture
def stores(bench: Bench, services: Services) -> Stores:
    """The bench's records, where requests can be struck."""
    return Stores(services, Names(container=bench.settings.records.database, queues={}))


async def test_question_is_noted_before_it_is_asked_and_its_answer_kept(bench: Bench) -> None:
    job = await bench.job("probe")
    ledger = ledger_of(bench, job)
    asked = await ledger.begin("answer")
    assert [(item.begun, item.calls, item.lost, item.ttl) for item in await stored(bench, job)] == [(1, (), 1, TTL_S)]
    kept = await ledger.keep(asked, answer())
    assert (kept.begun, kept.calls, kept.lost) == (1, (answer(),), 0)
    assert await ledger.all() == [kept]


async def test_request_of_a_delivery_that_died_is_counted_as_lost(bench: Bench) -> None:
    job = await bench.job("probe")
    await ledger_of(bench, job).begin("answer")
    next_delivery = ledger_of(bench, job)
    asked = await next_delivery.begin("answer")
    assert (asked.begun, asked.calls) == (2, ())
    await next_delivery.keep(asked, answer())
    usage = usage_of(await next_delivery.all(), currency="USD")
    assert (usage.requests, usage.lost_requests, usage.output_tokens) == (1, 1, 10)


async def test_answer_of_a_delivery_that_died_is_found_and_nothing_is_counted(bench: Bench) -> None:
    job = await bench.job("probe")
    first = ledger_of(bench, job)
    kept = await first.keep(await first.begin("answer"), answer())
    assert await ledger_of(bench, job).begin("answer") == kept


async def test_second_request_for_one_question_is_counted(bench: Bench) -> None:
    job = await bench.job("probe")
    ledger = ledger_of(bench, job)
    asked = await ledger.keep(await ledger.begin("answer"), answer("no JSON"))
    repair = await ledger.again(asked)
    assert (repair.begun, repair.lost) == (2, 1)
    kept = await ledger.keep(repair, answer("{}"))
    assert ([call.text for call in kept.calls], kept.lost) == (["no JSON", "{}"], 0)


async def test_request_that_was_seen_to_fail_is_not_lost(bench: Bench) -> None:
    job = await bench.job("probe")
    ledger = ledger_of(bench, job)
    withdrawn = await ledger.withdraw(await ledger.begin("answer"))
    assert (withdrawn.begun, withdrawn.lost) == (0, 0)
    assert (await ledger.withdraw(withdrawn)).begun == 0
    assert (await ledger_of(bench, job).begin("answer")).begun == 1


async def test_of_two_deliveries_at_once_both_answers_are_kept_and_the_first_stays_first(bench: Bench) -> None:
    job = await bench.job("probe")
    one, other = ledger_of(bench, job), ledger_of(bench, job)
    ones = await one.begin("answer")
    others = await other.begin("answer")
    await other.keep(others, answer("the first"))
    kept = await one.keep(ones, answer("the second"))
    assert ([call.text for call in kept.calls], kept.begun, kept.lost) == (["the first", "the second"], 2, 0)


async def test_who_would_ask_again_is_shown_the_answer_that_has_come_meanwhile(bench: Bench) -> None:
    job = await bench.job("probe")
    one, other = ledger_of(bench, job), ledger_of(bench, job)
    ones = await one.begin("answer")
    kept = await other.keep(await other.begin("answer"), answer())
    assert await one.again(ones) == kept


async def test_writers_at_once_lose_no_count(bench: Bench) -> None:
    job = await bench.job("probe")
    asked = await ledger_of(bench, job).begin("answer")
    await asyncio.gather(*(ledger_of(bench, job).again(asked) for _ in range(5)))
    assert [item.begun for item in await stored(bench, job)] == [6]


# Once: the SDK repeats the request and meets its own write. Often: it gives up, and the whole call is made again.
@pytest.mark.parametrize("times", [1, 20])
async def test_create_whose_answer_was_lost_is_counted_once(bench: Bench, stores: Stores, times: int) -> None:
    job = await bench.job("probe")
    with stores.records_fault(kind="create", action="commit-then-fail", error="503", times=times):
        asked = await ledger_of(bench, job).begin("answer")
    assert (asked.begun, asked.calls) == (1, ())


@pytest.mark.parametrize("times", [1, 20])
async def test_write_whose_answer_was_lost_is_made_once(bench: Bench, stores: Stores, times: int) -> None:
    job = await bench.job("probe")
    ledger = ledger_of(bench, job)
    asked = await ledger.begin("answer")
    with stores.records_fault(kind="replace", action="commit-then-fail", error="503", times=times):
        kept = await ledger.keep(asked, answer())
    assert kept.calls == (answer(),)
    with stores.records_fault(kind="replace", action="commit-then-fail", error="503", times=times):
        assert (await ledger.again(kept)).begun == 2


async def test_what_is_found_is_not_counted(bench: Bench) -> None:
    ledger = ledger_of(bench, await bench.job("probe"))
    assert await ledger.find("answer") is None
    begun = await ledger.begin("answer")
    assert await ledger.find("answer") == begun


async def test_write_whose_answer_was_lost_is_made_once_also_if_somebody_wrote_after_it(bench: Bench) -> None:
    job = await bench.job("probe")
    one, other = ledger_of(bench, job), ledger_of(bench, job)
    asked = await one.begin("answer")
    await one.keep(asked, answer())
    theirs = await other.again(await other.begin("answer"))
    # The first does not know yet that its write was made.
    assert await one.keep(asked, answer()) == theirs
    # An answer to a later request counts, be it the same.
    assert (await other.keep(theirs, answer())).calls == (answer(), answer())


async def test_answer_that_is_too_long_to_be_kept_fails_the_job_for_good(bench: Bench) -> None:
    job = await bench.job("probe")
    ledger = ledger_of(bench, job)
    asked = await ledger.begin("answer")
    with pytest.raises(AnswerInvalid, match=r"cannot be kept: it has 1,900,\d{3} bytes; the limit is 1,900,000"):
        await ledger.keep(asked, answer("x" * (1_900_000 - 300)))
    assert [item.calls for item in await stored(bench, job)] == [()]


async def test_questions_of_stages_parts_and_earlier_jobs_of_the_id_do_not_mix(bench: Bench) -> None:
    job = await bench.job("probe")
    earlier = job.model_copy(update={"created_at": job.created_at.replace(year=2020)})
    for of, part in ((job, 10), (job, 9), (job, None), (earlier, None)):
        ledger = ledger_of(bench, of, part)
        await ledger.keep(await ledger.begin("window"), answer())
    assert [(item.part, item.begun) for item in await ledger_of(bench, job).all()] == [(None, 1), (9, 1), (10, 1)]
    assert usage_of(await stored(bench, job), currency="USD").requests == 3


async def test_question_of_an_erased_job_stops_its_run(bench: Bench) -> None:
    job = await bench.job("probe")
    ledger = ledger_of(bench, job)
    asked = await ledger.begin("answer")
    await bench.records.erase_others(job.tenant, job.job_id)
    assert await stored(bench, job) == []
    with pytest.raises(Overtaken):
        await ledger.keep(asked, answer())
