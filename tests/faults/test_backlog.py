"""50,000 jobs wait and no worker comes: the rescuer sends nothing again, but for the one whose message is gone.

The records are written into the Cosmos DB emulator's journal while it is down, by its own code: over HTTP they would
take most of a minute. A worker then drains some hundred of them; the others would take minutes more of the same.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from azure_local_emulators.cosmos import operations
from azure_local_emulators.cosmos.account import Account, AccountOptions
from azure_local_emulators.cosmos.partitioning import parse_header
from azure_local_emulators.cosmos.persistence import JournalRecorder
from claimcheck import protocol
from claimcheck.commands.up.addresses import queue_connection_string
from claimcheck.commands.up.provision import provision
from claimcheck.job import Job, Upload, new_job
from claimcheck.messages import Message
from tests.stack.by_hand import ByHand
from tests.stack.components import ROOT
from tests.stack.names import NameStock
from tests.stack.services import Services, cosmos_process
from tests.stack.stores import Stores
from tests.stack.system import DRAIN_S, System
from tests.stack.waiting import until

WAITING = 50_000
DRAINED = 500
LOOKS = 3
START_S = 60.0  # it reads 50,000 items from its journal
SETUP_S = 240.0  # most of it is writing and sending, half a minute on a machine that has little else to do
PATIENT_S = 180.0  # one query looks through all of them, and meanwhile the emulator answers nothing else
HOUR = timedelta(hours=1)
BATCH = 500
KEEPER, WORKER = "keeper-1", "worker-1"


def waiting_job(now: datetime) -> Job:
    """A job that was accepted an hour ago, and nothing since."""
    job_id, then = str(uuid.uuid4()), now - HOUR
    return new_job(
        tenant="default",
        job_id=job_id,
        task="probe",
        options={},
        upload=Upload(blob=f"uploads/default/{job_id}/{secrets.token_hex(8)}", size_bytes=1, sha256=""),
        stage="probe",
        epoch=secrets.token_hex(4),
        now=then,
        deadline_at=then + 24 * HOUR,
    )


def write_records(data: Path, database: str, jobs: Sequence[Job]) -> None:
    """Create the items as the emulator does, in its journal."""
    recorder = JournalRecorder(data)
    account = Account(AccountOptions("Strong"), recorder)
    recorder.load(account)
    container = account.container(database, "jobs")
    for job in jobs:
        key = parse_header(json.dumps([job.tenant, job.job_id]), container.definition)
        transaction = operations.Transaction(container, key)
        operations.create(transaction, job.model_dump(mode="json"))
        account.commit(container, transaction.changes)
    recorder.close()


def send_messages(services: Services, queue: str, messages: Sequence[Message]) -> None:
    """Put the messages on the queue, in their order."""
    address = queue_connection_string(services.service_bus.ports["amqp"])
    with ServiceBusClient.from_connection_string(address) as bus, bus.get_queue_sender(queue) as sender:
        for first in range(0, len(messages), BATCH):
            batch = messages[first : first + BATCH]
            sender.send_messages([ServiceBusMessage(m.encode(), message_id=m.message_id) for m in batch])


@dataclasses.dataclass(frozen=True)
class Backlog:
    """What waits, and the programs that a test starts."""

    system: System
    stores: Stores
    lost: Job
    """The one without a message."""

    def until_looked(self, times: int) -> None:
        """Wait until the rescuer has looked at the records and at the line so often from now on."""
        then = self._looks()
        until(lambda: self._looks() >= then + times, f"{times} looks", deadline_s=PATIENT_S)

    def _looks(self) -> int:
        return self.system.logs(KEEPER).count(" queue.looked_at ")

    def rescued(self) -> list[str]:
        """What the keeper says it has rescued."""
        return [line for line in self.system.logs(KEEPER).splitlines() if " job.rescued " in line]

    def said(self, event: str) -> int:
        """How often the worker says so."""
        return self.system.logs(WORKER).count(event)

    def succeeded(self) -> int:
        """How many jobs have succeeded: a success comes with its result."""
        return len(self.stores.items("result"))


@pytest.fixture
def backlog(services: Services, name_stock: NameStock, tmp_path: Path) -> Iterator[Backlog]:
    """50,000 jobs that wait, and a Cosmos DB emulator of their own, since it is stopped to be filled."""
    names, cosmos = name_stock.take(), cosmos_process(tmp_path / "cosmos")
    own = dataclasses.replace(services, cosmos=cosmos)
    stores = Stores(own, names)
    cosmos.start(START_S)
    try:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(provision(own.settings(names)))).result()
        cosmos.stop()
        now = datetime.now(UTC)
        jobs = [waiting_job(now) for _ in range(WAITING)]
        lost = waiting_job(now - HOUR)
        write_records(tmp_path / "cosmos" / "data", names.container, [*jobs, lost])
        with ThreadPoolExecutor(1) as thread:
            reading = thread.submit(cosmos.start, START_S)
            send_messages(services, stores.queue, [protocol.message_for(job) for job in jobs])
            reading.result()
        # The first was sent when the records say that they were written, however long it took to write them here.
        sent_at = stores.peek()[0].enqueued_time_utc
        assert sent_at is not None
        ByHand(stores).age(sent_at - jobs[0].moved_at)
        variables = {
            **own.variables(names),
            "CLAIMCHECK_QUEUE__RENEW_S": "1",
            "CLAIMCHECK_KEEPER__RESCUE_S": "2",
            "CLAIMCHECK_LOG__LEVEL": "DEBUG",
            "CLAIMCHECK_WORKER__SLOTS": "8",
            "PYTHONPATH": str(ROOT / "tests" / "plugin"),
        }
        system = System(tmp_path / "system", variables, workers=1, keepers=1)
        try:
            yield Backlog(system, stores, lost)
        finally:
            system.close()
    finally:
        cosmos.kill()


@pytest.mark.timeout(SETUP_S + 4 * PATIENT_S + DRAIN_S)
def test_waiting_jobs_are_announced_once_however_many_and_long_and_then_drain(backlog: Backlog) -> None:
    backlog.system.start(KEEPER)
    until(backlog.rescued, "one is rescued", deadline_s=PATIENT_S)
    backlog.until_looked(LOOKS)
    # It does look: the one without a message it finds among them all.
    (rescued,) = backlog.rescued()
    assert backlog.lost.job_id in rescued
    assert backlog.stores.counts()["active"] == WAITING + 1

    backlog.system.programs[WORKER].start()
    until(lambda: backlog.said(" job.succeeded ") >= DRAINED, "they drain", deadline_s=PATIENT_S)
    assert backlog.system.stop(WORKER) == 0
    backlog.until_looked(LOOKS)
    assert len(backlog.rescued()) == 1
    counts = backlog.stores.counts()
    assert counts["active"] + counts["locked"] == WAITING + 1 - backlog.succeeded()
    assert backlog.said(" job.taken ") == backlog.said(" job.succeeded ") == backlog.succeeded()
