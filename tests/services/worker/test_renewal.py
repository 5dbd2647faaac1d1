"""A stage that takes longer than its message's lock: the lease is renewed for as long as it runs."""

from __future__ import annotations

import pytest

from claimcheck import protocol
from claimcheck.job import Status
from tests.services.worker.conftest import Bench
from tests.stack.names import LOCK_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def lock_s() -> float:
    """The shortest."""
    return LOCK_S


@pytest.fixture(scope="module")
def renew_s() -> float:
    """Early: most of the lock is left for a renewal that is late."""
    return 0.5


async def test_lease_is_renewed_for_as_long_as_the_stage_runs(bench: Bench) -> None:
    job = await bench.job("probe", {"seconds": 1.6 * LOCK_S})
    await bench.deliver(protocol.message_for(job))
    after = await bench.record(job)
    assert (after.status, after.attempt) == (Status.SUCCEEDED, 1)
    assert await bench.waiting() == []
