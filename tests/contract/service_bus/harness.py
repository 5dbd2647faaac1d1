"""What the tests share: an emulator process, its admin port, and the SDK in its two flavours behind one face.

Every link of the SDK costs about 0.5 s to open and as much to close; so links are opened side by side, and closed
together at the end of the session.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import json
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import azure.servicebus
import azure.servicebus.aio

from azure_local_emulators.process import EmulatorProcess

DEADLINE_S = 30.0
_CONNECT = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
_ATOM = "http://www.w3.org/2005/Atom"
_STOCKED = 4
_numbers = itertools.count(1)


class Namespace:
    """A running emulator: its queues, its counts, its faults."""

    def __init__(self, *args: str) -> None:
        self.process = EmulatorProcess("azure_local_emulators.service_bus", ["--port", "0", "--admin-port", "0", *args])
        self.process.start()

    def restart(self) -> None:
        """Kill the emulator and start it again on the same data, and other ports."""
        self.process.kill()
        self.start_again()

    def start_again(self) -> None:
        """Start a dead emulator on the same data, and other ports: somebody else may have taken the old ones."""
        self.process.kill()
        self.process.start()

    @property
    def connection_string(self) -> str:
        """As Microsoft's emulator documents it."""
        return (
            f"Endpoint=sb://127.0.0.1:{self.process.ports['amqp']};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        )

    def queue(self, **properties: str | int) -> str:
        """A new queue with these Atom properties; its name."""
        name = f"queue-{next(_numbers)}"
        elements = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in properties.items())
        body = (
            f'<entry xmlns="{_ATOM}"><content type="application/xml">'
            f'<QueueDescription xmlns="{_CONNECT}">{elements}</QueueDescription></content></entry>'
        )
        assert self.http("PUT", name, body.encode())[0] == 201
        return name

    def http(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of a plain HTTP request to the admin port."""
        url = f"http://127.0.0.1:{self.process.ports['admin']}/{path}"
        request = urllib.request.Request(url, data=body or None, method=method)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer of a route below `_emulator`."""
        encoded = json.dumps(body).encode() if body is not None else b""
        return json.loads(self.http(method, f"_emulator/{path}", encoded)[1])

    def counts(self, queue: str) -> dict[str, Any]:
        """What the queue holds now."""
        counts: dict[str, Any] = self.json("GET", "queues")[queue]
        return counts

    async def until(self, queue: str, **expected: int) -> None:
        """Wait until the queue's counts are these. Fails with what they are instead."""

        def reached() -> bool:
            counts = self.counts(queue)
            return all(counts[state] == number for state, number in expected.items())

        await eventually(reached, lambda: f"{queue} is {self.counts(queue)}; expected {expected}")

    def age(self, queue: str, seconds: float) -> None:
        """Let so much time pass for a queue."""
        assert self.json("POST", "age", {"entity": queue, "seconds": seconds}) == {"aged_s": seconds}

    def arm(self, **fault: Any) -> None:
        """Set a fault."""
        status, body = self.http("POST", "_emulator/faults", json.dumps(fault).encode())
        assert status == 201, body

    @contextlib.contextmanager
    def fault(self, entity: str, kind: str, action: str, error: str = "", **more: Any) -> Iterator[None]:
        """Set a fault of one queue for the time of a block."""
        self.arm(kind=kind, action=action, error=error, match={"entity": entity}, **more)
        try:
            yield
        finally:
            self.http("DELETE", "_emulator/faults")


async def eventually(reached: Callable[[], bool], explain: Callable[[], str], deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition that no event announces."""
    waited_until = time.monotonic() + deadline_s
    while not reached():
        assert time.monotonic() < waited_until, explain()
        await asyncio.sleep(0.02)


class Awaited:
    """A sender, receiver or client of either flavour; every method is awaited."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._wrapped, name)
        if not callable(member):
            return member
        if inspect.iscoroutinefunction(member):
            return member
        return lambda *args, **kwargs: asyncio.to_thread(member, *args, **kwargs)


class Sdk:
    """The unmodified SDK, in one flavour; retries are off, so that a test sees the first answer."""

    def __init__(self, flavour: str) -> None:
        self.flavour = flavour
        self._used: list[Any] = []
        self._closing: list[asyncio.Future[None]] = []
        self._stock: dict[str, deque[tuple[str, asyncio.Future[list[Any]]]]] = {}
        self.twin: Sdk | None = None

    def client(self, namespace: Namespace, **options: Any) -> Any:
        """A client of this flavour."""
        module = azure.servicebus.aio if self.flavour == "aio" else azure.servicebus
        options = {"retry_total": 0, **options}
        return module.ServiceBusClient.from_connection_string(namespace.connection_string, **options)

    async def sender(self, namespace: Namespace, queue: str, **options: Any) -> Any:
        """An open sender."""
        return await self.opened(self.client(namespace, **options).get_queue_sender(queue))

    async def receiver(self, namespace: Namespace, queue: str, **options: Any) -> Any:
        """An open receiver that waits 5 s at most unless told otherwise."""
        options = {"max_wait_time": 5, **options}
        return await self.opened(self.client(namespace).get_queue_receiver(queue, **options))

    async def fresh(self, namespace: Namespace, **properties: str | int) -> tuple[str, Any, Any]:
        """A new queue with a sender and a receiver, out of a stock that is opened ahead."""
        self._open_ahead(namespace, properties, 1 if properties else _STOCKED)
        if properties and self.twin:
            # The next test is the same one in the other flavour.
            self.twin._open_ahead(namespace, properties, 1)
        queue, opening = self._stock[_key(properties)].popleft()
        sender, receiver = await opening
        self._used += [sender, receiver]
        return queue, sender, receiver

    def _open_ahead(self, namespace: Namespace, properties: dict[str, str | int], count: int) -> None:
        stock = self._stock.setdefault(_key(properties), deque())
        while len(stock) < count:
            queue = namespace.queue(**properties)
            client = self.client(namespace)
            pair = client.get_queue_sender(queue), client.get_queue_receiver(queue, max_wait_time=5)
            stock.append((queue, asyncio.ensure_future(asyncio.gather(*map(self._start, pair)))))

    async def pair(self, namespace: Namespace, queue: str, **options: Any) -> tuple[Any, Any]:
        """A sender and a receiver, opened side by side."""
        both = await asyncio.gather(self.sender(namespace, queue), self.receiver(namespace, queue, **options))
        return both[0], both[1]

    def close_soon(self) -> None:
        """Begin to close what the test used; hundreds of idle links would slow the later tests down."""
        self._closing += [asyncio.ensure_future(_closed(link)) for link in self._used]
        self._used.clear()

    async def close(self) -> None:
        """Close everything that is open."""
        for stock in self._stock.values():
            for _, opening in stock:
                self._used += await opening
        self._stock.clear()
        self.close_soon()
        await asyncio.gather(*self._closing)

    async def opened(self, link: Any) -> Any:
        """Open a sender or receiver; it is closed after the test."""
        opened = await self._start(link)
        self._used.append(opened)
        return opened

    async def _start(self, link: Any) -> Any:
        if self.flavour == "aio":
            await link.__aenter__()
        else:
            await asyncio.to_thread(link.__enter__)
        return Awaited(link)


async def _closed(link: Any) -> None:
    # The emulator may be gone already, and then the SDK complains.
    with contextlib.suppress(Exception):
        await link.close()


def _key(properties: dict[str, str | int]) -> str:
    return repr(sorted(properties.items()))


async def receive(receiver: Any, count: int = 1, wait_s: float = DEADLINE_S) -> list[Any]:
    """Exactly `count` messages, in the order of arrival."""
    messages: list[Any] = []
    while len(messages) < count:
        more = await receiver.receive_messages(max_message_count=count - len(messages), max_wait_time=wait_s)
        assert more, f"{len(messages)} of {count} messages came"
        messages += more
    return messages


async def receive_one(receiver: Any, wait_s: float = DEADLINE_S) -> Any:
    """The next message."""
    return (await receive(receiver, 1, wait_s))[0]


def text(message: Any) -> str:
    """The body of a message."""
    return b"".join(message.body).decode()


def config(tmp_path: Path, *queues: tuple[str, dict[str, Any]]) -> Path:
    """A Config.json with these queues."""
    document = {
        "UserConfig": {
            "Namespaces": [
                {"Name": "sbemulatorns", "Queues": [{"Name": name, "Properties": given} for name, given in queues]}
            ],
            "Logging": {"Type": "File"},
        }
    }
    path = tmp_path / "Config.json"
    path.write_text(json.dumps(document))
    return path
