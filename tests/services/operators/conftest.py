"""One system with an operator's key for all tests here, and letters and jobs written behind its back."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.cosmos import CosmosClient

from claimcheck.blobs import Blobs
from claimcheck.commands.up.addresses import RECORDS_KEY, records_endpoint
from claimcheck.dead_letters import NOBODY, DeadLetter, encoded
from claimcheck.errors import DeadLettered
from claimcheck.job import End, Job, PartItem, Status, Upload, new_job, timestamp
from claimcheck.operator_queries import LetterId
from claimcheck.protocol import message_for
from claimcheck.records import Records
from claimcheck.web.access import key_hash
from tests.conftest import RunSystem
from tests.stack.client import Client
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

KEYS = {tenant: f"cck_key-of-{tenant}" for tenant in ("default", "acme")}
OPERATOR_KEY = "cck_key-of-the-operator"
LETTERS = "/v1/operator/dead-letters"
TTL_S = 3600
UPLOAD = b"the upload"

Body = dict[str, Any]


def keyed() -> dict[str, str]:
    """What tells a system of the keys, and to wait for its dependencies."""
    return {
        "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "10",
        "CLAIMCHECK_WEB__KEYS": json.dumps({key_hash(key): tenant for tenant, key in KEYS.items()}),
        "CLAIMCHECK_WEB__OPERATOR_KEYS": json.dumps([key_hash(OPERATOR_KEY)]),
    }


def with_key(client: Client, key: str) -> Client:
    """The client, sending this key with every request."""
    for api in (client.process, client.status):
        api.headers["X-API-Key"] = key
    return client


@pytest.fixture(scope="package")
def stores(services: Services, name_stock: NameStock) -> Stores:
    """What the system has stored."""
    return Stores(services, name_stock.take())


@pytest.fixture(scope="package")
def running(run_system: RunSystem, stores: Stores) -> Iterator[System]:
    """Both APIs and a worker, with keys; no test ends one of them."""
    with run_system(names=stores.names, env={**keyed(), "CLAIMCHECK_WORKER__SLOTS": "4"}) as system:
        yield system


@pytest.fixture(scope="package")
def client(running: System) -> Iterator[Client]:
    """A client of the tenant `default`."""
    with Client(running.process_url, running.status_url) as client:
        yield with_key(client, KEYS["default"])


@dataclass(frozen=True)
class Office:
    """An operator at work, and what there is to do."""

    records: Records
    blobs: Blobs
    stores: Stores
    api: httpx.Client
    """With the operator's key."""

    async def job(
        self,
        *,
        tenant: str = "default",
        task: str = "probe",
        options: Body | None = None,
        stage: str = "probe",
        status: Status = Status.FAILED,
        **changes: Any,
    ) -> Job:
        """A job that was given up, with its upload; `changes` of its record."""
        now, job_id = datetime.now(UTC), str(uuid.uuid4())
        blob = f"uploads/{tenant}/{job_id}/{secrets.token_hex(8)}"
        await self.blobs.put(blob, UPLOAD, "text/plain")
        fresh = new_job(
            tenant=tenant,
            job_id=job_id,
            task=task,
            options={"do": "read"} if options is None else options,
            upload=Upload(blob=blob, name="a.txt", media_type="text/plain", size_bytes=len(UPLOAD), sha256="0" * 64),
            stage=stage,
            epoch=secrets.token_hex(4),
            now=now,
            deadline_at=now + timedelta(hours=1),
        )
        error = DeadLettered("the message was given up").problem() if status == Status.FAILED else None
        ended = {"end": End(at=now, error=error), "ttl": TTL_S} if status not in ("queued", "running") else {}
        return await self.records.create_job(fresh.model_copy(update={"status": status, **ended, **changes}))

    def part(self, job: Job, stage: str, number: int, *, skipped: bool = False) -> None:
        """A part that the job has finished, marked as its own."""
        item = PartItem(
            id=PartItem.id_of(job, stage, number),
            tenant=job.tenant,
            job_id=job.job_id,
            job_created_at=job.created_at,
            stage=stage,
            part=number,
            result=None if skipped else {"part": number, "attempt": 1, "of": job.job_id},
            warning={"title": "skipped", "detail": "skipped once", "part": number} if skipped else None,
            ttl=TTL_S,
        )
        store(self.stores, item.model_dump(mode="json"))

    async def letter(
        self,
        job: Job | None,
        *,
        reason: str = "MaxDeliveryCountExceeded",
        body: bytes | None = None,
        part: int | None = None,
        stage: str | None = None,
        stored_at: datetime | None = None,
    ) -> DeadLetter:
        """The dead letter of a job's message, or of none that anybody can read."""
        now, number = datetime.now(UTC), str(secrets.randbelow(10**12))
        if job is not None and body is None:
            changes = {"part": part, **({"stage": stage} if stage else {})}
            body = message_for(job).model_copy(update=changes).encode()
        letter = DeadLetter(
            id=DeadLetter.id_of("speech", number, timestamp(now)),
            tenant=job.tenant if job else NOBODY,
            job_id=job.job_id if job else NOBODY,
            task=job.task if job else "",
            queue="speech",
            sequence_number=number,
            message_id=secrets.token_hex(4),
            body_base64=encoded(body or b"\xff\x00 no message"),
            reason=reason,
            description="it was delivered 10 times",
            delivery_count=10,
            enqueued_at=now,
            stored_at=stored_at or now,
            ttl=TTL_S,
        )
        await self.records.keep_letter(letter)
        return letter

    def act(self, verb: str, *letters: DeadLetter, **order: Any) -> httpx.Response:
        """Whatever a replay or a discard of these letters is answered."""
        ids = {"ids": [letter_id(letter) for letter in letters]} if letters else {}
        return self.api.post(f"{LETTERS}/{verb}", json={**ids, "per_s": 100, **order})

    def outcome(self, verb: str, letter: DeadLetter, **order: Any) -> Body:
        """What became of one letter."""
        answer = self.act(verb, letter, **order)
        assert answer.status_code == httpx.codes.OK, answer.text
        (outcome,) = answer.json()["letters"]
        return dict(outcome)

    def show(self, letter: DeadLetter) -> Body:
        """A letter as the API shows it."""
        answer = self.api.get(f"{LETTERS}/{letter_id(letter)}")
        assert answer.status_code == httpx.codes.OK, answer.text
        return dict(answer.json())


def store(stores: Stores, item: Body) -> None:
    """Write an item as no writer of this release would."""
    with CosmosClient(records_endpoint(stores.services.cosmos.ports["http"]), RECORDS_KEY) as client:
        client.get_database_client(stores.names.container).get_container_client("jobs").upsert_item(item)


def letter_id(letter: DeadLetter) -> str:
    """As the API writes it."""
    return str(LetterId.of(letter))


def newest_first(letters: Iterable[DeadLetter]) -> list[str]:
    """Their ids in list order."""
    ordered = sorted(letters, key=lambda letter: (timestamp(letter.stored_at), letter.id), reverse=True)
    return [letter_id(letter) for letter in ordered]


@pytest.fixture
async def office(running: System, services: Services, stores: Stores) -> AsyncIterator[Office]:
    """An operator's desk."""
    settings = services.settings(stores.names)
    records, blobs = Records(settings.records, timeout_s=10), Blobs(settings.blobs, timeout_s=10)
    with httpx.Client(base_url=running.process_url, headers={"X-API-Key": OPERATOR_KEY}, timeout=40) as api:
        yield Office(records, blobs, stores, api)
    await records.close()
    await blobs.close()
