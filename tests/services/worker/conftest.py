"""A worker inside the test, run delivery by delivery against the real services."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import MessageNotFoundError

from claimcheck.blobs import Blobs
from claimcheck.commands.up.provision import provision
from claimcheck.job import Job, Upload, new_job
from claimcheck.messages import Message, decode
from claimcheck.messaging import Delivery, Queues, Receiver
from claimcheck.records import Records
from claimcheck.settings import Settings
from claimcheck.tasks import find_task
from services.worker.drain import Drain
from services.worker.worker import Worker
from tests.services.locks import LONG_LOCK_S, lock_for
from tests.stack.by_hand import ByHand
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores

TENANT = "default"
CONTENT = b"the upload"


@dataclass
class Bench:
    """The worker on the bench, and what it works on."""

    settings: Settings
    worker: Worker
    records: Records
    blobs: Blobs
    queues: Queues
    queue_name: str
    _client: ServiceBusClient
    _raw: ServiceBusReceiver
    """For peeking and abandoning; never receives what the worker should."""
    _sender: ServiceBusSender
    _by_hand: ByHand
    receiver: Receiver

    async def job(self, task: str, options: dict[str, Any] | None = None, /, **changes: Any) -> Job:
        """Store an upload and a record of a job in the state that `changes` says."""
        job_id = str(uuid.uuid4())
        blob = f"uploads/{TENANT}/{job_id}/{secrets.token_hex(4)}"
        await self.blobs.put(blob, CONTENT, "text/plain")
        now = datetime.now(UTC)
        fresh = new_job(
            tenant=TENANT,
            job_id=job_id,
            task=task,
            options=options or {},
            upload=Upload(blob=blob, size_bytes=len(CONTENT), sha256="", name="upload.txt"),
            stage=find_task(task).stages[0].name,
            epoch=secrets.token_hex(4),
            now=now,
            deadline_at=now + timedelta(hours=1),
        )
        return await self.records.create_job(fresh.model_copy(update=changes))

    async def deliver(self, message: Message, *, earlier: int = 0) -> Delivery:
        """Send a message, end `earlier` deliveries of it without an answer, and run the next one."""
        await self.queues.send("speech", message)
        return await self.run_next(earlier=earlier)

    async def run_next(self, *, earlier: int = 0) -> Delivery:
        """Run the next delivery of the queue, after `earlier` ones that ended without an answer."""
        for _ in range(earlier):
            for received in await self._raw.receive_messages(max_message_count=1, max_wait_time=10):
                await self._raw.abandon_message(received)
        delivery = await self.receiver.receive(10.0)
        assert delivery is not None, "the queue is empty"
        assert delivery.delivery_count == earlier
        await self.worker.runner().run(delivery, self.receiver)
        return delivery

    async def drain_queue(self) -> int:
        """Run deliveries until nothing is left to run at once; how many there were."""
        ran = 0
        while [m for m in await self.waiting() if m.due_at is None]:
            await self.run_next()
            ran += 1
            assert ran < 50, "the job goes round and round"
        return ran

    async def waiting(self) -> list[Waiting]:
        """What is on the queue: active and scheduled messages, by sequence number."""
        peeked = await self._raw.peek_messages(max_message_count=100, sequence_number=1)
        return [
            Waiting(b"".join(m.body), m.message_id or "", m.scheduled_enqueue_time_utc, str(m.sequence_number))
            for m in peeked
        ]

    async def messages(self) -> list[Message]:
        """The same, decoded."""
        return [decode(m.body) for m in await self.waiting()]

    async def dead_letters(self) -> list[tuple[str | None, str | None, bytes]]:
        """Reason, description and body of each dead letter; takes them off."""
        async with self._client.get_queue_receiver(
            self.queue_name,
            sub_queue=ServiceBusSubQueue.DEAD_LETTER,
            receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE,
        ) as receiver:
            letters = await receiver.receive_messages(max_message_count=10, max_wait_time=5)
        return [(m.dead_letter_reason, m.dead_letter_error_description, b"".join(m.body)) for m in letters]

    async def clear(self) -> None:
        """Take everything off the queue, also what is leased, and forget a drain."""
        self.worker.drain = Drain(self.settings.worker.drain_s)
        for m in await self._raw.peek_messages(max_message_count=100, sequence_number=1):
            if m.scheduled_enqueue_time_utc is not None and m.sequence_number is not None:
                with contextlib.suppress(MessageNotFoundError):  # It has fallen due since.
                    await self._sender.cancel_scheduled_messages(m.sequence_number)
        self._by_hand.age(timedelta(seconds=self.settings.queue.lease_s))
        for _ in await self._raw.peek_messages(max_message_count=100, sequence_number=1):
            for received in await self._raw.receive_messages(max_message_count=1, max_wait_time=10):
                await self._raw.complete_message(received)

    async def record(self, job: Job) -> Job:
        """The job's record now."""
        record = await self.records.read(job.tenant, job.job_id)
        assert isinstance(record, Job)
        return record

    async def result(self, job: Job) -> dict[str, Any]:
        """The result that the record names."""
        end = (await self.record(job)).end
        assert end is not None
        assert end.result is not None
        assert end.result.item is not None
        return await self.records.read_result(job.tenant, job.job_id, end.result.item)


@dataclass(frozen=True)
class Waiting:
    """A message on the queue."""

    body: bytes
    message_id: str
    due_at: datetime | None
    sequence_number: str


@pytest.fixture(scope="module")
def lock_s() -> float:
    """Lock of the module's queue."""
    return LONG_LOCK_S


@pytest.fixture(scope="module")
def renew_s(lock_s: float) -> float:
    """Age of a lease at which the worker renews it."""
    return lock_s / 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_bench(
    services: Services, name_stock: NameStock, tmp_path_factory: pytest.TempPathFactory, lock_s: float, renew_s: float
) -> AsyncIterator[Bench]:
    """One worker per module: a connection to Service Bus takes half a second to open and one to close."""
    names = name_stock.take()
    lock_for(lock_s, names.queues["speech"], services=services)
    settings = services.settings(
        names,
        queue={"lease_s": lock_s, "renew_s": renew_s},
        worker={"scratch_dir": tmp_path_factory.mktemp("scratch")},
        job={"backoff_first_s": 1.0, "max_attempts": 3},
    )
    await provision(settings)
    assert settings.queue.connection_string is not None
    worker, queue = Worker("speech", settings), names.queues["speech"]
    records, blobs = Records(settings.records, timeout_s=10), Blobs(settings.blobs, timeout_s=10)
    queues = Queues(settings.queue, timeout_s=10)
    async with (
        ServiceBusClient.from_connection_string(settings.queue.connection_string.get_secret_value()) as client,
        client.get_queue_receiver(queue) as raw,
        client.get_queue_sender(queue) as sender,
    ):
        receiver = queues.receiver("speech")
        by_hand = ByHand(Stores(services, names))
        yield Bench(settings, worker, records, blobs, queues, queue, client, raw, sender, by_hand, receiver)
        await asyncio.gather(receiver.close(), worker.close(), records.close(), blobs.close(), queues.close())


@pytest_asyncio.fixture(loop_scope="module")
async def bench(module_bench: Bench) -> AsyncIterator[Bench]:
    """The worker with an empty queue."""
    yield module_bench
    await module_bench.clear()
