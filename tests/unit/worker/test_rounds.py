"""services/worker/keeper/rounds.py: how long a keeper waits, and that nothing ends its rounds."""

from __future__ import annotations

import asyncio
import logging

import pytest

from claimcheck.errors import RecordsUnavailable
from services.worker.keeper.rounds import Rounds, pause_s


@pytest.mark.parametrize(
    ("failures", "jitter", "expected_s"),
    [
        pytest.param(0, 0.0, 270.0, id="all is well, earliest"),
        pytest.param(0, 0.5, 300.0, id="all is well"),
        pytest.param(1, 0.0, 1.0, id="first failure, earliest"),
        pytest.param(1, 1.0, 2.0, id="first failure, latest"),
        pytest.param(4, 1.0, 16.0, id="it doubles"),
        pytest.param(10**6, 0.0, 150.0, id="down for long, earliest"),
        pytest.param(10**6, 1.0, 300.0, id="down for long: never later than an ordinary round"),
    ],
)
def test_failed_round_is_tried_again_sooner_and_each_time_later_than_before(
    failures: int, jitter: float, expected_s: float
) -> None:
    assert pause_s(300.0, failures=failures, jitter=jitter) == pytest.approx(expected_s)


@pytest.mark.parametrize("error", [RecordsUnavailable("away"), ZeroDivisionError("a bug")])
async def test_round_that_fails_does_not_end_the_rounds(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    ran, well = 0, asyncio.Event()

    async def once() -> None:
        nonlocal ran
        ran += 1
        if ran == 1:
            raise error
        well.set()

    task = asyncio.create_task(Rounds("test", 0.01, once).run())
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(well.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {record.message for record in caplog.records} & {"round.failed", "round.crashed"}
