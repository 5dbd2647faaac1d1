"""Clients that are slow or many, and a storage that is slow: an installation with keys and small limits."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from claimcheck.web.access import key_hash
from tests.conftest import RunSystem
from tests.services.http.conftest import BLOCK_BYTES
from tests.services.http.test_refusals import refused
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

MIB = 1024 * 1024
LIMIT_BYTES = 64 * MIB
WINDOW_S, WINDOW_BYTES = 4.0, 2048  # of the impatient installation
PLACES, PLACES_OF_ALL = 2, 3
KEYS = {"key-of-acme": "acme", "key-of-globex": "globex"}
OPERATOR = "key-of-the-operator"
STARTS = (
    "POST /v1/jobs?task=probe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n"
)


@dataclass(frozen=True)
class Guarded:
    """The installation."""

    system: System
    stores: Stores
    services: Services

    @contextlib.contextmanager
    def upload(self, *, key: str = "key-of-acme", length_bytes: int = MIB) -> Iterator[socket.socket]:
        """A connection on which an upload has begun."""
        where = urlsplit(self.system.process_url)
        with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
            connection.sendall(STARTS.format(key=key, length=length_bytes).encode())
            yield connection

    def post(self, key: str) -> httpx.Response:
        """Whatever a small upload is answered."""
        address = f"{self.system.process_url}/v1/jobs?task=probe"
        return httpx.post(address, content=b"hello", headers={"X-API-Key": key}, timeout=20)

    def under_way(self, key: str = OPERATOR) -> httpx.Response:
        """Whatever an operator is answered."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.get(f"{self.system.process_url}/v1/operator/uploads", headers=headers, timeout=20)

    def until_under_way(self, tenants: dict[str, int]) -> dict[str, Any]:
        """Wait until the tenants have this many uploads under way; the operator's view of them."""

        def has_them() -> bool:
            return {name: held["uploads"] for name, held in self.under_way().json()["tenants"].items()} == tenants

        until(has_them, f"{tenants} are under way")
        seen: dict[str, Any] = self.under_way().json()
        return seen


@contextlib.contextmanager
def installation(run_system: RunSystem, services: Services, name_stock: NameStock, **more: str) -> Iterator[Guarded]:
    """An installation with keys and small limits, and without a worker."""
    names = name_stock.take()
    keys = ", ".join(f'"{key_hash(key)}": "{tenant}"' for key, tenant in KEYS.items())
    env = {
        "CLAIMCHECK_WEB__KEYS": f"{{{keys}}}",
        "CLAIMCHECK_WEB__OPERATOR_KEYS": f'["{key_hash(OPERATOR)}"]',
        "CLAIMCHECK_WEB__UPLOADS_PER_TENANT": str(PLACES),
        "CLAIMCHECK_WEB__UPLOADS": str(PLACES_OF_ALL),
        "CLAIMCHECK_WEB__MAX_UPLOAD_BYTES": str(LIMIT_BYTES),
        "CLAIMCHECK_BLOBS__BLOCK_BYTES": str(BLOCK_BYTES),
        **more,
    }
    with run_system(names=names, workers=0, env=env) as system:
        yield Guarded(system, Stores(services, names), services)


@pytest.fixture(scope="module")
def impatient(run_system: RunSystem, services: Services, name_stock: NameStock) -> Iterator[Guarded]:
    """One that soon gives up an upload of which nothing comes."""
    window = {
        "CLAIMCHECK_WEB__BODY_WINDOW_S": str(WINDOW_S),
        "CLAIMCHECK_WEB__BODY_WINDOW_BYTES": str(WINDOW_BYTES),
    }
    with installation(run_system, services, name_stock, **window) as impatient:
        yield impatient


@pytest.fixture(scope="module")
def patient(run_system: RunSystem, services: Services, name_stock: NameStock) -> Iterator[Guarded]:
    """One that holds an upload's place while a test looks."""
    with installation(run_system, services, name_stock) as patient:
        yield patient


@pytest.fixture
def guarded(patient: Guarded) -> Guarded:
    """The same, when no upload of an earlier test has a place."""
    patient.until_under_way({})
    return patient


def test_upload_that_stops_arriving_is_408_and_leaves_nothing(impatient: Guarded) -> None:
    jobs, blobs = len(impatient.stores.items("job")), impatient.stores.blobs()
    with impatient.upload() as connection:
        connection.sendall(b"x" * (3 * BLOCK_BYTES + 10))
        started = time.monotonic()
        answer = connection.recv(65536)
        took_s = time.monotonic() - started
        while more := connection.recv(65536):
            answer += more
    assert b" 408 " in answer.splitlines()[0]
    assert b"upload-too-slow" in answer
    assert took_s < 5 * WINDOW_S
    assert (len(impatient.stores.items("job")), impatient.stores.blobs()) == (jobs, blobs)
    assert "upload.too_slow" in impatient.system.logs("process-api")


def test_upload_that_trickles_is_408(impatient: Guarded) -> None:
    with impatient.upload() as connection:
        sent, ends_at = 0, time.monotonic() + 10 * WINDOW_S
        # Ten bytes, then up to a fiftieth of the window for an answer.
        while not select.select([connection], [], [], WINDOW_S / 50)[0]:
            assert time.monotonic() < ends_at, "it trickles on"
            sent += connection.send(b"x" * 10)
        answer = connection.recv(65536)
    assert b" 408 " in answer.splitlines()[0]
    assert f"in {WINDOW_S:g} s; at least {WINDOW_BYTES:,} are expected".encode() in answer
    assert sent < WINDOW_BYTES


def test_tenant_with_too_many_uploads_is_429_until_one_ends(guarded: Guarded) -> None:
    with guarded.upload() as first, guarded.upload():
        seen = guarded.until_under_way({"acme": 2})
        assert seen == {"tenants": {"acme": {"uploads": 2, "limit": PLACES}}}
        answer = guarded.post("key-of-acme")
        refused(answer, 429, "too-many-uploads", "2 uploads are under way; the limit is 2")
        assert int(answer.headers["retry-after"]) >= 1
        assert guarded.post("key-of-globex").status_code == 202
        first.close()
        guarded.until_under_way({"acme": 1})
        assert guarded.post("key-of-acme").status_code == 202
    guarded.until_under_way({})


def test_upload_too_many_is_429_before_its_body_is_read(guarded: Guarded) -> None:
    with guarded.upload(), guarded.upload():
        guarded.until_under_way({"acme": 2})
        with guarded.upload() as third:
            assert b" 429 " in third.recv(65536).splitlines()[0]


def test_tenants_together_with_too_many_uploads_are_503_until_one_ends(guarded: Guarded) -> None:
    with guarded.upload() as first, guarded.upload(), guarded.upload(key="key-of-globex"):
        guarded.until_under_way({"acme": 2, "globex": 1})
        answer = guarded.post("key-of-globex")
        refused(answer, 503, "server-full", "3 uploads of all clients are under way here; the limit is 3")
        assert int(answer.headers["retry-after"]) >= 1
        first.close()
        guarded.until_under_way({"acme": 1, "globex": 1})
        assert guarded.post("key-of-globex").status_code == 202
    guarded.until_under_way({})


def test_only_operators_see_who_uploads(guarded: Guarded) -> None:
    refused(guarded.under_way(""), 401, "unauthenticated")
    refused(guarded.under_way("key-of-acme"), 403, "operators-only")
    refused(guarded.under_way("key-of-nobody"), 403, "operators-only")
    assert guarded.under_way().status_code == 200


def test_operators_key_opens_no_tenant(guarded: Guarded) -> None:
    refused(guarded.post(OPERATOR), 401, "unauthenticated")


def test_slow_storage_slows_the_client_and_fills_no_memory(impatient: Guarded) -> None:
    """With the storage frozen, only what the sockets and some blocks hold is taken; thawed, the upload ends well."""
    process = impatient.system.programs["process-api"].process
    assert process is not None
    memory = psutil.Process(process.pid)
    assert impatient.post("key-of-acme").status_code == 202
    before_bytes = memory.memory_info().rss
    piece = bytes(MIB)
    with impatient.upload(length_bytes=LIMIT_BYTES) as connection:
        impatient.services.azurite.pause()
        try:
            sent_bytes = _send_until_blocked(connection, piece)
            grown_bytes = memory.memory_info().rss - before_bytes
        finally:
            impatient.services.azurite.resume()
        assert sent_bytes < LIMIT_BYTES / 2
        assert grown_bytes < 16 * MIB
        while sent_bytes < LIMIT_BYTES:
            sent_bytes += connection.send(piece[: LIMIT_BYTES - sent_bytes])
        answer = connection.recv(65536)
    assert b" 202 " in answer.splitlines()[0]


def _send_until_blocked(connection: socket.socket, piece: bytes) -> int:
    """Bytes that went out until no more would for longer than the time in which a client must send."""
    sent_bytes = 0
    while sent_bytes < LIMIT_BYTES and select.select([], [connection], [], 1.5 * WINDOW_S)[1]:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sent_bytes += connection.send(piece)
        connection.settimeout(20)
    return sent_bytes
