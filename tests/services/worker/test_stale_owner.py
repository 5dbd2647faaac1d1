"""A runner that somebody has taken the job from, and that does not know it yet: whatever it writes is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from claimcheck import protocol
from claimcheck.announcing import Announcer
from claimcheck.errors import WriteRefused
from claimcheck.settlements import Advance, FailJob, PutBack, Settlement, Succeed
from claimcheck.writes import heartbeat
from services.worker.begin import Beginner, Begun
from services.worker.settle import Settler
from tests.services.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_A_BLOB = "x" * 300 * 1024
LATER = timedelta(minutes=5)


@dataclass
class Contest:
    """Two owners of one delivery, and what settles for them."""

    settler: Settler
    stale: Begun
    owner: Begun


async def contested(bench: Bench) -> Contest:
    """Take a job, and take it over as the next delivery of the same message does."""
    announcer = Announcer(bench.records, bench.queues)
    beginner = Beginner(bench.records, announcer, bench.settings.job)
    settler = Settler(
        kind="speech",
        records=bench.records,
        blobs=bench.blobs,
        queues=bench.queues,
        announcer=announcer,
        settings=bench.settings.job,
    )
    message = protocol.message_for(await bench.job("probe"))
    await bench.queues.send("speech", message)
    delivery = await bench.receiver.receive(10.0)
    assert delivery is not None
    stale = await beginner.begin(delivery, message, fast=True)
    owner = await beginner.begin(delivery, message, fast=False)
    await bench.receiver.complete(delivery)
    assert stale is not None
    assert owner is not None
    assert stale.owner != owner.owner
    return Contest(settler, stale, owner)


def settlements(begun: Begun) -> dict[str, Settlement]:
    """Every way to write the job."""
    again = begun.message.model_copy(update={"attempt": 2})
    return {
        "succeed": Succeed({"text": "stale"}),
        "succeed with a blob": Succeed({"text": IN_A_BLOB}),
        "fail": FailJob({"type": "stale"}),
        "retry": PutBack(again, datetime.now(UTC) + LATER),
        "hand back": PutBack(begun.message.model_copy(update={"turn": 1})),
        "advance": Advance("probe", 0),
    }


@pytest.mark.parametrize("way", ["succeed", "succeed with a blob", "fail", "retry", "hand back", "advance"])
async def test_settlement_by_a_stale_owner_is_refused_and_leaves_no_trace(bench: Bench, way: str) -> None:
    contest = await contested(bench)
    job = contest.owner.job
    before = await bench.record(job)
    with pytest.raises(WriteRefused):
        await contest.settler.settle(contest.stale, settlements(contest.stale)[way])
    assert await bench.record(job) == before
    assert await bench.waiting() == []
    names = [blob.name async for page in bench.blobs.pages("results/") for blob in page.blobs]
    assert not [name for name in names if job.job_id in name]

    await contest.settler.settle(contest.owner, Succeed({"text": "mine"}))
    assert await bench.result(job) == {"text": "mine"}


async def test_heartbeat_of_a_stale_owner_is_refused(bench: Bench) -> None:
    contest = await contested(bench)
    job = contest.owner.job
    with pytest.raises(WriteRefused):
        await bench.records.write(job.tenant, job.job_id, heartbeat(contest.stale.owner, 0.9, datetime.now(UTC)))
    await bench.records.write(job.tenant, job.job_id, heartbeat(contest.owner.owner, 0.1, datetime.now(UTC)))
