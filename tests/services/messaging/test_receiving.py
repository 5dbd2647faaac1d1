"""Settling: whether a lease still holds is the broker's to say."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import pytest
import pytest_asyncio

from claimcheck.errors import LeaseLost
from claimcheck.messaging import Delivery, Queues, Receiver
from claimcheck.settings import Settings
from tests.services.messaging.conftest import LEASE, is_empty
from tests.stack.by_hand import ByHand
from tests.stack.stores import Stores

QUEUE: Final = "speech"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture
async def queues(settings: Settings) -> AsyncIterator[Queues]:
    """A queue with one message."""
    queues = Queues(settings.queue, timeout_s=10)
    await queues.send_copy(QUEUE, b"{}", message_id="m", due_at=None)
    yield queues
    await queues.close()


@contextlib.asynccontextmanager
async def receiving(queues: Queues) -> AsyncIterator[Receiver]:
    receiver = queues.receiver(QUEUE)
    try:
        yield receiver
    finally:
        await receiver.close()


async def received(receiver: Receiver) -> Delivery:
    delivery = await receiver.receive(20.0)
    assert delivery is not None
    return delivery


async def test_worker_whose_clock_is_ahead_settles_all_the_same(queues: Queues, stores: Stores) -> None:
    async with receiving(queues) as receiver:
        delivery = await received(receiver)
        await receiver.renew(delivery)
        delivery.received._expiry = LONG_AGO  # what the SDK makes of the lease's end where the clock is ahead
        await receiver.complete(delivery)
        assert is_empty(stores)


async def test_worker_whose_lease_was_given_to_another_learns_it_from_the_broker(
    queues: Queues, by_hand: ByHand
) -> None:
    async with receiving(queues) as first, receiving(queues) as second:
        lost = await received(first)
        by_hand.age(LEASE)
        taken = await received(second)
        with pytest.raises(LeaseLost):
            await first.complete(lost)
        await second.complete(taken)
