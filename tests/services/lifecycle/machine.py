"""Everything that may befall jobs, as rules in random order."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from claimcheck.errors import (
    DependencyUnavailable,
    IdempotencyKeyErased,
    IdempotencyKeyReused,
    JobHasEnded,
    JobNotFound,
)
from claimcheck.job import Job
from tests.services.lifecycle.fates import LONG_LIFE, Blow, Fate, Killed
from tests.services.lifecycle.judging import LONG_S, JudgedRun, place
from tests.services.lifecycle.line import LOCK_S, MAX_DELIVERIES, decoded, job_of
from tests.services.lifecycle.model import ORDERS, Claim, Order
from tests.services.lifecycle.world import SLOTS, Worker, request

MOMENT_S = LOCK_S + 1  # Every lease ends and every retry comes due; nobody loses patience.
JOBS = 5  # More of them in one run only make each step slower.


# Most processes make two to four calls for one job.
FATES = st.just(LONG_LIFE) | st.builds(Fate, st.sampled_from([1, 2, 2, 2, 3, 3, 4, 4, 5, 6]), st.sampled_from(Blow))
PICKS = st.integers(0, 99)
NAMES = st.sampled_from(sorted(ORDERS))


class Lifecycle(JudgedRun):
    """One run: some jobs, some workers that each have a delivery, one queue, and a keeper now and then."""

    # Clients

    @initialize(names=st.lists(NAMES, min_size=1, max_size=2))
    def begin(self, names: list[str]) -> None:
        """Jobs that are accepted without trouble."""
        for name in names:
            self.do(self._submit(ORDERS[name], "", LONG_LIFE))

    @precondition(lambda self: len(self.claims) < JOBS)
    @rule(name=NAMES, key=st.sampled_from(["", "", "one", "two"]), fate=FATES)
    def submit(self, name: str, key: str, fate: Fate) -> None:
        """A client submits a file; with a key that was used before, the same again."""
        order = self.keys[key][1] if key in self.keys else ORDERS[name]
        self.do(self._submit(order, key, fate))

    async def _submit(self, order: Order, key: str, fate: Fate) -> None:
        asked = f"{self.run_id}-{key}" if key else None
        job_id, came_to = await self.world.submit(order.task, dict(order.options), asked, fate)
        if key:
            self.keys.setdefault(key, (job_id, order))
        claim = self.claims.setdefault(job_id, Claim(job_id, order))
        if isinstance(came_to, IdempotencyKeyErased):
            assert claim.erase_tried, "the key's job was never erased"
        elif isinstance(came_to, Job):
            assert came_to.job_id == job_id
            claim.promised = True
        else:
            assert isinstance(came_to, Killed | DependencyUnavailable), came_to

    @precondition(
        lambda self: self._seldom("reuse", 1) and any(self.claims[at].promised for at, _ in self.keys.values())
    )
    @rule(pick=PICKS)
    def reuse_key_for_another_order(self, pick: int) -> None:
        """A client uses a key a second time, for something else: nothing comes of it."""
        self.happened["reuse"] += 1
        used = [(key, order) for key, (job_id, order) in self.keys.items() if self.claims[job_id].promised]
        key, order = used[pick % len(used)]
        other = ORDERS["short"] if order != ORDERS["short"] else ORDERS["large"]
        asked = f"{self.run_id}-{key}"
        _, came_to = self.do(self.world.submit(other.task, dict(other.options), asked, LONG_LIFE))
        assert isinstance(came_to, IdempotencyKeyReused | IdempotencyKeyErased)

    @precondition(lambda self: self._seldom("cancel", 2))
    @rule(pick=PICKS, fate=FATES)
    def cancel(self, pick: int, fate: Fate) -> None:
        """A client cancels a job."""
        self.happened["cancel"] += 1
        claim = self._claim(pick)
        before = claim.ended
        claim.cancel_tried = True
        try:
            self.do(self.world.endings(fate).cancel(request(), claim.job_id))
        except JobHasEnded:
            assert before is None or before["status"] != "cancelled"
        except JobNotFound:
            assert claim.erase_tried or not claim.promised
        except (Killed, DependencyUnavailable):
            return
        else:
            assert before is None or before["status"] == "cancelled", "an ended job was cancelled"
            claim.cancelled = True

    @precondition(lambda self: self._seldom("erase", 2))
    @rule(pick=PICKS, fate=FATES)
    def erase(self, pick: int, fate: Fate) -> None:
        """A client erases a job."""
        self.happened["erase"] += 1
        claim = self._claim(pick)
        tried_before, claim.erase_tried = claim.erase_tried, True
        try:
            self.do(self.world.endings(fate).erase(request(), claim.job_id))
        except JobNotFound:
            assert tried_before or not claim.promised, "a promised job is not found"
            claim.erase_tried = tried_before
        except (Killed, DependencyUnavailable):
            return
        else:
            claim.erased = True

    # Workers

    @precondition(lambda self: len(self.world.workers) < SLOTS)
    @rule(fate=FATES)
    def deliver(self, fate: Fate) -> None:
        """The next message is handed to a worker, whose handler starts and stands still."""
        self.do(self._deliver(fate))

    @precondition(lambda self: len(self.world.workers) < SLOTS)
    @rule(fate=FATES)
    def work(self, fate: Fate) -> None:
        """The next message is handed to a worker that runs it to its end."""
        self.do(self._work(fate))

    @precondition(lambda self: not self.world.workers)
    @rule(deliveries=st.integers(2, 4))
    def work_on(self, deliveries: int) -> None:
        """Nothing happens for a while but work."""
        for _ in range(deliveries):
            self.do(self._work(LONG_LIFE))

    @precondition(lambda self: self.world.workers)
    @rule(pick=PICKS)
    def let_handler_end(self, pick: int) -> None:
        """A handler runs to its end, and the worker settles."""
        self.do(self._end(self._worker(pick), self.world.let_go))

    @precondition(lambda self: self.world.workers)
    @rule(pick=PICKS)
    def drain_worker(self, pick: int) -> None:
        """A worker is told to stop."""
        self.do(self._end(self._worker(pick), self.world.drain))

    async def _end(self, worker: Worker, end: Callable[[Worker], Awaitable[None]]) -> None:
        """Let a delivery end. One whose job somebody else has by now must leave the record where it is."""
        job_id, owner = job_of(worker.delivery.body), self.owners.get(id(worker.delivery))
        before = await self.world.record(job_id)
        await end(worker)
        if owner and isinstance(before, Job) and not (before.run and before.run.owner == owner):
            after = await self.world.record(job_id)
            assert isinstance(after, Job)
            assert place(after) == place(before), "a worker wrote that was overtaken"

    @precondition(lambda self: 0 < len(self.world.workers) < SLOTS)
    @rule(fate=FATES)
    def overtake(self, fate: Fate) -> None:
        """Every lease ends while handlers still run, and another worker gets the next message."""
        self.do(self._age(MOMENT_S))
        self.do(self._deliver(fate))

    @precondition(lambda self: self.world.workers)
    @rule(pick=PICKS)
    def kill_worker(self, pick: int) -> None:
        """A worker is killed in its handler; its lease goes on until time has passed."""
        self.do(self.world.kill(self._worker(pick)))

    # The queue, and time

    @precondition(lambda self: self.sent)
    @rule(pick=PICKS, anew=st.booleans())
    def send_a_copy(self, pick: int, anew: bool) -> None:
        """A message comes a second time: under the same id, or under one that the broker has not seen."""
        body = self.sent[pick % len(self.sent)]
        message = decoded(body)
        assert message is not None
        if claim := self.claims.get(message.job_id):
            claim.copied = True
        line = self.world.line
        self.do(line.send_anew(body) if anew else line.send(body, message.message_id))

    @precondition(lambda self: self._seldom("nonsense", 1))
    @rule()
    def send_nonsense(self) -> None:
        """Somebody sends what is no message."""
        self.happened["nonsense"] += 1
        self.do(self.world.line.send_anew(b"nonsense"))

    @precondition(lambda self: self._seldom("give up", 1))
    @rule()
    def give_up_a_message(self) -> None:
        """The broker delivers a message as often as it may, and nobody answers."""
        self.happened["give up"] += 1
        self.do(self._give_up())

    async def _give_up(self) -> None:
        if not await self.world.line.waiting():
            return
        if claim := self.claims.get(await self.world.line.exhaust_first()):
            claim.parked = True
            claim.spoilt += MAX_DELIVERIES

    @precondition(lambda self: self._some_go_on())
    @rule(seconds=st.sampled_from([MOMENT_S, MOMENT_S, LONG_S]))
    def let_time_pass(self, seconds: float) -> None:
        """Leases end, and what waits for its time comes due."""
        self.do(self._age(seconds))

    @precondition(lambda self: self._seldom("deadline", 1))
    @rule(pick=PICKS)
    def reach_deadline(self, pick: int) -> None:
        """A job's deadline is over."""
        self.happened["deadline"] += 1
        claim = self._claim(pick)
        if claim.ended is None:
            claim.overdue = True
            self.do(self.world.reach_deadline(claim.job_id))

    # The keeper

    @precondition(lambda self: self.dead)
    @rule(fate=FATES)
    def watch_dead_letters(self, fate: Fate) -> None:
        """A keeper takes the dead letters."""
        self.do(self._watch(fate))

    @precondition(lambda self: self._some_go_on())
    @rule(fate=FATES)
    def rescue(self, fate: Fate) -> None:
        """A keeper looks for jobs whose message is gone."""
        self.do(self._rescue(fate))

    @precondition(lambda self: any(claim.overdue for claim in self.claims.values()))
    @rule(fate=FATES)
    def end_overdue(self, fate: Fate) -> None:
        """A keeper looks for jobs past their deadline."""
        with contextlib.suppress(Killed, DependencyUnavailable):
            self.do(self.world.end_overdue(fate))

    # What rules share

    def _seldom(self, what: str, times: int) -> bool:
        """Whether there is a job, and it may happen once more in this run: too much of it leaves no work to spoil."""
        return bool(self.claims) and self.happened[what] < times

    def _some_go_on(self) -> bool:
        return any(claim.ended is None for claim in self.claims.values())

    def _claim(self, pick: int) -> Claim:
        return list(self.claims.values())[pick % len(self.claims)]

    def _worker(self, pick: int) -> Worker:
        return list(self.world.workers.values())[pick % len(self.world.workers)]
