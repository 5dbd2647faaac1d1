"""Receiving and settling: locks, counts, the dead-letter queue, deferral, browsing."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError, ServiceBusError

from .harness import Namespace, Sdk, receive, receive_one, text

pytestmark = pytest.mark.asyncio(loop_scope="session")
LEEWAY = timedelta(seconds=1)
"""By how much the emulator's clock may be off."""


async def send(sender: Any, *bodies: str) -> None:
    await sender.send_messages([ServiceBusMessage(body) for body in bodies])


async def dead_letter_receiver(sdk: Any, namespace: Namespace, queue: str, **options: Any) -> Any:
    return await sdk.receiver(namespace, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER, **options)


async def test_a_received_message_is_locked_until_it_is_completed(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    earliest = datetime.now(UTC) - LEEWAY
    message = await receive_one(receiver)
    assert earliest <= message.locked_until_utc - timedelta(seconds=60) <= datetime.now(UTC) + LEEWAY
    counts = namespace.counts(queue)
    assert (counts["active"], counts["locked"]) == (0, 1)
    await receiver.complete_message(message)
    assert namespace.counts(queue)["locked"] == 0
    assert namespace.counts(queue)["totals"]["completed"] == 1


async def test_receiving_from_an_empty_queue_ends_after_the_wait(namespace: Namespace, sdk: Any) -> None:
    _, _, receiver = await sdk.fresh(namespace)
    assert await receiver.receive_messages(max_wait_time=0.3) == []


async def test_a_waiting_receiver_gets_a_message_when_it_comes(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    waiting = asyncio.ensure_future(receive_one(receiver))
    await send(sender, "x")
    assert text(await waiting) == "x"


async def test_an_abandoned_message_comes_back_first_and_its_delivery_is_counted(
    namespace: Namespace, sdk: Any
) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "first", "second")
    for delivery_count in range(3):
        message = await receive_one(receiver)
        assert (text(message), message.sequence_number, message.delivery_count) == ("first", 1, delivery_count)
        await receiver.abandon_message(message)


async def test_the_maximum_delivery_count_ends_in_the_dead_letter_queue(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace, MaxDeliveryCount=2)
    dead = await dead_letter_receiver(sdk, namespace, queue)
    await send(sender, "x")
    for _ in range(2):
        await receiver.abandon_message(await receive_one(receiver))
    letter = await receive_one(dead)
    assert letter.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert letter.dead_letter_error_description == "Message could not be consumed after 2 delivery attempts."
    assert letter.sequence_number == 1


async def test_a_dead_letter_keeps_number_body_and_properties_and_gains_a_reason(
    namespace: Namespace, sdk: Any
) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "before")
    await sender.send_messages(ServiceBusMessage("x", message_id="id", application_properties={"own": "kept"}))
    first, second = await receive(receiver, 2)
    await receiver.dead_letter_message(second, reason="undecodable", error_description="not a message of ours")
    await receiver.complete_message(first)
    dead = await dead_letter_receiver(sdk, namespace, queue)
    letter = await receive_one(dead)
    assert (text(letter), letter.message_id, letter.sequence_number) == ("x", "id", 2)
    assert letter.application_properties[b"own"] == b"kept"
    assert (letter.dead_letter_reason, letter.dead_letter_error_description) == ("undecodable", "not a message of ours")
    assert namespace.counts(queue)["dead_lettered"] == 1
    await dead.complete_message(letter)
    assert namespace.counts(queue)["dead_lettered"] == 0


async def test_a_dead_letter_without_a_reason_carries_none(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    await receiver.dead_letter_message(await receive_one(receiver))
    letter = await receive_one(await dead_letter_receiver(sdk, namespace, queue))
    assert letter.dead_letter_reason is None


async def test_an_abandoned_dead_letter_stays_a_dead_letter(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace, MaxDeliveryCount=1)
    dead = await dead_letter_receiver(sdk, namespace, queue)
    await send(sender, "x")
    await receiver.abandon_message(await receive_one(receiver))
    for _ in range(3):
        await dead.abandon_message(await receive_one(dead))
    assert namespace.counts(queue)["dead_lettered"] == 1


async def test_a_dead_letter_cannot_be_dead_lettered_again(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    await receiver.dead_letter_message(await receive_one(receiver))
    dead = await dead_letter_receiver(sdk, namespace, queue)
    with pytest.raises(ServiceBusError, match="amqp:not-allowed"):
        await dead.dead_letter_message(await receive_one(dead))


async def test_a_lock_that_expires_gives_the_message_back_and_counts(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace, LockDuration="PT5M")
    await send(sender, "x")
    first = await receive_one(receiver)
    namespace.age(queue, 200)
    assert namespace.counts(queue)["locked"] == 1
    namespace.age(queue, 101)
    again = await receive_one(receiver)
    assert (again.sequence_number, again.delivery_count) == (first.sequence_number, 1)
    assert again.lock_token != first.lock_token
    await receiver.complete_message(again)


async def test_settling_after_the_lock_was_lost_says_so(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace, LockDuration="PT0.6S")
    await send(sender, "x")
    message = await receive_one(receiver)
    await namespace.until(queue, locked=0)
    # The SDK compares the lock's end with the clock itself; this makes it ask the service.
    message._expiry = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(message)
    assert namespace.counts(queue)["active"] == 1


async def test_renewing_a_lock_starts_its_duration_again(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace, LockDuration="PT5M")
    await send(sender, "x")
    message = await receive_one(receiver)
    for _ in range(2):
        namespace.age(queue, 200)
        earliest = datetime.now(UTC) - LEEWAY
        assert await receiver.renew_message_lock(message) >= earliest + timedelta(minutes=5)
    assert await receiver.receive_messages(max_wait_time=0.1) == []
    await receiver.complete_message(message)
    assert namespace.counts(queue)["totals"] == {"sent": 1, "completed": 1}


async def test_renewing_a_lost_lock_says_so(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    message = await receive_one(receiver)
    await receiver.abandon_message(message)
    message._settled = False
    with pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(message)


async def test_a_deferred_message_is_received_by_its_number_only(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    message = await receive_one(receiver)
    await receiver.defer_message(message)
    assert namespace.counts(queue)["deferred"] == 1
    assert await receiver.receive_messages(max_wait_time=0.3) == []
    (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
    assert (text(deferred), deferred.state, deferred.delivery_count) == ("x", ServiceBusMessageState.DEFERRED, 1)
    with pytest.raises(MessageNotFoundError):
        await receiver.receive_deferred_messages(message.sequence_number)
    await receiver.complete_message(deferred)
    assert namespace.counts(queue)["deferred"] == 0


async def test_an_abandoned_deferred_message_stays_deferred(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    message = await receive_one(receiver)
    await receiver.defer_message(message)
    (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
    await receiver.abandon_message(deferred)
    assert namespace.counts(queue)["deferred"] == 1
    (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
    assert deferred.delivery_count == 2
    await receiver.dead_letter_message(deferred, reason="no")
    assert namespace.counts(queue)["dead_lettered"] == 1


async def test_only_deferred_messages_can_be_asked_for_by_number(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    with pytest.raises(MessageNotFoundError):
        await receiver.receive_deferred_messages([1])


async def test_peek_shows_active_locked_deferred_and_scheduled_messages_ascending(
    namespace: Namespace, sdk: Any
) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "deferred", "locked", "active")
    await sender.schedule_messages(ServiceBusMessage("scheduled"), datetime.now(UTC) + timedelta(hours=1))
    deferred, _ = await receive(receiver, 2)
    await receiver.defer_message(deferred)
    seen = await receiver.peek_messages(10, sequence_number=1)
    states = ServiceBusMessageState
    assert [(m.sequence_number, text(m), m.state) for m in seen] == [
        (1, "deferred", states.DEFERRED),
        (2, "locked", states.ACTIVE),
        (3, "active", states.ACTIVE),
        (4, "scheduled", states.SCHEDULED),
    ]
    assert all(message.locked_until_utc is None for message in seen), "a browser is not told of locks"


async def test_peek_goes_on_behind_a_number_and_ends_with_nothing(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    await sender.send_messages([ServiceBusMessage(str(n)) for n in range(5)])
    pages, after = [], 0
    while page := await receiver.peek_messages(2, sequence_number=after + 1):
        pages.append([m.sequence_number for m in page])
        after = pages[-1][-1]
    assert pages == [[1, 2], [3, 4], [5]]


async def test_one_peek_returns_at_most_250_messages(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    await sender.send_messages([ServiceBusMessage("x") for _ in range(251)])
    assert len(await receiver.peek_messages(1000)) == 250


async def test_dead_letters_can_be_browsed(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await send(sender, "x")
    await receiver.dead_letter_message(await receive_one(receiver), reason="r")
    dead = await dead_letter_receiver(sdk, namespace, queue)
    assert [m.dead_letter_reason for m in await dead.peek_messages(5)] == ["r"]


async def test_receive_and_delete_removes_what_it_hands_out(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    sender, receiver = await sdk.pair(namespace, queue, receive_mode=mode)
    await send(sender, "x")
    assert text(await receive_one(receiver)) == "x"
    counts = namespace.counts(queue)
    assert (counts["active"], counts["locked"]) == (0, 0)


async def test_prefetch_locks_ahead_as_far_as_its_credit(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    sender, receiver = await sdk.pair(namespace, queue, prefetch_count=4)
    await sender.send_messages([ServiceBusMessage(str(n)) for n in range(20)])
    await receive_one(receiver)
    counts = namespace.counts(queue)
    assert 5 <= counts["locked"] <= 7, "prefetch + 1, and what was received since"


async def test_a_receiver_that_closes_releases_what_it_prefetched_uncounted(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    sender, receiver = await sdk.pair(namespace, queue, prefetch_count=10)
    await sender.send_messages([ServiceBusMessage(str(n)) for n in range(5)])
    message = await receive_one(receiver)
    await receiver.complete_message(message)
    await receiver.close()
    await namespace.until(queue, active=4, locked=0)
    second = await sdk.receiver(namespace, queue)
    assert [(text(m), m.delivery_count) for m in await receive(second, 4)] == [(str(n), 0) for n in range(1, 5)]


async def test_locks_outlive_a_lost_connection_until_they_expire(namespace: Namespace, aio: Sdk) -> None:
    queue = namespace.queue(LockDuration="PT1.5S")
    sender, receiver = await aio.pair(namespace, queue)
    await send(sender, "x")
    received_at = time.monotonic()
    message = await receive_one(receiver)
    # The socket breaks without a word from the client.
    receiver._wrapped._handler._connection._transport.writer.transport.abort()
    second = await aio.receiver(namespace, queue)
    again = await receive_one(second)
    assert time.monotonic() - received_at >= 1.4
    assert (again.sequence_number, again.delivery_count) == (message.sequence_number, 1)


async def test_two_receivers_share_the_messages_of_a_queue(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    sender, first, second = await asyncio.gather(
        sdk.sender(namespace, queue), sdk.receiver(namespace, queue), sdk.receiver(namespace, queue)
    )
    await sender.send_messages([ServiceBusMessage(str(n)) for n in range(4)])
    mine, theirs = await receive(first, 2), await receive(second, 2)
    assert sorted(text(m) for m in mine + theirs) == ["0", "1", "2", "3"]


async def test_a_session_receiver_is_refused(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    client = sdk.client(namespace)
    wanted = [
        client.get_queue_receiver(queue, session_id="s"),
        client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5),
    ]
    for refusal in await asyncio.gather(*map(sdk.opened, wanted), return_exceptions=True):
        assert isinstance(refusal, ServiceBusError)
        assert "amqp:not-allowed" in str(refusal)


async def test_an_expired_message_disappears(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await sender.send_messages(ServiceBusMessage("x", time_to_live=timedelta(seconds=1)))
    await namespace.until(queue, active=0)
    assert namespace.counts(queue)["totals"]["expired"] == 1
    assert namespace.counts(queue)["dead_lettered"] == 0
    assert await receiver.receive_messages(max_wait_time=0.2) == []


async def test_an_expired_message_becomes_a_dead_letter_where_the_queue_says_so(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue(DeadLetteringOnMessageExpiration="true", DefaultMessageTimeToLive="PT0.5S")
    sender, dead = await asyncio.gather(sdk.sender(namespace, queue), dead_letter_receiver(sdk, namespace, queue))
    await sender.send_messages(ServiceBusMessage("x", time_to_live=timedelta(hours=1)))
    letter = await receive_one(dead)
    assert letter.dead_letter_reason == "TTLExpiredException"
    assert letter.time_to_live == timedelta(seconds=0.5), "the shorter of both lifetimes counts"
    await dead.abandon_message(letter)
    assert text(await receive_one(dead)) == "x", "time to live is not observed among dead letters"


async def test_a_locked_message_outlives_its_time_until_the_lock_ends(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace, DefaultMessageTimeToLive="PT1M", LockDuration="PT5M")
    await sender.send_messages([ServiceBusMessage("x"), ServiceBusMessage("y")])
    kept, lost = await receive(receiver, 2)
    namespace.age(queue, 61)
    assert namespace.counts(queue)["locked"] == 2
    await receiver.complete_message(kept)
    await receiver.abandon_message(lost)
    assert namespace.counts(queue)["totals"]["expired"] == 1


async def test_a_deferred_message_expires_when_it_is_asked_for(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(
        namespace, DefaultMessageTimeToLive="PT1M", DeadLetteringOnMessageExpiration="true"
    )
    await send(sender, "x")
    message = await receive_one(receiver)
    await receiver.defer_message(message)
    namespace.age(queue, 61)
    assert namespace.counts(queue)["deferred"] == 1, "nothing happens by itself"
    with pytest.raises(MessageNotFoundError):
        await receiver.receive_deferred_messages(message.sequence_number)
    assert namespace.counts(queue)["dead_lettered"] == 1


async def test_time_to_live_of_a_scheduled_message_starts_when_it_becomes_active(
    namespace: Namespace, sdk: Any
) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    message = ServiceBusMessage("x", time_to_live=timedelta(minutes=30))
    await sender.schedule_messages(message, datetime.now(UTC) + timedelta(hours=1))
    namespace.age(queue, 3601)
    assert text(await receive_one(receiver)) == "x"
