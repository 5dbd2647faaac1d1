"""Sending, scheduling, duplicates, limits: what the service does before anyone receives."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageProperties
from azure.servicebus.exceptions import (
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from .harness import Namespace, receive, receive_one, text

pytestmark = pytest.mark.asyncio(loop_scope="session")


def in_s(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_a_message_arrives_with_all_its_properties(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    sent = ServiceBusMessage(
        "body",
        message_id="id-1",
        correlation_id="job-1",
        subject="subject",
        content_type="text/plain",
        to="to",
        reply_to="reply-to",
        partition_key="key",
        time_to_live=timedelta(hours=1),
        application_properties={"text": "ä", "number": 7, "real": 0.5, "flag": True, "bytes": b"\x00"},
    )
    await sender.send_messages(sent)
    got = await receive_one(receiver)
    assert (text(got), got.message_id, got.correlation_id, got.subject) == ("body", "id-1", "job-1", "subject")
    assert (got.content_type, got.to, got.reply_to) == ("text/plain", "to", "reply-to")
    assert (got.partition_key, got.time_to_live) == ("key", timedelta(hours=1))
    assert got.application_properties == {
        b"text": "ä".encode(), b"number": 7, b"real": 0.5, b"flag": True, b"bytes": b"\x00"
    }  # fmt: skip
    assert (got.sequence_number, got.enqueued_sequence_number, got.delivery_count) == (1, 1, 0)
    assert got.state is ServiceBusMessageState.ACTIVE
    assert got.expires_at_utc - got.enqueued_time_utc == timedelta(hours=1)


async def test_a_batch_becomes_single_messages_in_its_order(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    batch = await sender.create_message_batch()
    for number in range(5):
        batch.add_message(ServiceBusMessage(str(number)))
    await sender.send_messages(batch)
    await sender.send_messages([ServiceBusMessage("5"), ServiceBusMessage("6")])
    got = await receive(receiver, 7)
    assert [(text(m), m.sequence_number) for m in got] == [(str(n), n + 1) for n in range(7)]


async def test_a_message_of_200_kb_travels_in_several_frames_both_ways(namespace: Namespace, sdk: Any) -> None:
    _, sender, receiver = await sdk.fresh(namespace)
    body = bytes(range(256)) * 800
    await sender.send_messages(ServiceBusMessage(body))
    got = await receive_one(receiver)
    assert b"".join(got.body) == body
    await receiver.complete_message(got)


async def test_a_message_above_256_kb_is_refused_and_the_link_lives_on(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages(ServiceBusMessage(b"x" * 262_144))
    await sender.send_messages(ServiceBusMessage(b"x" * 261_000))
    assert namespace.counts(queue)["active"] == 1


async def test_the_link_announces_256_kb_as_the_size_of_a_batch(namespace: Namespace, sdk: Any) -> None:
    _, sender, _ = await sdk.fresh(namespace)
    batch = await sender.create_message_batch()
    assert batch.max_size_in_bytes == 262_144


async def test_a_scheduled_message_above_256_kb_is_refused(namespace: Namespace, sdk: Any) -> None:
    _, sender, _ = await sdk.fresh(namespace)
    with pytest.raises(MessageSizeExceededError):
        await sender.schedule_messages(ServiceBusMessage(b"x" * 262_144), in_s(60))


async def test_a_message_id_of_128_characters_is_accepted_and_one_of_129_refused(
    namespace: Namespace, sdk: Any
) -> None:
    queue, sender, _ = await sdk.fresh(namespace)

    def with_id(length: int) -> AmqpAnnotatedMessage:
        # ServiceBusMessage itself refuses long ids; the raw form leaves it to the service.
        return AmqpAnnotatedMessage(data_body=b"x", properties=AmqpMessageProperties(message_id="i" * length))

    await sender.send_messages(with_id(128))
    with pytest.raises(ServiceBusError, match="argument-error"):
        await sender.send_messages(with_id(129))
    assert namespace.counts(queue)["active"] == 1


async def test_an_unknown_queue_a_topic_and_a_subscription_are_not_found(namespace: Namespace, sdk: Any) -> None:
    client = sdk.client(namespace)
    links = (
        client.get_queue_sender("nobody-made-this"),
        client.get_topic_sender("topic"),
        client.get_subscription_receiver("topic", "subscription"),
    )
    for refusal in await asyncio.gather(*map(sdk.opened, links), return_exceptions=True):
        assert isinstance(refusal, MessagingEntityNotFoundError)


async def test_queue_names_are_compared_without_regard_to_case(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    sender = await sdk.sender(namespace, queue.upper())
    await sender.send_messages(ServiceBusMessage("x"))
    assert namespace.counts(queue)["active"] == 1


async def test_sending_to_a_dead_letter_queue_is_refused(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    with pytest.raises(ServiceBusError, match="amqp:not-allowed"):
        await sdk.sender(namespace, f"{queue}/$DeadLetterQueue")


async def test_a_scheduled_message_comes_when_due_under_a_new_sequence_number(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    (scheduled_as,) = await sender.schedule_messages(ServiceBusMessage("later"), in_s(3600))
    await sender.send_messages(ServiceBusMessage("now"))
    first = await receive_one(receiver)
    await receiver.complete_message(first)  # Or its lock would end with the hour.
    due = in_s(0)
    namespace.age(queue, 3600)
    later = await receive_one(receiver)
    assert (text(first), first.sequence_number) == ("now", 2)
    assert (text(later), scheduled_as, later.sequence_number) == ("later", 1, 3)
    assert later.enqueued_time_utc >= due - timedelta(seconds=1)
    assert later.state is ServiceBusMessageState.ACTIVE


async def test_a_message_sent_with_a_scheduled_time_waits_for_it_too(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    due = in_s(0.5)
    await sender.send_messages(ServiceBusMessage("later", scheduled_enqueue_time_utc=due))
    await namespace.until(queue, scheduled=0, active=1)
    assert in_s(0) >= due - timedelta(milliseconds=100)


async def test_a_message_scheduled_for_the_past_is_active_at_once(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    assert await sender.schedule_messages(ServiceBusMessage("late"), in_s(-60)) == [1]
    assert namespace.counts(queue)["active"] == 1


async def test_a_cancelled_scheduled_message_is_gone(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    numbers = await sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], in_s(60))
    await sender.cancel_scheduled_messages(numbers[0])
    assert namespace.counts(queue)["scheduled"] == 1
    with pytest.raises(MessageNotFoundError):
        await sender.cancel_scheduled_messages(numbers)
    assert namespace.counts(queue)["scheduled"] == 1, "all or none"


async def test_a_repeated_message_id_is_accepted_and_dropped(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace, RequiresDuplicateDetection="true")
    for _ in range(2):
        await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    await sender.send_messages([ServiceBusMessage("y", message_id="same"), ServiceBusMessage("y", message_id="other")])
    assert namespace.counts(queue)["active"] == 2
    assert namespace.counts(queue)["totals"]["duplicates"] == 2


async def test_an_id_stays_remembered_after_its_message_was_completed(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace, RequiresDuplicateDetection="true")
    await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    await receiver.complete_message(await receive_one(receiver))
    await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    assert namespace.counts(queue)["active"] == 0


async def test_the_id_of_a_scheduled_message_counts_from_its_scheduling(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace, RequiresDuplicateDetection="true")
    numbers = await sender.schedule_messages(ServiceBusMessage("x", message_id="same"), in_s(60))
    await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    await sender.cancel_scheduled_messages(numbers)
    await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    counts = namespace.counts(queue)
    assert (counts["scheduled"], counts["active"]) == (0, 0)


async def test_an_id_is_forgotten_after_the_window(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(
        namespace, RequiresDuplicateDetection="true", DuplicateDetectionHistoryTimeWindow="PT0.4S"
    )
    sends, began_at = 0, time.monotonic()
    while namespace.counts(queue)["active"] < 2:
        await sender.send_messages(ServiceBusMessage("x", message_id="same"))
        sends += 1
    assert time.monotonic() - began_at >= 0.4
    assert namespace.counts(queue)["totals"]["duplicates"] == sends - 2


async def test_without_duplicate_detection_the_same_id_comes_twice(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    for _ in range(2):
        await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    assert namespace.counts(queue)["active"] == 2
