"""Links that break, go dead or freeze while a delivery is leased or awaited: no call hangs, and no lease is lost."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import pytest_asyncio
from pydantic import SecretStr

from claimcheck.commands.up.addresses import queue_connection_string
from claimcheck.errors import QueueUnavailable
from claimcheck.messaging import Delivery, Queues, Receiver, link
from claimcheck.settings import Settings
from tests.services.messaging.conftest import LEASE, is_empty
from tests.stack.by_hand import ByHand
from tests.stack.gate import Gate
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.waiting import eventually

QUEUE: Final = "speech"
TIMEOUT_S, SHORT_S, QUIET_S = 5.0, 2.0, 1.5
SLACK_S = 10.0  # The SDK alone would wait for a minute.

# The SDK leaves the socket of a connection that broke to the garbage collector, which says so.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def gate(services: Services) -> Iterator[Gate]:
    """Between the receivers and the broker."""
    with Gate(to=services.service_bus.ports["amqp"]) as gate:
        yield gate


@pytest_asyncio.fixture
async def queues(settings: Settings) -> AsyncIterator[Queues]:
    """Straight to the broker: who sends."""
    queues = Queues(settings.queue, timeout_s=10)
    yield queues
    await queues.close()


@contextlib.asynccontextmanager
async def receiving(settings: Settings, gate: Gate, *, timeout_s: float) -> AsyncIterator[Receiver]:
    address = SecretStr(queue_connection_string(gate.port))
    changes = {"connection_string": address, "quiet_s": QUIET_S}
    queues = Queues(settings.queue.model_copy(update=changes), timeout_s=timeout_s)
    try:
        yield queues.receiver(QUEUE)
    finally:
        await queues.close()


@pytest_asyncio.fixture
async def receiver(settings: Settings, gate: Gate) -> AsyncIterator[Receiver]:
    """A receiver through the gate."""
    async with receiving(settings, gate, timeout_s=TIMEOUT_S) as receiver:
        yield receiver


async def received(receiver: Receiver) -> Delivery:
    delivery = await receiver.receive(20.0)
    assert delivery is not None
    return delivery


async def renewed(receiver: Receiver, delivery: Delivery) -> bool:
    try:
        await receiver.renew(delivery)
    except QueueUnavailable:
        return False
    return True


async def test_receiver_whose_connection_went_dead_opens_another_and_gets_the_next_message(
    queues: Queues, receiver: Receiver, gate: Gate, by_hand: ByHand
) -> None:
    assert await receiver.receive(0.5) is None
    assert gate.go_dead() == 1
    await queues.send_copy(QUEUE, b"{}", message_id="m", due_at=None)

    async def next_delivery() -> Delivery | None:
        by_hand.age(LEASE)  # Of what the broker has handed to the dead link.
        return await receiver.receive(1.0)

    delivery = await eventually(next_delivery, "the message is received")
    await receiver.complete(delivery)


async def test_quiet_receiver_that_opens_another_link_costs_a_message_no_delivery(
    queues: Queues, receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CLOSE_S", 60.0)
    caplog.set_level(logging.DEBUG, logger="claimcheck.messaging")

    async def is_replaced() -> bool:
        assert await receiver.receive(0.3) is None
        return "link.replaced" in caplog.messages

    for number in range(4):
        caplog.clear()
        await eventually(is_replaced, "the link is replaced")
        await queues.send_copy(QUEUE, b"{}", message_id=f"m{number}", due_at=None)
        delivery = await received(receiver)
        assert delivery.delivery_count == 0
        await receiver.complete(delivery)


async def test_lease_of_a_link_that_broke_is_renewed_and_ended_through_the_next_and_no_other_message_with_it(
    queues: Queues, receiver: Receiver, gate: Gate, stores: Stores
) -> None:
    for body in (b"1", b"2"):
        await queues.send_copy(QUEUE, body, message_id=body.decode(), due_at=None)
    first = await received(receiver)
    gate.go_dead()
    with pytest.raises(QueueUnavailable):
        await receiver.renew(first)
    await eventually(lambda: renewed(receiver, first), "the lease is renewed")
    await receiver.complete(first)
    second = await received(receiver)
    assert (second.body, second.delivery_count) == (b"2", 0)
    await receiver.complete(second)
    assert is_empty(stores), "the first was not completed"


async def test_no_call_to_a_frozen_broker_outlasts_its_time_limit(
    queues: Queues, settings: Settings, gate: Gate, services: Services
) -> None:
    await queues.send_copy(QUEUE, b"{}", message_id="m", due_at=None)
    async with receiving(settings, gate, timeout_s=SHORT_S) as receiver:
        delivery = await received(receiver)
        os.kill(services.service_bus.pid, signal.SIGSTOP)
        try:
            for call in (receiver.renew, receiver.complete):
                began_at = time.monotonic()
                with pytest.raises(QueueUnavailable):
                    await call(delivery)
                assert time.monotonic() - began_at < SHORT_S + SLACK_S
            began_at = time.monotonic()
            with pytest.raises(QueueUnavailable):
                await receiver.receive(0.5)
            assert time.monotonic() - began_at < 0.5 + SHORT_S + SLACK_S
        finally:
            os.kill(services.service_bus.pid, signal.SIGCONT)


async def test_what_a_retired_receiver_and_its_queues_had_open_is_closed(settings: Settings, gate: Gate) -> None:
    address = SecretStr(queue_connection_string(gate.port))
    queues = Queues(settings.queue.model_copy(update={"connection_string": address}), timeout_s=10)
    retired, idle = queues.receiver(QUEUE), queues.receiver(QUEUE)
    for receiver in (retired, idle):
        assert await receiver.receive(0.1) is None
    assert gate.connections == 2
    retired.retire()
    await eventually(lambda: closed_but(gate, 1), "the retired one's connection is closed")
    await queues.close()
    await eventually(lambda: closed_but(gate, 0), "the other's too")


async def closed_but(gate: Gate, number: int) -> bool:
    return gate.connections == number


async def test_only_the_message_that_is_asked_for_is_leased(queues: Queues, receiver: Receiver) -> None:
    for number in range(3):
        await queues.send_copy(QUEUE, b"{}", message_id=f"m{number}", due_at=None)
    first = await received(receiver)
    other = queues.receiver(QUEUE)
    try:
        ids = {(await received(other)).message_id}
        assert first.message_id not in ids
    finally:
        await other.close()
    await receiver.complete(first)
