"""All queues, one timer for what becomes due in them, and the moment at which changes are durable.

Owns names and time; what a queue does with its messages is queue.py's. Idle costs nothing: the timer is set to the
next due time and to no other.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable

from .errors import EntityNotFound
from .journal_ledger import JournalLedger
from .ledger import NoLedger
from .queue import DEAD_LETTER_SUFFIX, Queue
from .settings import QueueSettings


def steady_clock() -> Callable[[], float]:
    """Seconds since 1970 that never jump: a corrected system clock must not end or prolong a lock."""
    started_at_s = time.time() - time.monotonic()
    return lambda: started_at_s + time.monotonic()


class Broker:
    """The namespace. With a ledger, everything survives a restart but the locks."""

    def __init__(self, journal: JournalLedger | None = None, clock: Callable[[], float] | None = None) -> None:
        self.clock = clock or steady_clock()
        self.entities: dict[str, Queue] = {}
        self._journal = journal
        self._ledger = journal or NoLedger()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_s = math.inf

    def start(self, configured: Iterable[QueueSettings]) -> None:
        """Restore what the journal holds, under the configured settings where both know a queue."""
        stored = self._journal.replay() if self._journal else {}
        settings = {s.name.lower(): s for kept in stored.values() if (s := kept.settings)}
        settings.update({s.name.lower(): s for s in configured})
        for name, chosen in settings.items():
            queue = self.declare(chosen)
            for entity in (queue, queue.dead_letters):
                if entity and (kept := stored.get(entity.entity)):
                    kept.restore_into(entity)
            if self._journal and (name not in stored or stored[name].settings != chosen):
                self._journal.declared(chosen)
        self._run_due()

    def declare(self, settings: QueueSettings) -> Queue:
        """Make a queue and its dead-letter queue; both must be new."""
        dead_letters = Queue(settings, clock=self.clock, wake=self.wake, ledger=self._ledger)
        queue = Queue(settings, clock=self.clock, wake=self.wake, ledger=self._ledger, dead_letters=dead_letters)
        self.entities[queue.entity], self.entities[dead_letters.entity] = queue, dead_letters
        return queue

    def create(self, settings: QueueSettings) -> Queue:
        """Make a queue that lasts as long as the data folder."""
        if self._journal:
            self._journal.declared(settings)
        return self.declare(settings)

    def delete(self, name: str) -> None:
        """Remove a queue with all its messages. Raises EntityNotFound."""
        queue = self.find(name)
        for entity in (queue.entity, queue.entity + DEAD_LETTER_SUFFIX):
            self.entities.pop(entity).delete()
        if self._journal:
            self._journal.dropped(queue.entity)

    def find(self, entity: str) -> Queue:
        """The queue or dead-letter queue of this name, in any case of letters. Raises EntityNotFound."""
        queue = self.entities.get(entity.lower())
        if queue is None:
            raise EntityNotFound(f"The messaging entity '{entity}' could not be found.")
        return queue

    def queues(self) -> list[Queue]:
        """The queues proper, by name."""
        return sorted((q for q in self.entities.values() if q.dead_letters), key=lambda queue: queue.entity)

    def age(self, name: str, seconds: float) -> None:
        """Let everything in a queue and its dead letters have happened so many seconds earlier: tests need not wait.

        The journal does not hear of it: after a restart all is as old as it really is. Raises EntityNotFound.
        """
        queue = self.find(name)
        for entity in (queue, queue.dead_letters):
            if entity:
                entity.age(seconds)
        self._run_due()

    def commit(self) -> None:
        """Make every change so far survive a kill. Comes before the bytes that tell anyone about a change."""
        if self._journal:
            self._journal.flush(self.entities)

    def wake(self, due_s: float) -> None:
        """Run what is due at `due_s`, at the latest."""
        if due_s >= self._timer_due_s:
            return
        if self._timer:
            self._timer.cancel()
        self._timer_due_s = due_s
        delay_s = max(0.0, due_s - self.clock())
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._run_due)

    def close(self) -> None:
        """Write what is left and give the journal back."""
        if self._timer:
            self._timer.cancel()
        if self._journal:
            self._journal.close(self.entities)

    def _run_due(self) -> None:
        self._timer, self._timer_due_s = None, math.inf
        entities = list(self.entities.values())
        for queue in entities:
            queue.run_due()
        self.commit()
        for queue in entities:
            if (due_s := queue.next_due_s()) is not None:
                self.wake(due_s)
