"""When the storage stands still the client's socket stands still: what it sends is not heaped up on the way."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.conftest import RunSystem
from tests.services.http.streaming import AFTER, BEFORE, CHUNK, post_form
from tests.services.http.test_submit import FORM
from tests.stack.azurite import AzuriteProcess
from tests.stack.client import ANSWER_S
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

BLOCK_BYTES = 512 * 1024
SIZE_BYTES = 128 * len(CHUNK)
MOST_SENT_BYTES = SIZE_BYTES // 2  # Three blocks; the rest is what the socket buffers of both ends may hold.
STANDS_STILL_S = 0.5
BLOCK_TIMEOUT_S = 8  # Far longer than the storage stands still where the upload is to go on.


@pytest.fixture(scope="module")
def stores(services: Services, name_stock: NameStock) -> Stores:
    """What the module's system has stored."""
    return Stores(services, name_stock.take())


@pytest.fixture(scope="module")
def running(run_system: RunSystem, stores: Stores) -> Iterator[System]:
    """Smaller blocks than by default, and a shorter wait for each."""
    env = {"CLAIMCHECK_BLOBS__BLOCK_BYTES": str(BLOCK_BYTES), "CLAIMCHECK_WEB__BLOCK_TIMEOUT_S": str(BLOCK_TIMEOUT_S)}
    with run_system(workers=0, env=env, names=stores.names) as system:
        yield system


@contextmanager
def frozen(azurite: AzuriteProcess) -> Iterator[None]:
    """The storage stands still inside."""
    azurite.pause()
    try:
        yield
    finally:
        azurite.resume()


class Sender:
    """An upload of SIZE_BYTES over a bare socket: it knows how much was taken from it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.connection = socket.create_connection((parts.hostname, parts.port))
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
        length = len(BEFORE) + SIZE_BYTES + len(AFTER)
        self.connection.sendall(f"{head}Content-Length: {length}\r\n\r\n{BEFORE}".encode())
        self.sent_bytes = 0

    def close(self) -> None:
        """Close the socket."""
        self.connection.close()

    def send_until_it_stands_still(self) -> None:
        """Send until nothing is taken for a while, or all of the file is sent."""
        self.connection.settimeout(STANDS_STILL_S)
        try:
            while self.sent_bytes < SIZE_BYTES:
                self._send_some()
        except TimeoutError:
            return

    def send_the_rest(self) -> None:
        """Send the rest of the body."""
        self.connection.settimeout(ANSWER_S)
        while self.sent_bytes < SIZE_BYTES:
            self._send_some()
        self.connection.sendall(AFTER.encode())

    def answer(self) -> str:
        """The begin of the answer."""
        self.connection.settimeout(ANSWER_S)
        return self.connection.recv(4096).decode()

    def _send_some(self) -> None:
        begin = self.sent_bytes % len(CHUNK)
        self.sent_bytes += self.connection.send(CHUNK[begin:])


def test_client_waits_for_the_storage_and_goes_on_with_it(running: System, azurite: AzuriteProcess) -> None:
    with closing(Sender(running.process_url)) as sender:
        with frozen(azurite):
            sender.send_until_it_stands_still()
            assert 0 < sender.sent_bytes <= MOST_SENT_BYTES
        sender.send_the_rest()
        assert sender.answer().startswith("HTTP/1.1 202 ")


def test_storage_that_stays_still_is_unavailable(running: System, azurite: AzuriteProcess, stores: Stores) -> None:
    jobs, blobs = stores.items("job"), set(stores.blobs())
    with closing(Sender(running.process_url)) as sender, frozen(azurite):
        sender.send_until_it_stands_still()
        assert sender.sent_bytes <= MOST_SENT_BYTES
        assert sender.answer().startswith("HTTP/1.1 503 ")
    assert post_form(running.process_url, 10 * BLOCK_BYTES).status_code == 202
    assert len(stores.items("job")) == len(jobs) + 1
    assert len(stores.blobs()) == len(blobs) + 1
    assert "never retrieved" not in running.logs("process-api")
