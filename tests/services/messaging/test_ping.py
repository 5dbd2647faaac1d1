"""Asking a queue whether it is there: over the wire each time, and taking nothing from it."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
import pytest_asyncio
from pydantic import SecretStr

from azure_local_emulators.process import EmulatorProcess
from claimcheck.commands.up.addresses import queue_connection_string
from claimcheck.errors import QueueUnavailable
from claimcheck.messaging import Queues
from claimcheck.settings import QueueSettings
from tests.stack.names import NameStock
from tests.stack.services import broker_process
from tests.stack.waiting import eventually

QUEUE: Final = "speech"
TIMEOUT_S = 10.0
SLACK_S = 10.0  # The SDK alone would wait for a minute.


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """A broker of this module's own, which a test may kill; it starts it again."""
    process = broker_process(tmp_path_factory.mktemp("service-bus"))
    process.start()
    yield process
    process.stop()


@pytest_asyncio.fixture
async def queues(broker: EmulatorProcess, name_stock: NameStock) -> AsyncIterator[Queues]:
    """Queues of the test's own on that broker."""
    names: dict[str, Any] = name_stock.take().queues
    address = queue_connection_string(broker.ports["amqp"])
    queues = Queues(QueueSettings(connection_string=SecretStr(address), **names), timeout_s=TIMEOUT_S)
    yield queues
    await queues.close()


async def answers(queues: Queues) -> bool:
    with contextlib.suppress(QueueUnavailable):
        await queues.ping(QUEUE)
        return True
    return False


# The SDK leaves the socket of a connection that broke to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_ping_fails_in_time_while_the_broker_is_gone_and_then_recovers(
    broker: EmulatorProcess, queues: Queues
) -> None:
    await queues.ping(QUEUE)
    broker.kill()
    try:
        for _ in range(2):
            began_at = time.monotonic()
            with pytest.raises(QueueUnavailable, match=r"does not answer|cannot be reached"):
                await queues.ping(QUEUE)
            assert time.monotonic() - began_at < TIMEOUT_S + SLACK_S
    finally:
        broker.start()
    await eventually(lambda: answers(queues), "the queue answers again")
    await queues.close()
    gc.collect()


async def test_ping_takes_no_message_and_costs_it_no_delivery(queues: Queues) -> None:
    await queues.send_copy(QUEUE, b"{}", message_id="m", due_at=None)
    for _ in range(50):
        await queues.ping(QUEUE)
    receiver = queues.receiver(QUEUE)
    try:
        delivery = await receiver.receive(20)
        assert delivery is not None
        assert delivery.delivery_count == 0
        await receiver.complete(delivery)
    finally:
        await receiver.close()


async def test_ping_costs_next_to_no_cpu(queues: Queues) -> None:
    await queues.ping(QUEUE)
    began_s = time.process_time()
    for _ in range(50):
        await queues.ping(QUEUE)
    each_s = (time.process_time() - began_s) / 50
    assert each_s < 0.02  # one every 2 s: under 1 % of a core, also where the machine is slow
