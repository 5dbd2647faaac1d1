"""Bytes that no honest client sends: the emulator hangs up, and goes on serving everybody else."""

from __future__ import annotations

import asyncio
import random
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from azure_local_emulators.service_bus.amqp_types import Described, Symbol, UInt, ULong, UShort
from azure_local_emulators.service_bus.frames import (
    AMQP_HEADER,
    ATTACH,
    BEGIN,
    CLOSE,
    COORDINATOR,
    DETACH,
    DISPOSITION,
    FLOW,
    OPEN,
    TRANSFER,
    Frame,
    FrameReader,
    described_list,
    performative,
    transfer,
)

from .harness import DEADLINE_S, Namespace, Sdk

pytestmark = pytest.mark.asyncio(loop_scope="session")

_SOURCE, _TARGET = 0x28, 0x29


class RawClient:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()

    @classmethod
    async def connect(cls, namespace: Namespace) -> RawClient:
        return cls(*await asyncio.open_connection("127.0.0.1", namespace.process.ports["amqp"]))

    @classmethod
    async def with_session(cls, namespace: Namespace) -> RawClient:
        client = await cls.connect(namespace)
        client.send(AMQP_HEADER + performative(0, OPEN, "raw", None, UInt(65_536), UShort(10), None))
        client.send(performative(0, BEGIN, None, UInt(0), UInt(1000), UInt(1000), UInt(10)))
        return client

    def attach_sender(self, target: Any, handle: int = 0) -> None:
        source = described_list(_SOURCE, "me")
        fields = ("link", UInt(handle), False, None, None, source, target, None, None, UInt(0))
        self.send(performative(0, ATTACH, *fields))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def until_closed(self) -> list[Frame]:
        """Every frame until the emulator hangs up."""
        found: list[Frame] = []
        async with asyncio.timeout(DEADLINE_S):
            while data := await self._reader.read(65_536):
                found += [item for item in self._frames.feed(data) if isinstance(item, Frame)]
        await self.close()
        return found

    async def until(self, descriptor: int) -> Frame:
        """The next frame of a kind."""
        async with asyncio.timeout(DEADLINE_S):
            while data := await self._reader.read(65_536):
                for item in self._frames.feed(data):
                    if isinstance(item, Frame) and item.descriptor == descriptor:
                        return item
        raise AssertionError(f"no frame {descriptor:#x} came")

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def condition(frame: Frame, field: int = 0) -> str:
    """The error condition in a close or a detach."""
    return str(frame.fields[field].value[0])


def resident_kb(namespace: Namespace) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{namespace.process.pid}/status").read_text())
    assert found
    return int(found[1])


NOISE = random.Random(7).randbytes(20_000)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"AMQP\x02\x01\x00\x00",
        b"AMQP\x00\x00\x09\x01",
        NOISE,
        AMQP_HEADER + NOISE,
        AMQP_HEADER + b"\xff\xff\xff\xff\x02\x00\x00\x00",
        AMQP_HEADER + b"\x00\x00\x00\x04\x02\x00\x00\x00",
        AMQP_HEADER + b"\x00\x00\x00\x0c\x01\x00\x00\x00abcd",
        AMQP_HEADER + b"\x00\x00\x00\x0c\x02\x07\x00\x00abcd",
        AMQP_HEADER + performative(0, BEGIN, None, UInt(0), UInt(1), UInt(1)),
        AMQP_HEADER + struct.pack(">IBBH", 8 + 600, 2, 0, 0) + b"\xc0\x03\x01" * 200,
    ],
    ids=lambda data: repr(data[:24]),
)
async def test_what_is_no_amqp_ends_the_connection(namespace: Namespace, data: bytes) -> None:
    client = await RawClient.connect(namespace)
    client.send(data)
    await client.until_closed()
    assert namespace.http("GET", "healthz")[0] == 200


@pytest.mark.parametrize(
    "frame",
    [
        performative(0, ATTACH),
        performative(0, ATTACH, 1, "handle", True),
        performative(0, ATTACH, "name", UInt(4_000_000_000), True),
        performative(0, ATTACH, "name", UInt(0), False, None, None, None, described_list(_TARGET, "http://[")),
        performative(0, TRANSFER, "handle"),
        performative(0, FLOW, None, None, None, None, "handle"),
        performative(0, DISPOSITION, True, "first"),
        performative(0, DETACH),
        performative(0, 0x77, UInt(1)),
        performative(0, BEGIN, None, UInt(0), UInt(1), UInt(1)),
        performative(300, BEGIN, None, UInt(0), UInt(1), UInt(1)),
        performative(0, OPEN, "raw", None, "big"),
    ],
    ids=lambda frame: repr(frame[8:24]),
)
async def test_a_frame_with_nonsense_in_it_closes_the_connection_with_a_reason(
    namespace: Namespace, frame: bytes
) -> None:
    client = await RawClient.with_session(namespace)
    client.send(frame)
    closed = (await client.until_closed())[-1]
    assert closed.descriptor == CLOSE
    assert condition(closed).startswith("amqp:")
    assert condition(closed) != "amqp:internal-error"


async def test_a_disposition_of_four_billion_deliveries_takes_no_time(namespace: Namespace) -> None:
    client = await RawClient.with_session(namespace)
    client.send(performative(0, DISPOSITION, True, UInt(0), UInt(2**32 - 1), True, described_list(0x24)))
    client.send(performative(0, CLOSE, None))
    assert (await client.until_closed())[-1].descriptor == CLOSE


async def test_a_truncated_frame_waits_and_harms_nobody(namespace: Namespace, aio: Sdk) -> None:
    client = await RawClient.connect(namespace)
    client.send(AMQP_HEADER + b"\x00\x00\x10\x00\x02\x00\x00\x00half a frame")
    queue, sender, _ = await aio.fresh(namespace)
    await sender.send_messages(ServiceBusMessage("x"))
    assert namespace.counts(queue)["active"] == 1
    await client.close()


async def test_an_endless_message_is_thrown_away_as_it_comes(namespace: Namespace) -> None:
    client = await RawClient.with_session(namespace)
    client.attach_sender(described_list(_TARGET, namespace.queue()))
    before_kb, chunk = resident_kb(namespace), bytes(65_000)
    for _ in range(1000):  # 65 MB in one message of 256 KB at most
        client.send(transfer(0, chunk, UInt(0), UInt(0), b"tag", UInt(0), False, True))
    client.send(transfer(0, b"end", UInt(0), UInt(0), b"tag", UInt(0), False, False))
    rejected = await client.until(DISPOSITION)
    assert str(rejected.fields[4].value[0].value[0]) == "amqp:link:message-size-exceeded"
    assert resident_kb(namespace) - before_kb < 20_000
    await client.close()


async def test_half_sent_messages_on_many_links_end_the_connection(namespace: Namespace) -> None:
    queue, client = namespace.queue(), await RawClient.with_session(namespace)
    for handle in range(70):  # The last one crosses the limit of 4 MB.
        client.attach_sender(described_list(_TARGET, queue), handle)
        client.send(transfer(0, bytes(60_000), UInt(handle), UInt(handle), b"t", UInt(0), False, True))
    assert condition((await client.until_closed())[-1]) == "amqp:resource-limit-exceeded"


async def test_a_message_that_cannot_be_read_is_rejected_and_the_link_lives_on(namespace: Namespace) -> None:
    client = await RawClient.with_session(namespace)
    client.attach_sender(described_list(_TARGET, namespace.queue()))
    client.send(transfer(0, b"\x00\x53\x75\xa0\xff", UInt(0), UInt(0), b"t", UInt(0), False, False))
    rejected = await client.until(DISPOSITION)
    assert str(rejected.fields[4].value[0].value[0]) == "amqp:decode-error"
    client.send(transfer(0, b"\x00\x53\x75\xa0\x01x", UInt(0), UInt(1), b"t", UInt(0), False, False))
    accepted = await client.until(DISPOSITION)
    assert accepted.fields[4] == Described(ULong(0x24), [])
    await client.close()


async def test_a_transaction_coordinator_is_refused(namespace: Namespace) -> None:
    client = await RawClient.with_session(namespace)
    client.attach_sender(described_list(COORDINATOR, [Symbol("amqp:local-transactions")]))
    assert condition(await client.until(DETACH), 2) == "amqp:not-implemented"
    await client.close()


async def test_an_idle_client_that_asks_for_it_hears_a_heartbeat(namespace: Namespace) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", namespace.process.ports["amqp"])
    writer.write(AMQP_HEADER + performative(0, OPEN, "raw", None, UInt(65_536), UShort(10), UInt(400)))
    async with asyncio.timeout(DEADLINE_S):
        data = b""
        while data.count(b"\x00\x00\x00\x08\x02\x00\x00\x00") < 3:
            data += await reader.read(1000)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "data", [b"\r\n\r\n", b"GET\r\n\r\n", b"\x16garbage" * 9, b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
async def test_what_is_no_http_ends_the_admin_connection(namespace: Namespace, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", namespace.process.ports["admin"])
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(DEADLINE_S):
        await reader.read()
    writer.close()
    assert namespace.http("GET", "healthz")[0] == 200
