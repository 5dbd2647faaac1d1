"""One run of jobs: what keepers, workers and time do in it, what must hold after each step, and at the end."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from claimcheck import writes
from claimcheck.errors import DependencyUnavailable, WriteRefused
from claimcheck.job import Job, Status
from claimcheck.messaging import Delivery
from claimcheck.protocol import message_for
from claimcheck.tasks import find_task
from services.worker.keeper.rescuer import stages_on
from services.worker.stage import StageRun
from tests.services.lifecycle.fates import LONG_LIFE, Fate, Killed
from tests.services.lifecycle.line import LOCK_S, decoded, job_of
from tests.services.lifecycle.model import Claim, Order
from tests.services.lifecycle.world import TENANT, Worker, World

T = TypeVar("T")

LONG_S = 6 * LOCK_S  # A rescuer's patience is five locks.
FAR_AHEAD = datetime(9000, 1, 1, tzinfo=UTC)
ROUNDS_TO_REST = 15
DELIVERIES_TO_REST = 200
STAGES = stages_on("speech", {name: find_task(name) for name in ("probe", "fan")})


class JudgedRun(RuleBasedStateMachine):
    """Some jobs, and everything that was seen of them; its rules are elsewhere."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.run_id = world, secrets.token_hex(4)
        self.max_attempts = world.settings.job.max_attempts
        self.claims: dict[str, Claim] = {}
        self.keys: dict[str, tuple[str, Order]] = {}
        """What each idempotency key was first used for: the job's id and the order."""
        self.sent: list[bytes] = []
        """Every body that was seen on the queue, in the order in which they came."""
        self.dead: list[bytes] = []
        """Bodies of the dead letters at the last look."""
        self.happened = Counter[str]()
        self.owners: dict[int, str] = {}
        """By delivery (its `id`): the token of who runs it, if a stage of the whole job is run."""
        self.wrong: list[str] = []
        """What handlers saw and must not have."""
        world.started = self._handler_starts

    def do(self, work: Awaitable[T]) -> T:
        """Let the world move until this is done."""

        async def awaited() -> T:
            return await work

        return self.world.loop.run(awaited())

    # What happens, as rules and the end of a run have it happen

    async def _deliver(self, fate: Fate) -> Worker | None:
        waiting = await self.world.line.waiting()
        if not waiting:
            return None
        if fate.fails and (claim := self.claims.get(job_of(waiting[0].body))):
            claim.spoilt += 1  # A handler that cannot read what it needs fails too.
        return await self.world.deliver(fate)

    async def _work(self, fate: Fate) -> None:
        worker = await self._deliver(fate)
        if worker and worker.slot in self.world.workers:
            await self.world.let_go(worker)

    async def _age(self, seconds: float) -> None:
        for job_id in await self.world.age(list(self.claims), seconds):
            if job_id in self.claims:
                self.claims[job_id].spoilt += 1

    async def _watch(self, fate: Fate) -> None:
        self.dead = await self.world.line.dead()
        for body in self.dead:
            if claim := self.claims.get(job_of(body)):
                claim.parked = True
        if self.dead:
            with contextlib.suppress(Killed, DependencyUnavailable):
                await self.world.watch(fate)

    async def _rescue(self, fate: Fate) -> None:
        before = [await self.world.record(job_id) for job_id in self.claims]
        waiting = {seen.body for seen in await self.world.line.waiting()}
        with contextlib.suppress(Killed, DependencyUnavailable):
            await self.world.rescue(fate)
        for job in before:
            if isinstance(job, Job) and not self.claims[job.job_id].copied and _waits_in(job, waiting):
                after = await self.world.record(job.job_id)
                assert isinstance(after, Job)
                assert after.epoch == job.epoch, "a job was rescued whose message waits in the line"

    # What must hold

    @invariant()
    def everything_is_as_clients_may_see_it(self) -> None:
        """Hold every job against the model."""
        self.world.steps += 1
        self.do(self._look())

    async def _look(self) -> None:
        assert not self.wrong, self.wrong[0]
        bodies = [seen.body for seen in await self.world.line.peek()]
        self.sent += [body for body in bodies if body not in self.sent and decoded(body)]
        self.dead = await self.world.line.dead()
        for claim in self.claims.values():
            record = await self.world.record(claim.job_id)
            if isinstance(record, Job) and claim.ended is not None:
                assert record.etag == claim.etag, "a job that has ended was written"
                continue
            status, body = await self.world.shown(record)
            claim.check(status, body, max_attempts=self.max_attempts)
            if isinstance(record, Job):
                claim.etag = record.etag
                if not record.ended:
                    await self._check_found(record, bodies)

    async def _check_found(self, job: Job, bodies: Sequence[bytes]) -> None:
        """A job that has not ended has a message, or is found by the rescuer's query."""
        if STAGES[job.task, job.stage].window:
            done = await self.world.records.parts_done(job, job.stage)
            assert len(done) == job.parts.done <= job.parts.total, "parts are not counted once each"
        if _waits_in(job, {*bodies, *self.dead}):
            return
        found = await self.world.records.lists.forgotten(STAGES, moved_before=FAR_AHEAD, limit=1000)
        assert job.job_id in {forgotten.job_id for forgotten in found}, "nobody will ever find this job"

    async def _handler_starts(self, delivery: Delivery, run: StageRun) -> None:
        """What is run must be what the record waits for, and never too often."""
        message, job = decoded(delivery.body), await self.world.record(run.job_id)
        assert message is not None
        if (claim := self.claims.get(run.job_id)) and _will_fail(claim.order, run):
            claim.spoilt += 1
        if not isinstance(job, Job) or job.ended:
            self.wrong.append(f"{message.message_id} is run after its job has ended")
        elif message.part is not None:
            if (job.epoch, job.stage, job.status) != (message.epoch, message.stage, Status.RUNNING):
                self.wrong.append(f"the part {message.message_id} is run, and the record is elsewhere: {job}")
            elif await self.world.records.part_done(job, message.stage, message.part):
                self.wrong.append(f"the part {message.message_id} is run, and is done already")
        elif message_for(job) != message or not job.run or job.run.sequence_number != delivery.sequence_number:
            self.wrong.append(f"{message.message_id} is run, and the record waits for something else: {job}")
        else:
            self.owners[id(delivery)] = job.run.owner
        if message.attempt + delivery.delivery_count > self.max_attempts:
            self.wrong.append(f"{message.message_id} is run after {delivery.delivery_count} deliveries")

    # The end of a run

    def teardown(self) -> None:
        """Whatever has befallen them, all jobs come to rest without anybody's help; then clear up."""
        try:
            if sys.exc_info()[0] is None:
                self.do(self._come_to_rest())
        finally:
            self.do(self._clear())

    async def _come_to_rest(self) -> None:
        for worker in list(self.world.workers.values()):
            await self.world.kill(worker)
        for _ in range(ROUNDS_TO_REST):
            await self._age(LONG_S)
            await self._watch(LONG_LIFE)
            await self._deliver_all()
            await self._rescue(LONG_LIFE)
            await self._look()
            if await self._at_rest():
                break
        assert await self._at_rest(), f"after {ROUNDS_TO_REST} rounds: {self.claims}"
        for claim in self.claims.values():
            answer = await self.world.poll(claim.job_id)
            claim.check(answer.status_code, answer.json(), max_attempts=self.max_attempts)
            await self._check_results(claim)

    async def _deliver_all(self) -> None:
        for _ in range(DELIVERIES_TO_REST):
            if not await self.world.line.waiting():
                return
            await self._work(LONG_LIFE)
        raise AssertionError(f"after {DELIVERIES_TO_REST} deliveries there are still messages")

    async def _at_rest(self) -> bool:
        if await self.world.line.peek() or await self.world.line.dead():
            return False
        records = [await self.world.record(job_id) for job_id in self.claims]
        return all(record.ended for record in records if isinstance(record, Job))

    async def _check_results(self, claim: Claim) -> None:
        """One result if it succeeded, else none; a blob that a dead worker left is the sweep's."""
        job = await self.world.record(claim.job_id)
        stored = await self.world.results(claim.job_id)
        where = job.end.result if isinstance(job, Job) and job.end else None
        named = {name for name in (where.item, where.blob) if name} if where else set()
        assert named <= stored, "the result that the record names is not there"
        left = {name for name in stored - named if claim.spoilt == 0 or name.startswith("result:")}
        assert left == set() or claim.erase_tried, "there is a second result"

    async def _clear(self) -> None:
        for worker in list(self.world.workers.values()):
            await self.world.kill(worker)
        if await self.world.line.peek() or await self.world.line.dead():
            await self.world.line.clear()
        for job_id in self.claims:
            with contextlib.suppress(WriteRefused):
                await self.world.records.write(TENANT, job_id, writes.cancel(60, datetime.now(UTC)))


def place(job: Job) -> tuple[object, ...]:
    """All that a worker's write changes, but the time of it."""
    return job.status, job.epoch, job.stage, job.attempt, job.turn, job.run, job.end


def _waits_in(job: Job, bodies: set[bytes]) -> bool:
    """Whether what the record waits for is among these messages; of a fan-out, some part of it."""
    if job.ended:
        return False
    if not STAGES[job.task, job.stage].window:
        return message_for(job).encode() in bodies
    messages = [decoded(body) for body in bodies]
    here = (job.job_id, job.epoch, job.stage)
    return any(message and (message.job_id, message.epoch, message.stage) == here for message in messages)


def _will_fail(order: Order, run: StageRun) -> bool:
    """Whether the handler will raise a failure that is tried again."""
    if order.options.get("do") == "crash":
        return True
    first = run.attempt == 1
    return first and (order.options.get("do") == "fail-once" or run.part in order.options.get("fail_once", ()))
