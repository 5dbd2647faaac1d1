"""Links that break, go dead or freeze while a delivery is leased or awaited: no call hangs, and no lease is lost."""

from __future__ import annotations

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
from claimcheck.messaging import Delivery, Queues, Receiver
from claimcheck.settings import Settings
from tests.stack.gate import Gate
from tests.stack.names import LOCK_S
from tests.stack.services import Services
from tests.stack.waiting import eventually

QUEUE: Final = "speech"
TIMEOUT_S, QUIET_S = 2.0, 3.0

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
    queues = Queues(settings.queue, timeout_s=5)
    yield queues
    await queues.close()


@pytest_asyncio.fixture
async def receiver(settings: Settings, gate: Gate) -> AsyncIterator[Receiver]:
    """A receiver through the gate."""
    address = SecretStr(queue_connection_string(gate.port))
    changes = {"connection_string": address, "quiet_s": QUIET_S}
    queues = Queues(settings.queue.model_copy(update=changes), timeout_s=TIMEOUT_S)
    yield queues.receiver(QUEUE)
    await queues.close()


async def received(receiver: Receiver, wait_s: float = 5.0) -> Delivery:
    delivery = await receiver.receive(wait_s)
    assert delivery is not None
    return delivery


async def renewed(receiver: Receiver, delivery: Delivery) -> bool:
    try:
        await receiver.renew(delivery)
    except QueueUnavailable:
        return False
    return True


async def test_receiver_whose_connection_went_dead_opens_another_and_gets_the_next_message(
    queues: Queues, receiver: Receiver, gate: Gate
) -> None:
    assert await receiver.receive(0.5) is None
    assert gate.go_dead() == 1
    await queues.send_copy(QUEUE, b"{}", message_id="m", due_at=None)

    async def next_delivery() -> Delivery | None:
        return await receiver.receive(1.0)

    delivery = await eventually(next_delivery, "the message is received", deadline_s=QUIET_S + 2 * LOCK_S + 10)
    await receiver.complete(delivery)


async def test_quiet_receiver_that_opens_another_link_costs_a_message_no_delivery(
    queues: Queues, receiver: Receiver
) -> None:
    for number in range(4):
        began_at = time.monotonic()
        while time.monotonic() < began_at + 1.2 * QUIET_S / 2:
            assert await receiver.receive(0.3) is None
        await queues.send_copy(QUEUE, b"{}", message_id=f"m{number}", due_at=None)
        delivery = await received(receiver)
        assert delivery.delivery_count == 0
        await receiver.complete(delivery)


async def test_lease_of_a_link_that_broke_is_renewed_and_ended_through_the_next_and_no_other_message_with_it(
    queues: Queues, receiver: Receiver, gate: Gate
) -> None:
    for body in (b"1", b"2"):
        await queues.send_copy(QUEUE, body, message_id=body.decode(), due_at=None)
    first = await received(receiver)
    gate.go_dead()
    with pytest.raises(QueueUnavailable):
        await receiver.renew(first)
    await eventually(lambda: renewed(receiver, first), "the lease is renewed", deadline_s=LOCK_S)
    await receiver.complete(first)
    second = await received(receiver)
    assert (second.body, second.delivery_count) == (b"2", 0)
    await receiver.complete(second)
    assert await receiver.receive(LOCK_S + 1) is None, "the first was not completed"


async def test_no_call_to_a_frozen_broker_outlasts_its_time_limit(
    queues: Queues, receiver: Receiver, services: Services
) -> None:
    await queues.send_copy(QUEUE, b"{}", message_id="m", due_at=None)
    delivery = await received(receiver)
    os.kill(services.service_bus.pid, signal.SIGSTOP)
    try:
        for call in (receiver.renew, receiver.complete):
            began_at = time.monotonic()
            with pytest.raises(QueueUnavailable):
                await call(delivery)
            assert time.monotonic() - began_at < TIMEOUT_S + 2
        began_at = time.monotonic()
        with pytest.raises(QueueUnavailable):
            await receiver.receive(0.5)
        assert time.monotonic() - began_at < 0.5 + TIMEOUT_S + 2
    finally:
        os.kill(services.service_bus.pid, signal.SIGCONT)


async def test_what_a_retired_receiver_and_its_queues_had_open_is_closed(settings: Settings, gate: Gate) -> None:
    address = SecretStr(queue_connection_string(gate.port))
    queues = Queues(settings.queue.model_copy(update={"connection_string": address}), timeout_s=TIMEOUT_S)
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
