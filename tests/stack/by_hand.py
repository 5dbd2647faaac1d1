"""What befalls messages besides being run: given up, parked, lost, expired, old. Done by hand, with the SDK."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import httpx
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue

from claimcheck.commands.up.addresses import HOST, queue_connection_string
from tests.stack.client import ANSWER_S
from tests.stack.names import LOCK_S
from tests.stack.stores import Stores

MAX_DELIVERY_COUNT = 10
TAKE_S = 20.0


@dataclass(frozen=True)
class ByHand:
    """Handles the queue that `stores` looks at. No worker may receive from it meanwhile."""

    stores: Stores

    def exhaust(self, count: int = 1) -> None:
        """Take each of the first messages as often as the broker allows, and give it back: then it is parked."""
        with self._bus() as bus, bus.get_queue_receiver(self.stores.queue) as receiver:
            for _ in range(count * MAX_DELIVERY_COUNT):
                (received,) = receiver.receive_messages(max_message_count=1, max_wait_time=TAKE_S)
                receiver.abandon_message(received)

    def take_off(self, count: int = 1) -> list[bytes]:
        """Take the first messages off the queue, as if they had never been sent; their bodies."""
        return self._taken(count, None)

    def take_off_letters(self, count: int = 1) -> list[bytes]:
        """The same for dead letters."""
        return self._taken(count, ServiceBusSubQueue.DEAD_LETTER)

    def _taken(self, count: int, part: ServiceBusSubQueue | None) -> list[bytes]:
        how = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        with (
            self._bus() as bus,
            bus.get_queue_receiver(self.stores.queue, receive_mode=how, sub_queue=part) as receiver,
        ):
            bodies: list[bytes] = []
            while len(bodies) < count:
                received = receiver.receive_messages(max_message_count=count - len(bodies), max_wait_time=TAKE_S)
                assert received, f"{self.stores.queue} has {len(bodies)} messages; {count} are expected"
                bodies += [b"".join(message.body) for message in received]
            return bodies

    def park(self, body: bytes, *, reason: str = "test", description: str = "by hand") -> None:
        """Send a message and dead-letter it."""
        with (
            self._bus() as bus,
            bus.get_queue_sender(self.stores.queue) as sender,
            bus.get_queue_receiver(self.stores.queue) as receiver,
        ):
            sender.send_messages(ServiceBusMessage(body))
            (received,) = receiver.receive_messages(max_message_count=1, max_wait_time=TAKE_S)
            assert b"".join(received.body) == body
            receiver.dead_letter_message(received, reason=reason, error_description=description)

    def send_mortal(self, body: bytes, lives: timedelta) -> None:
        """Send a message that expires."""
        with self._bus() as bus, bus.get_queue_sender(self.stores.queue) as sender:
            sender.send_messages(ServiceBusMessage(body, time_to_live=lives))

    def age(self, passed: timedelta) -> None:
        """Let everything on the queue and its dead letters have happened so much earlier."""
        address = f"http://{HOST}:{self.stores.services.service_bus.ports['admin']}/_emulator/age"
        body = {"entity": self.stores.queue, "seconds": passed.total_seconds()}
        httpx.post(address, json=body, timeout=ANSWER_S).raise_for_status()

    def end_leases(self) -> None:
        """Let every lease on the queue and its dead letters run out."""
        self.age(timedelta(seconds=LOCK_S))

    def _bus(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(
            queue_connection_string(self.stores.services.service_bus.ports["amqp"])
        )
