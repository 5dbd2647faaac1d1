"""The queue of a run: what is on it, what is leased, and how time passes for it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from claimcheck.errors import MessageRejected
from claimcheck.messages import Message, decode
from claimcheck.messaging import Delivery, Peeked, Queues

LOCK_S = 300.0  # The longest that Service Bus has: no lock ends by itself while a run lasts.
MAX_DELIVERIES = 10
PEEKED = 200  # More than a run ever has on its queue.


@dataclass
class Line:
    """One queue, `speech` of the settings, and its dead letters."""

    name: str
    admin: httpx.AsyncClient
    """Of the emulator."""
    queues: Queues
    sender: ServiceBusSender
    receiver: ServiceBusReceiver
    """For deliveries that nobody of ours sees."""
    letters: ServiceBusReceiver
    client: ServiceBusClient
    leased: set[int] = field(default_factory=set)
    """Sequence numbers of what was delivered since leases last ended; what was settled is not on it any more."""
    leased_letters: set[int] = field(default_factory=set)
    """The same of dead letters."""

    async def peek(self) -> list[Peeked]:
        """Everything on it."""
        return await self.queues.peek("speech", from_number=1, limit=PEEKED)

    async def waiting(self) -> list[Peeked]:
        """What a receiver would get now, in that order."""
        return [seen for seen in await self.peek() if not seen.scheduled and seen.sequence_number not in self.leased]

    async def letters_waiting(self) -> bool:
        """Whether a receiver of dead letters would get one now."""
        found = await self.letters.peek_messages(max_message_count=PEEKED, sequence_number=1)
        return any(letter.sequence_number not in self.leased_letters for letter in found)

    async def dead(self) -> list[bytes]:
        """Bodies of the dead letters."""
        found = await self.letters.peek_messages(max_message_count=PEEKED, sequence_number=1)
        return [b"".join(letter.body) for letter in found]

    async def send(self, body: bytes, message_id: str) -> None:
        """Put a copy on it, as a client of the broker that is none of ours."""
        await self.sender.send_messages(ServiceBusMessage(body, message_id=message_id))

    async def send_anew(self, body: bytes) -> None:
        """The same under an id that the broker has never seen."""
        await self.send(body, f"copy:{secrets.token_hex(8)}")

    def note_lease(self, delivery: Delivery, *, letter: bool = False) -> None:
        """A delivery is somebody's now. `letter`: of a dead letter."""
        (self.leased_letters if letter else self.leased).add(int(delivery.sequence_number))

    async def exhaust_first(self) -> str:
        """Let the first message be delivered as often as the broker allows, to receivers that die; its job's id."""
        (first, *_) = await self.waiting()
        for _ in range(MAX_DELIVERIES):
            for received in await self.receiver.receive_messages(max_message_count=1, max_wait_time=30):
                await self.receiver.abandon_message(received)
            if first.sequence_number not in {seen.sequence_number for seen in await self.peek()}:
                break
        return job_of(first.body)

    async def age(self, seconds: float) -> list[str]:
        """Let time pass: leases end, retries come due, ids are forgotten. The jobs whose leases have ended."""
        assert seconds > LOCK_S, "every lease or none ends"
        ended = [job_of(seen.body) for seen in await self.peek() if seen.sequence_number in self.leased]
        self.leased.clear()
        self.leased_letters.clear()
        answer = await self.admin.post("/_emulator/age", json={"entity": self.name, "seconds": seconds})
        answer.raise_for_status()
        return ended

    async def clear(self) -> None:
        """Take everything off, whatever state it is in."""
        await self.age(3 * 24 * 3600.0)
        for part in (None, ServiceBusSubQueue.DEAD_LETTER):
            left = await self._count(part)
            if not left:
                continue
            async with self.client.get_queue_receiver(
                self.name, sub_queue=part, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
            ) as receiver:
                while left > 0:
                    left -= len(await receiver.receive_messages(max_message_count=left, max_wait_time=5))

    async def _count(self, part: ServiceBusSubQueue | None) -> int:
        counts: Mapping[str, Any] = (await self.admin.get("/_emulator/queues")).json()[self.name]
        return int(counts["dead_lettered"] if part else counts["active"])


def decoded(body: bytes) -> Message | None:
    """The message in a body, if it is one of this release."""
    try:
        return decode(body)
    except MessageRejected:
        return None


def job_of(body: bytes) -> str:
    """The id of the message's job; empty for what is none of ours."""
    message = decoded(body)
    return message.job_id if message else ""
