"""`/_emulator/age`: what time does to a queue, without waiting for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError

from .harness import Namespace, Sdk, receive_one, text

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOUR_S = 3600


async def test_aging_ends_locks_whose_time_is_over_and_counts_the_delivery(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, receiver = await aio.fresh(namespace, LockDuration="PT5M")
    await sender.send_messages(ServiceBusMessage("x"))
    first = await receive_one(receiver)
    namespace.age(queue, 200)
    assert namespace.counts(queue)["locked"] == 1
    namespace.age(queue, 101)
    with pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(first)
    assert (await receive_one(receiver)).delivery_count == 1


async def test_scheduled_message_comes_due_by_aging(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    due_at = datetime.now(UTC) + timedelta(hours=1)
    await sender.send_messages(ServiceBusMessage("x", scheduled_enqueue_time_utc=due_at))
    namespace.age(queue, HOUR_S - 60)
    assert namespace.counts(queue)["scheduled"] == 1
    namespace.age(queue, 61)
    assert text(await receive_one(receiver)) == "x"


async def test_id_is_forgotten_once_it_is_as_old_as_the_window(namespace: Namespace, aio: Sdk) -> None:
    asked = {"RequiresDuplicateDetection": "true", "DuplicateDetectionHistoryTimeWindow": "PT10M"}
    queue, sender, _ = await aio.fresh(namespace, **asked)
    for aged_s, active in ((0, 1), (500, 1), (101, 2)):
        namespace.age(queue, aged_s)
        await sender.send_messages(ServiceBusMessage("x", message_id="the same"))
        assert namespace.counts(queue)["active"] == active


async def test_enqueued_time_is_as_much_earlier_and_lifetimes_run_out(namespace: Namespace, aio: Sdk) -> None:
    asked = {"DefaultMessageTimeToLive": "PT2H", "DeadLetteringOnMessageExpiration": "true"}
    queue, sender, receiver = await aio.fresh(namespace, **asked)
    await sender.send_messages(ServiceBusMessage("x"))
    namespace.age(queue, HOUR_S)
    (peeked,) = await receiver.peek_messages(1)
    assert datetime.now(UTC) - peeked.enqueued_time_utc >= timedelta(hours=1)
    namespace.age(queue, HOUR_S)
    assert namespace.counts(queue)["dead_lettered"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"entity": "no-such-queue", "seconds": 1}, 404),
        ({"entity": "no-such-queue", "seconds": -1}, 400),
        ({"entity": "no-such-queue"}, 400),
        ([], 400),
    ],
)
async def test_what_cannot_be_aged_is_refused(namespace: Namespace, body: Any, status: int) -> None:
    assert namespace.http("POST", "_emulator/age", str(body).replace("'", '"').encode())[0] == status
