"""What survives kill -9: everything that was acknowledged, but no lock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from azure_local_emulators.journal import Journal
from azure_local_emulators.service_bus.broker import Broker
from azure_local_emulators.service_bus.journal_ledger import JournalLedger
from azure_local_emulators.service_bus.message import Message
from azure_local_emulators.service_bus.settings import QueueSettings

from .harness import Namespace, Sdk, config, eventually, receive, receive_one, text

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def kept(tmp_path: Path) -> AsyncIterator[Namespace]:
    """An emulator that keeps its data, with the queues `jobs`, `once` and `unique`."""
    path = config(
        tmp_path,
        ("jobs", {"LockDuration": "PT1M", "MaxDeliveryCount": 10}),
        ("once", {"MaxDeliveryCount": 1}),
        ("unique", {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "PT10M"}),
    )
    running = Namespace("--config", str(path), "--data", str(tmp_path / "data"))
    yield running
    running.process.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def links() -> AsyncIterator[Sdk]:
    """The SDK; its links end with the test, as their emulator does."""
    sdk = Sdk("aio")
    yield sdk
    await sdk.close()


def in_s(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_active_deferred_scheduled_and_dead_messages_survive_a_kill(kept: Namespace, links: Sdk) -> None:
    sender, receiver = await links.pair(kept, "jobs")
    bodies = ["deferred", "dead", "completed", "abandoned", "active"]
    await sender.send_messages([ServiceBusMessage(b, application_properties={"n": 1}) for b in bodies])
    await sender.schedule_messages(ServiceBusMessage("scheduled"), in_s(3600))
    deferred, dead, completed, abandoned = await receive(receiver, 4)
    await receiver.defer_message(deferred)
    await receiver.dead_letter_message(dead, reason="undecodable", error_description="no JSON")
    await receiver.complete_message(completed)
    await receiver.abandon_message(abandoned)

    kept.restart()

    counts = kept.counts("jobs")
    assert {state: counts[state] for state in ("active", "locked", "deferred", "scheduled", "dead_lettered")} == {
        "active": 2, "locked": 0, "deferred": 1, "scheduled": 1, "dead_lettered": 1
    }  # fmt: skip
    sender, receiver = await links.pair(kept, "jobs")
    await sender.send_messages(ServiceBusMessage("new"))
    assert [(text(m), m.sequence_number) for m in await receiver.peek_messages(10, sequence_number=1)] == [
        ("deferred", 1), ("abandoned", 4), ("active", 5), ("scheduled", 6), ("new", 7)
    ]  # fmt: skip
    first = await receive_one(receiver)
    assert (text(first), first.delivery_count, first.application_properties) == ("abandoned", 1, {b"n": 1})
    (again,) = await receiver.receive_deferred_messages(1)
    assert (text(again), again.delivery_count) == ("deferred", 1)
    graveyard = await links.receiver(kept, "jobs", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    letter = await receive_one(graveyard)
    assert (text(letter), letter.sequence_number) == ("dead", 2)
    assert (letter.dead_letter_reason, letter.dead_letter_error_description) == ("undecodable", "no JSON")


async def test_a_lock_held_at_the_kill_is_lost_and_counts_as_a_delivery(kept: Namespace, links: Sdk) -> None:
    sender, receiver = await links.pair(kept, "jobs")
    await sender.send_messages(ServiceBusMessage("x"))
    held = await receive_one(receiver)
    kept.restart()
    receiver = await links.receiver(kept, "jobs")
    with pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(held)
    again = await receive_one(receiver)
    assert (again.sequence_number, again.delivery_count) == (held.sequence_number, 1)


async def test_a_lock_held_at_the_kill_can_be_the_last_allowed_delivery(kept: Namespace, links: Sdk) -> None:
    sender, receiver = await links.pair(kept, "once")
    await sender.send_messages(ServiceBusMessage("x"))
    await receive_one(receiver)
    kept.restart()
    assert kept.counts("once")["dead_lettered"] == 1
    letter = await receive_one(await links.receiver(kept, "once", sub_queue=ServiceBusSubQueue.DEAD_LETTER))
    assert letter.dead_letter_reason == "MaxDeliveryCountExceeded"


async def test_remembered_ids_survive_a_kill(kept: Namespace, links: Sdk) -> None:
    sender, receiver = await links.pair(kept, "unique")
    await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    await receiver.complete_message(await receive_one(receiver))
    kept.restart()
    sender = await links.sender(kept, "unique")
    await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    assert kept.counts("unique")["totals"] == {"duplicates": 1}


async def test_a_message_that_became_due_while_the_emulator_was_dead_is_active_afterwards(
    kept: Namespace, links: Sdk
) -> None:
    sender = await links.sender(kept, "jobs")
    due = in_s(0.5)
    await sender.schedule_messages(ServiceBusMessage("x"), due)
    kept.process.kill()
    await eventually(lambda: datetime.now(UTC) >= due, lambda: "the message is due")
    kept.start_again()
    message = await receive_one(await links.receiver(kept, "jobs"))
    assert (text(message), message.sequence_number) == ("x", 2)


async def test_every_send_acknowledged_before_a_kill_is_there_after_it(kept: Namespace, links: Sdk) -> None:
    sender = await links.sender(kept, "jobs")
    acknowledged: list[str] = []

    async def send_until_killed() -> None:
        while True:
            await sender.send_messages(ServiceBusMessage(str(len(acknowledged))))
            acknowledged.append(str(len(acknowledged)))
            if len(acknowledged) == 150:
                kept.process.kill()

    with pytest.raises(ServiceBusError):
        await send_until_killed()
    kept.start_again()
    assert kept.counts("jobs")["active"] - len(acknowledged) in (0, 1), "the last one may be stored without an answer"
    receiver = await links.receiver(kept, "jobs")
    stored = await receiver.peek_messages(250, sequence_number=1)
    assert [text(message) for message in stored][: len(acknowledged)] == acknowledged


async def test_a_queue_made_over_http_survives_and_a_deleted_one_does_not(kept: Namespace) -> None:
    made, deleted = kept.queue(LockDuration="PT7S"), kept.queue()
    assert kept.http("DELETE", deleted)[0] == 200
    kept.restart()
    assert b"<LockDuration>PT7S</LockDuration>" in kept.http("GET", made)[1]
    assert deleted not in kept.json("GET", "queues")


async def test_the_journal_is_rewritten_when_most_of_it_is_dead(tmp_path: Path) -> None:
    path, settings = tmp_path / "journal", QueueSettings("jobs", duplicate_window_s=600)
    broker = Broker(JournalLedger(Journal(path)))
    broker.start([settings])
    queue = broker.find("jobs")
    for number in range(200):
        queue.send(_message(f"id-{number}", 200_000))
        taken = queue.take(lock=True)
        assert taken is not None
        assert taken.token is not None
        if number % 50:
            queue.complete(taken.token)
        else:
            queue.dead_letter(taken.token, "kept", None)
        broker.commit()
    assert path.stat().st_size < 20_000_000, "40 MB went through"
    broker.close()

    again = Broker(JournalLedger(Journal(path)))
    again.start([settings])
    queue = again.find("jobs")
    assert sorted(again.find("jobs/$DeadLetterQueue").messages) == [1, 51, 101, 151]
    assert queue.send(_message("id-7", 10)) == 0, "ids are remembered too"
    assert queue.send(_message("new", 10)) == 201, "numbers are not used again"
    again.close()


def _message(message_id: str, size_bytes: int) -> Message:
    name = message_id.encode()
    properties = b"\x00\x53\x73\xc0" + bytes((len(name) + 3, 1, 0xA1, len(name))) + name
    body = b"\x00\x53\x75\xb0" + size_bytes.to_bytes(4, "big") + bytes(size_bytes)
    return Message.parse(properties + body)


async def test_config_wins_over_the_settings_that_the_journal_holds(tmp_path: Path) -> None:
    path: Any = tmp_path / "journal"
    for lock_s in (60.0, 5.0):
        broker = Broker(JournalLedger(Journal(path)))
        broker.start([QueueSettings("Jobs", lock_s=lock_s)])
        assert broker.find("jobs").settings.lock_s == lock_s
        broker.close()
    broker = Broker(JournalLedger(Journal(path)))
    broker.start([])
    assert broker.find("jobs").settings == QueueSettings("Jobs", lock_s=5.0), "and lasts without a config"
    broker.close()
