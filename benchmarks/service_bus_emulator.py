"""How fast the Service Bus emulator is: `python -m benchmarks.service_bus_emulator`.

Prints start time, memory, idle CPU, and messages per second from one client through the unmodified `azure-servicebus`,
with and without a journal, next to the goals. Sends and completes are awaited one after another: that is how the SDK is
fastest, and client and emulator share the machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence

import psutil
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from azure_local_emulators.process import EmulatorProcess
from azure_local_emulators.service_bus.atom import CONTENT_TYPE

MESSAGES = 5_000
PREFETCH = 50
IDLE_S = 3.0
BODY = b"x" * 256
"""About what a reference to a job takes."""
QUEUE = (
    b'<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><QueueDescription '
    b'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/></content></entry>'
)


def say(what: str, measured: str, goal: str) -> None:
    """Print one line."""
    sys.stdout.write(f"  {what:<28}{measured:>12}   goal {goal}\n")
    sys.stdout.flush()


async def make_queue(admin_port: int) -> None:
    """Create the queue `bench`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", admin_port)
    head = f"PUT /bench HTTP/1.1\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(QUEUE)}\r\n\r\n"
    writer.write(head.encode() + QUEUE)
    assert b" 201 " in await reader.readline()
    writer.close()


async def idle_cpu_percent(process: psutil.Process) -> float:
    """CPU of a process that nobody asks anything."""
    before = process.cpu_times()
    await asyncio.sleep(IDLE_S)
    after = process.cpu_times()
    return 100 * abs(after.user + after.system - before.user - before.system) / IDLE_S


async def sends_per_s(sender: ServiceBusSender) -> float:
    """Messages sent one after another."""
    started = time.perf_counter()
    for number in range(MESSAGES):
        await sender.send_messages(ServiceBusMessage(BODY, message_id=str(number)))
    return MESSAGES / (time.perf_counter() - started)


async def completes_per_s(receiver: ServiceBusReceiver) -> float:
    """Messages received with prefetch and completed one after another."""
    started, completed = time.perf_counter(), 0
    while completed < MESSAGES:
        for message in await receiver.receive_messages(max_message_count=PREFETCH, max_wait_time=5):
            await receiver.complete_message(message)
            completed += 1
    return MESSAGES / (time.perf_counter() - started)


async def measure(title: str, args: Sequence[str]) -> None:
    """Start an emulator, measure it, stop it."""
    sys.stdout.write(f"{title}\n")
    emulator = EmulatorProcess("azure_local_emulators.service_bus", ["--port", "0", "--admin-port", "0", *args])
    started = time.perf_counter()
    emulator.start()
    say("start", f"{time.perf_counter() - started:.2f} s", "< 0.5 s")
    try:
        process = psutil.Process(emulator.pid)
        say("memory, idle", f"{process.memory_info().rss / 2**20:.0f} MiB", "< 80 MiB")
        say("CPU, idle", f"{await idle_cpu_percent(process):.1f} %", "0 %")
        await make_queue(emulator.ports["admin"])
        address = (
            f"Endpoint=sb://127.0.0.1:{emulator.ports['amqp']};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        )
        async with ServiceBusClient.from_connection_string(address) as client:
            async with client.get_queue_sender("bench") as sender:
                say("sends", f"{await sends_per_s(sender):,.0f}/s", ">= 3,000/s without a journal")
            async with client.get_queue_receiver("bench", prefetch_count=PREFETCH) as receiver:
                say("receive + complete", f"{await completes_per_s(receiver):,.0f}/s", ">= 3,000/s without a journal")
        say("memory, afterwards", f"{process.memory_info().rss / 2**20:.0f} MiB", "< 80 MiB")
    finally:
        emulator.stop()


async def main() -> None:
    """Measure both ways of keeping messages."""
    await measure("in memory", [])
    with tempfile.TemporaryDirectory() as folder:
        await measure("with a journal", ["--data", folder])


if __name__ == "__main__":
    asyncio.run(main())
