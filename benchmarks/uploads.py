"""How many small uploads the process API accepts: `python -m benchmarks.uploads`.

Bare: one process makes the calls that an accept consists of (one Put Blob, one create in Cosmos DB, one send to
Service Bus) with the same SDKs, as many at once. No worker runs.
"""

from __future__ import annotations

import contextlib
import json
import sys
import uuid
from typing import Any

from azure.storage.blob import ContentSettings

from benchmarks.alone import run_alone
from benchmarks.bare import Bare, bare_clients, item_of
from benchmarks.figures import Figure
from benchmarks.installation import Installation, run
from benchmarks.jobs import TENANT, new_noop_job
from benchmarks.load import CLIENTS, Contender, Duel, HttpConnection, Operation, duel, upload_request
from claimcheck import protocol
from claimcheck.settings import Settings
from tests.stack.system import System

SIZE_BYTES = 10_000
ROUNDS = 3
ROUND_S = 4.0
LEAST_RATIO = 0.6
FILE = bytes(range(250)) * (SIZE_BYTES // 250)


def measure(installation: Installation) -> list[Figure]:
    """Accepted uploads per second."""
    names = installation.place()
    with installation.system(names) as system:
        system.start("process-api")
        found = run(_duel(installation, system, installation.settings(names)))
    value, bare = found.rounds.medians
    name = f"uploads of 10 KB accepted, {CLIENTS} clients"
    return [Figure(name=name, unit="/s", value=value, bare=bare, least_ratio=LEAST_RATIO, notes=found.notes)]


async def _duel(installation: Installation, system: System, settings: Settings) -> Duel:
    async with contextlib.AsyncExitStack() as opened:
        connections = [await opened.enter_async_context(HttpConnection(system.process_url)) for _ in range(CLIENTS)]
        clients = await opened.enter_async_context(bare_clients(settings))
        ours = Contender(_upload(connections), installation.pids(system))
        bare = Contender(_bare_upload(clients), installation.pids())
        return await duel(ours, bare, rounds=ROUNDS, seconds=ROUND_S, label="upload")


def _upload(connections: list[HttpConnection]) -> Operation:
    request = upload_request(SIZE_BYTES, FILE)

    async def upload(client: int) -> None:
        status, body = await connections[client].ask(request)
        assert status == 202, body

    return upload


def _bare_upload(clients: Bare) -> Operation:
    job = new_noop_job()
    record: dict[str, Any] = job.model_dump(mode="json")
    reference: dict[str, Any] = protocol.message_for(job).model_dump(mode="json")
    content = ContentSettings(content_type="application/octet-stream")

    async def upload(client: int) -> None:
        job_id = str(uuid.uuid4())
        blob = clients.blobs.get_blob_client(f"uploads/{TENANT}/{job_id}/0123456789abcdef")
        await blob.upload_blob(FILE, length=SIZE_BYTES, overwrite=True, content_settings=content)
        await clients.records.create_item(item_of(record, job_id))
        await clients.senders.send(json.dumps({**reference, "job_id": job_id}).encode(), f"{job_id}:noop")

    return upload


if __name__ == "__main__":
    sys.exit(run_alone(measure))
