"""A lease that is kept, lost, or whose keeper fails, with a real delivery."""

from __future__ import annotations

import asyncio

import pytest

from claimcheck import protocol
from claimcheck.errors import LeaseLost
from claimcheck.messaging import Delivery
from services.worker.lease import Check, Lease, Overtaken
from tests.services.worker.conftest import Bench

RENEW_S = 0.5

pytestmark = pytest.mark.asyncio(loop_scope="module")


def lease_of(bench: Bench, delivery: Delivery) -> Lease:
    """A lease that is soon renewed."""
    return Lease(bench.receiver, delivery, bench.settings.queue.model_copy(update={"renew_s": RENEW_S}))


async def leased(bench: Bench) -> Delivery:
    """A delivery that nobody has begun."""
    await bench.queues.send("speech", protocol.message_for(await bench.job("probe")))
    delivery = await bench.receiver.receive(10.0)
    assert delivery is not None
    return delivery


async def for_ever(lease: Lease, check: Check) -> None:
    """A body that only the lease ends."""
    async with lease.kept():
        with lease.checking(check):
            await asyncio.Event().wait()


async def test_body_is_stopped_at_once_when_the_job_is_overtaken(bench: Bench) -> None:
    delivery = await leased(bench)
    lease = lease_of(bench, delivery)

    async def overtaken() -> None:
        raise Overtaken("cancelled")

    with pytest.raises(Overtaken):
        await for_ever(lease, overtaken)
    await bench.receiver.complete(delivery)


async def test_keeper_that_fails_stops_the_body_rather_than_let_it_run_without_a_lease(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = await leased(bench)
    lease = lease_of(bench, delivery)

    async def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(LeaseLost):
        await for_ever(lease, bug)
    assert "lease.keeper_failed" in caplog.messages
    await bench.receiver.complete(delivery)


async def test_lease_that_someone_else_ended_is_lost_at_the_next_renewal(bench: Bench) -> None:
    delivery = await leased(bench)
    lease = lease_of(bench, delivery)
    await bench.receiver.complete(delivery)

    async def nothing() -> None:
        raise AssertionError("a lease that is lost is not checked")

    with pytest.raises(LeaseLost):
        await for_ever(lease, nothing)


async def test_error_of_the_body_leaves_the_lease_as_it_is(bench: Bench) -> None:
    delivery = await leased(bench)
    with pytest.raises(KeyError):
        async with lease_of(bench, delivery).kept():
            raise KeyError
    await bench.receiver.complete(delivery)
