"""What the system has stored and queued, looked at with the SDKs and behind the system's back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from azure.cosmos import ContainerProxy, CosmosClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.storage.blob import ContainerClient

from azure_local_emulators.process import EmulatorProcess
from claimcheck.commands.up.addresses import HOST, RECORDS_KEY, queue_connection_string, records_endpoint
from tests.stack.client import ANSWER_S
from tests.stack.fault_hook import FaultHook
from tests.stack.names import Names
from tests.stack.services import Services
from tests.stack.waiting import until

Item = dict[str, Any]


@dataclass(frozen=True)
class Stores:
    """The blobs, records and messages that go by `names`. Connects anew for each question: services come and go."""

    services: Services
    names: Names
    queue_kind: str = "speech"

    @property
    def queue(self) -> str:
        """Name of the queue that is looked at."""
        return self.names.queues[self.queue_kind]

    def blobs(self, prefix: str = "uploads/") -> list[str]:
        """Names of the blobs that are visible."""
        with self._container() as container:
            return list(container.list_blob_names(name_starts_with=prefix))

    def read_blob(self, name: str) -> bytes:
        """A blob's bytes."""
        with self._container() as container:
            return container.download_blob(name).readall()

    def delete_blob(self, name: str) -> None:
        """Delete a blob."""
        with self._container() as container:
            container.delete_blob(name)

    def leave_blob(self, name: str) -> str:
        """Store a blob that no record names; its name."""
        with self._container() as container:
            container.upload_blob(name, b"left")
        return name

    @contextlib.contextmanager
    def held_blob(self, name: str) -> Iterator[None]:
        """Keep a blob from being deleted, by a lease on it, for as long as the context lasts."""
        with self._container() as container:
            lease = container.get_blob_client(name).acquire_lease()
            yield
            lease.release()

    def items(self, kind: str) -> list[Item]:
        """Every item of a kind: `job`, `result`, `part`."""
        with self._records() as records:
            rows = records.query_items(
                "SELECT * FROM c WHERE c.kind = @kind",
                parameters=[{"name": "@kind", "value": kind}],
                enable_cross_partition_query=True,
            )
            return [dict(row) for row in rows]

    def record(self, job_id: str) -> Item:
        """The job item. Raises CosmosResourceNotFoundError."""
        with self._records() as records:
            return dict(records.read_item("job", partition_key=["default", job_id]))

    def change_record(self, job_id: str, **fields: Any) -> None:
        """Write into the job item what no writer of this release would."""
        with self._records() as records:
            records.upsert_item({**self.record(job_id), **fields})

    def delete_record(self, job_id: str) -> None:
        """Delete the job item, as its TTL does."""
        with self._records() as records:
            records.delete_item("job", partition_key=["default", job_id])

    def results_of(self, job_id: str) -> list[str]:
        """Names of a job's results, in records and in blobs; a job that ended once has one."""
        items = [item["id"] for item in self.items("result") if item["job_id"] == job_id]
        return items + self.blobs(f"results/default/{job_id}/")

    def counts(self) -> dict[str, Any]:
        """What the queue holds: `active`, `locked`, `scheduled`, `dead_lettered`, ..."""
        address = f"http://{HOST}:{self.services.service_bus.ports['admin']}/_emulator/queues"
        counts: dict[str, Any] = httpx.get(address, verify=False, timeout=ANSWER_S).json()[self.queue]
        return counts

    def until_empty(self, *, deadline_s: float = 30.0) -> None:
        """Wait until the queue holds nothing that could be run at once."""

        def is_empty() -> bool:
            counts = self.counts()
            return (counts["active"], counts["locked"]) == (0, 0)

        until(is_empty, f"{self.queue} is empty", deadline_s=deadline_s)

    def send(self, bodies: Mapping[str, bytes]) -> None:
        """Put messages on the queue: their ids and bodies."""
        with self._bus() as bus, bus.get_queue_sender(self.queue) as sender:
            for message_id, body in bodies.items():
                sender.send_messages(ServiceBusMessage(body, message_id=message_id))

    def peek(self) -> list[ServiceBusReceivedMessage]:
        """The messages on the queue, locked and scheduled ones too."""
        with self._bus() as bus, bus.get_queue_receiver(self.queue) as receiver:
            return receiver.peek_messages(max_message_count=100, sequence_number=1)

    def dead_letters(self) -> list[ServiceBusReceivedMessage]:
        """The dead letters, left where they are."""
        with (
            self._bus() as bus,
            bus.get_queue_receiver(self.queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
        ):
            return receiver.peek_messages(max_message_count=100, sequence_number=1)

    def drop_connections(self) -> None:
        """Close every connection to Service Bus, as it does with idle ones."""
        address = f"http://{HOST}:{self.services.service_bus.ports['admin']}/_emulator/drop-connections"
        httpx.post(address, timeout=ANSWER_S).raise_for_status()

    @contextlib.contextmanager
    def records_fault(self, **fault: Any) -> Iterator[Callable[[], bool]]:
        """Arm a fault of Cosmos DB for requests to these records only; gives whether one has been struck by it."""
        match = {"database": self.names.container, **fault.pop("match", {})}
        with _armed(self.services.cosmos, "http", {**fault, "match": match}) as struck:
            yield struck

    @contextlib.contextmanager
    def queue_fault(self, **fault: Any) -> Iterator[Callable[[], bool]]:
        """Arm a fault of Service Bus for requests to this queue only; gives whether one has been struck by it."""
        match = {"entity": self.queue, **fault.pop("match", {})}
        with _armed(self.services.service_bus, "admin", {**fault, "match": match}) as struck:
            yield struck

    @contextlib.contextmanager
    def tokens_refused(self) -> Iterator[None]:
        """Let Service Bus refuse every key and every identity, whatever the queue, for as long as the context lasts."""
        fault = {"kind": "put-token", "action": "fail", "error": "amqp:unauthorized-access", "times": 1_000_000}
        with _armed(self.services.service_bus, "admin", fault):
            yield

    def _container(self) -> ContainerClient:
        return ContainerClient.from_connection_string(self.services.azurite.connection_string, self.names.container)

    @contextlib.contextmanager
    def _records(self) -> Iterator[ContainerProxy]:
        with CosmosClient(records_endpoint(self.services.cosmos.ports["http"]), RECORDS_KEY) as client:
            yield client.get_database_client(self.names.container).get_container_client("jobs")

    def _bus(self) -> ServiceBusClient:
        address = queue_connection_string(self.services.service_bus.ports["amqp"])
        return ServiceBusClient.from_connection_string(address)


@contextlib.contextmanager
def _armed(emulator: EmulatorProcess, port: str, fault: dict[str, Any]) -> Iterator[Callable[[], bool]]:
    """Arm a fault. Fails if nothing was struck by it: then the test tests something else than it says."""
    with contextlib.closing(FaultHook(emulator, port)) as hook:

        def struck() -> bool:
            (armed,) = hook.armed()
            return bool(armed["seen"] >= armed["nth"])

        hook.arm(**fault)
        yield struck
        assert struck(), f"no request was struck by {fault}"
