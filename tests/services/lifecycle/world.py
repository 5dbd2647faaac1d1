"""The product inside the test: its own components against the real services, one process of it at a time.

Everything runs in one event loop that stands still between two steps. Time passes only when a step says so: the queue's
leases are so long that none ends by itself, and records and messages are then made older by the same amount.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.servicebus.aio import ServiceBusClient
from starlette.requests import Request

from claimcheck import writes
from claimcheck.announcing import Announcer
from claimcheck.blobs import Blobs
from claimcheck.commands.up.addresses import HOST
from claimcheck.errors import ClaimcheckError, WriteRefused
from claimcheck.job import Job, Tombstone, Upload, timestamp
from claimcheck.messaging import Delivery, Queues, Receiver
from claimcheck.pipeline import MoveOn
from claimcheck.records import Records
from claimcheck.rescuing import PATIENCE_LOCKS
from claimcheck.settings import Settings
from claimcheck.tasks import catalogue, find_task
from claimcheck.web.access import Access
from claimcheck.web.answering import Answers
from claimcheck.web.results import Results
from claimcheck.writes import Write
from services.process_api.accept import Intake
from services.process_api.ending import Endings
from services.status_api.app import create_app
from services.worker.begin import Beginner
from services.worker.drain import Drain
from services.worker.engines import Engines
from services.worker.handling import Handlers, Handling, load_handlers
from services.worker.keeper.deadlines import Deadlines
from services.worker.keeper.rescuer import Rescuer
from services.worker.keeper.watching import Watcher
from services.worker.runner import Runner
from services.worker.scratch import Scratch
from services.worker.settle import Settler
from services.worker.stage import StageRun
from tests.services.lifecycle.fates import Fate, Killed, Life
from tests.services.lifecycle.line import LOCK_S, Line
from tests.stack.client import ANSWER_S
from tests.stack.services import Services

TENANT = "default"
CONTENT = b"the upload"
SLOTS = 3
CALL_S = 60.0  # On a busy machine no call may fail by itself: runs must be the same each time.
RECEIVE_S = 30.0

Started = Callable[[Delivery, StageRun], Awaitable[None]]


@dataclass
class Worker:
    """A worker process with one delivery, on one of the links that are kept open."""

    slot: int
    delivery: Delivery
    drain: Drain
    running: asyncio.Task[None]
    at_gate: asyncio.Event
    gate: asyncio.Event
    """Its handler runs on once this is set."""

    async def until_gate(self) -> bool:
        """Whether its handler now stands at the gate; else the delivery is over."""
        waiting = asyncio.ensure_future(self.at_gate.wait())
        await asyncio.wait({self.running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.running.done():
            await self.ended()
        return not self.running.done()

    async def ended(self) -> bool:
        """Wait for the end of the delivery; False if the process died of its fate."""
        try:
            await self.running
        except Killed:
            return False
        return True

    async def kill(self) -> None:
        """End the process: it does nothing more, and its lease is nobody's."""
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


@dataclass
class World:
    """The real services, and what is made of the product's components on top of them."""

    settings: Settings
    records: Records
    blobs: Blobs
    queues: Queues
    receivers: list[Receiver]
    letters: Receiver
    container: ContainerProxy
    """Of the records, for what no component asks."""
    line: Line
    scratch: Scratch
    engines: Engines
    status: httpx.AsyncClient
    """Of the status API."""
    answers: Answers
    loop: asyncio.Runner
    started: Started | None = None
    """Called when a handler starts."""
    steps: int = 0
    """Taken in all runs so far."""
    workers: dict[int, Worker] = field(default_factory=dict)
    """By slot: those whose handler stands at its gate."""

    def intake(self, fate: Fate) -> Intake:
        """The process API's way from an upload to a job, in a process of this fate."""
        life = Life(fate)
        records, queues = life.of_records(self.records), life.of_queue(self.queues)
        return Intake(self.settings.job, life.of_blobs(self.blobs), records, Announcer(records, queues))

    async def submit(
        self, task: str, options: dict[str, Any], key: str | None, fate: Fate
    ) -> tuple[str, Job | Killed | ClaimcheckError]:
        """Store an upload and have a job accepted; its id, and the job or what the request came to instead."""
        intake = self.intake(fate)
        job_id, blob, writer = intake.writer(TENANT, key)
        await writer.write(CONTENT)
        written = await writer.finish("text/plain")
        upload = Upload(blob=blob, name="upload.txt", size_bytes=written.size_bytes, sha256=written.sha256)
        found = find_task(task)
        try:
            return job_id, await intake.accept(
                tenant=TENANT,
                job_id=job_id,
                task=found,
                options=found.validated(options),
                upload=upload,
                traceparent="",
            )
        except (Killed, ClaimcheckError) as error:
            return job_id, error

    async def watch(self, fate: Fate) -> None:
        """A keeper's look at the dead letters. Raises Killed, DependencyUnavailable."""
        life, settings = Life(fate), self.settings
        records, queues = life.of_records(self.records), life.of_queue(self.queues)
        announcer = Announcer(records, queues)
        await Watcher(
            "speech",
            life.of_queue(self.letters),
            records=records,
            beginner=Beginner(records, announcer, settings.job),
            settler=self._settler(life, announcer),
            lease_settings=settings.queue,
            settings=settings.job,
        ).once()

    async def rescue(self, fate: Fate) -> None:
        """A keeper's look for jobs whose message is gone. Raises Killed, DependencyUnavailable."""
        life = Life(fate)
        records, queues = life.of_records(self.records), life.of_queue(self.queues)
        await Rescuer(
            "speech",
            catalogue(),
            records=records,
            queues=queues,
            announcer=Announcer(records, queues),
            patience=timedelta(seconds=PATIENCE_LOCKS * LOCK_S),
            per_min=1000,
        ).once()

    async def end_overdue(self, fate: Fate) -> None:
        """A keeper's look for jobs past their deadline. Raises Killed, DependencyUnavailable."""
        await Deadlines(Life(fate).of_records(self.records), self.settings.job).once()

    def endings(self, fate: Fate) -> Endings:
        """Cancel and erase, in a process of this fate."""
        life = Life(fate)
        access = Access(self.settings.web)
        return Endings(self.settings, access, life.of_records(self.records), life.of_blobs(self.blobs))

    async def deliver(self, fate: Fate) -> Worker | None:
        """Hand the next message to a new worker; it then stands at its handler's gate, or the delivery is over."""
        slot = next(slot for slot in range(SLOTS) if slot not in self.workers)
        delivery = await self.receivers[slot].receive(RECEIVE_S)
        if delivery is None:
            return None
        self.line.note_lease(delivery)
        life, drain = Life(fate), Drain(0.0)
        at_gate, gate = asyncio.Event(), asyncio.Event()
        runner = self._runner(life, drain, self._handlers(delivery, at_gate, gate))
        run = runner.run(delivery, life.of_queue(self.receivers[slot]))
        worker = Worker(slot, delivery, drain, asyncio.ensure_future(run), at_gate, gate)
        if await worker.until_gate():
            self.workers[slot] = worker
        return worker

    async def let_go(self, worker: Worker) -> None:
        """Let the handler end, and with it the delivery."""
        worker.gate.set()
        await self._over(worker)

    async def drain(self, worker: Worker) -> None:
        """Tell the worker to stop; it puts its job back."""
        worker.drain.begin()
        await self._over(worker)

    async def kill(self, worker: Worker) -> None:
        """End the worker on the spot."""
        await worker.kill()
        del self.workers[worker.slot]

    async def _over(self, worker: Worker) -> None:
        await worker.ended()
        del self.workers[worker.slot]

    def _handlers(self, delivery: Delivery, at_gate: asyncio.Event, gate: asyncio.Event) -> Handlers:
        """The handlers of every task, each behind the gate."""

        async def run(stage: StageRun) -> dict[str, Any] | MoveOn:
            if self.started:
                await self.started(delivery, stage)
            at_gate.set()
            await gate.wait()
            return await behind[stage.task, stage.stage](stage)

        behind = load_handlers(catalogue(), "speech")
        return dict.fromkeys(behind, run)

    def _runner(self, life: Life, drain: Drain, handlers: Handlers) -> Runner:
        """A worker process as `Worker.runner` wires it, on the connections that all of them share here."""
        settings = self.settings
        records, blobs = life.of_records(self.records), life.of_blobs(self.blobs)
        queues = life.of_queue(self.queues)
        announcer = Announcer(records, queues)
        return Runner(
            kind="speech",
            queues=queues,
            beginner=Beginner(records, announcer, settings.job),
            handling=Handling(
                handlers=handlers,
                records=records,
                blobs=blobs,
                scratch=self.scratch,
                engines=self.engines,
                drain=drain,
                heartbeat_s=LOCK_S,
                settings=settings.job,
            ),
            settler=self._settler(life, announcer),
            lease_settings=settings.queue,
            settings=settings.job,
            drain=drain,
        )

    def _settler(self, life: Life, announcer: Announcer) -> Settler:
        return Settler(
            kind="speech",
            records=life.of_records(self.records),
            blobs=life.of_blobs(self.blobs),
            queues=life.of_queue(self.queues),
            announcer=announcer,
            settings=self.settings.job,
        )

    async def record(self, job_id: str) -> Job | Tombstone | None:
        """What is stored of a job."""
        return await self.records.read(TENANT, job_id)

    async def shown(self, record: Job | Tombstone | None) -> tuple[int, dict[str, Any]]:
        """Status and body of the status API's answer about a record."""
        if not isinstance(record, Job):
            return 404, {}
        answer = await self.answers.polled(record, {})
        return answer.status_code, json.loads(bytes(answer.body))

    async def poll(self, job_id: str) -> httpx.Response:
        """What the status API answers."""
        return await self.status.get(f"/v1/jobs/{job_id}")

    async def age(self, job_ids: list[str], seconds: float) -> list[str]:
        """Let time pass for the queue and for these jobs; the jobs whose leases have ended."""
        passed = timedelta(seconds=seconds)
        for job_id in job_ids:
            job = await self.record(job_id)
            if isinstance(job, Job) and not job.ended:
                due = {"due_at": timestamp(job.due_at - passed)} if job.due_at else {}
                await self._change(job_id, {"moved_at": timestamp(job.moved_at - passed), **due})
        return await self.line.age(seconds)

    async def results(self, job_id: str) -> set[str]:
        """Every result that is stored of a job: ids of items and names of blobs."""
        text = "SELECT c.id FROM c WHERE c.kind = 'result'"
        items = {row["id"] async for row in self.container.query_items(text, partition_key=[TENANT, job_id])}
        pages = self.blobs.pages(f"results/{TENANT}/{job_id}/")
        return items | {blob.name async for page in pages for blob in page.blobs}

    async def reach_deadline(self, job_id: str) -> None:
        """Let a job's deadline be over, if it has not ended."""
        with contextlib.suppress(WriteRefused):
            await self._change(job_id, {"deadline_at": timestamp(datetime.now(UTC) - timedelta(seconds=1))})

    async def _change(self, job_id: str, changes: dict[str, Any]) -> None:
        await self.records.write(TENANT, job_id, Write(changes, condition=writes.OUTSIDER))


class _Hasty:
    """A receiver of dead letters that waits only where one will come, and then as long as it takes."""

    def __init__(self, real: Receiver, line: Line) -> None:
        self._real, self._line = real, line

    async def receive(self, wait_s: float) -> Delivery | None:
        if not await self._line.letters_waiting():
            return None
        delivery = await self._real.receive(RECEIVE_S)
        if delivery:
            self._line.note_lease(delivery, letter=True)
        return delivery

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def request() -> Request:
    """A client's request, as far as it says who asks."""
    return Request({"type": "http", "headers": []})


@contextlib.asynccontextmanager
async def opened(services: Services, settings: Settings, loop: asyncio.Runner) -> AsyncIterator[World]:
    """A world on its own queue."""
    assert settings.queue.connection_string is not None
    name = settings.queue.speech
    queues = Queues(settings.queue, timeout_s=CALL_S)
    records, blobs = Records(settings.records, timeout_s=CALL_S), Blobs(settings.blobs, timeout_s=CALL_S)
    app = create_app(settings)
    admin = f"http://{HOST}:{services.service_bus.ports['admin']}"
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(app.router.lifespan_context(app))
        status = await enter(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://status"))
        assert settings.records.key is not None
        key = settings.records.key.get_secret_value()
        cosmos = await enter(CosmosClient(settings.records.endpoint, credential=key))
        container = cosmos.get_database_client(settings.records.database).get_container_client("jobs")
        bus = await enter(ServiceBusClient.from_connection_string(settings.queue.connection_string.get_secret_value()))
        line = Line(
            name=name,
            admin=await enter(httpx.AsyncClient(base_url=admin, timeout=ANSWER_S)),
            queues=queues,
            sender=await enter(bus.get_queue_sender(name)),
            receiver=await enter(bus.get_queue_receiver(name)),
            letters=await enter(bus.get_queue_receiver(name, sub_queue="deadletter")),
            client=bus,
        )
        receivers = [queues.receiver("speech") for _ in range(SLOTS)]
        scratch = Scratch(settings.worker.scratch_dir, settings.worker.scratch_max_bytes)
        engines = Engines.of(settings)
        letters = cast(Receiver, _Hasty(queues.receiver("speech", dead_letters=True), line))
        answers = Answers(Results(records, blobs), settings.web)
        yield World(
            settings=settings,
            loop=loop,
            records=records,
            blobs=blobs,
            queues=queues,
            receivers=receivers,
            letters=letters,
            container=container,
            line=line,
            scratch=scratch,
            engines=engines,
            status=status,
            answers=answers,
        )
        await engines.close()
        scratch.close()
        await asyncio.gather(*(receiver.close() for receiver in (*receivers, letters)))
        await asyncio.gather(queues.close(), records.close(), blobs.close())
