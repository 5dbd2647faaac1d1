"""One queue, or the dead-letter queue below it: which message is whose, and what becomes of it.

    send --> ACTIVE --take--> locked --complete--> gone
               ^                |---abandon, lock expired: delivery count + 1; back, or at the maximum a dead letter
               |                |---release: back, not counted
               |                |---defer--> DEFERRED --receive_deferred--> locked
               |                `---dead_letter--> the dead-letter queue, under the same sequence number
    schedule --> SCHEDULED --due: a new sequence number

Owns these rules, in terms of a clock that is passed in; refuses to know AMQP, sockets or files. Every change is told to
the ledger before anyone can be told that it happened.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

from .consumers import Consumer, Consumers
from .due import DueHeap, DuplicateWindow
from .errors import EntityNotFound, LockLost, MessageNotFound, NotAllowed
from .ledger import Ledger, NoLedger
from .locks import Locks
from .message import Message, State
from .settings import QueueSettings

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
MAX_PEEK = 250
"""Most messages of one peek; callers have to page."""


class Queue:
    """The messages of one entity. `totals` counts what happened since the process started."""

    def __init__(
        self,
        settings: QueueSettings,
        *,
        clock: Callable[[], float],
        wake: Callable[[float], None],
        ledger: Ledger,
        dead_letters: Queue | None = None,
    ) -> None:
        """`wake(due_s)` asks for a call of `run_due` then. Without `dead_letters` this is a dead-letter queue."""
        self.settings, self.dead_letters = settings, dead_letters
        self.entity = settings.name.lower() + ("" if dead_letters else DEAD_LETTER_SUFFIX)
        self.messages: dict[int, Message] = {}
        self.next_number = 1
        self.is_deleted = False
        self.totals: Counter[str] = Counter()
        self.duplicates = DuplicateWindow(settings.duplicate_window_s) if settings.duplicate_window_s else None
        self._clock, self._wake, self._ledger = clock, wake, ledger
        self._ready: list[int] = []
        self._locks = Locks(settings.lock_s, clock)
        self._scheduled, self._expiring = DueHeap(), DueHeap()
        self._consumers = Consumers()

    def send(self, message: Message) -> int:
        """Store a message, now or (by its own annotation) scheduled; its sequence number, 0 for a duplicate.

        Raises EntityNotFound after the queue was deleted.
        """
        if self.is_deleted:
            raise EntityNotFound(f"The messaging entity '{self.settings.name}' has been deleted.")
        now_s = self._clock()
        if self.duplicates and message.message_id is not None and not self.duplicates.first(message.message_id, now_s):
            self.totals["duplicates"] += 1
            return 0
        message.sequence_number, self.next_number = self.next_number, self.next_number + 1
        message.accepted_at_s = message.enqueued_at_s = now_s
        self.totals["sent"] += 1
        self.messages[message.sequence_number] = message
        if message.scheduled_for_s is not None and message.scheduled_for_s > now_s:
            message.state = State.SCHEDULED
            self._ledger.put(self.entity, message)
            self._schedule(message)
        else:
            self._start_lifetime(message, now_s)
            self._ledger.put(self.entity, message)
            self._offer(message)
        return message.sequence_number

    def cancel_scheduled(self, numbers: Sequence[int]) -> None:
        """Remove scheduled messages, all or none. Raises MessageNotFound."""
        for number in numbers:
            if number not in self._scheduled:
                raise MessageNotFound(f"no scheduled message has the sequence number {number}")
        for number in dict.fromkeys(numbers):
            self.totals["cancelled"] += 1
            self._remove(self.messages[number])

    def take(self, *, lock: bool) -> Message | None:
        """The ready message with the lowest sequence number, locked or (for receive-and-delete) removed."""
        if not self.has_ready():
            return None
        message = self.messages[heapq.heappop(self._ready)]
        self._hand_over(message, lock=lock)
        return message

    def has_ready(self) -> bool:
        """Whether `take` would find a message; throws out what expired."""
        while self._ready:
            message = self.messages.get(self._ready[0])
            if message is not None and not self._outlived(message):
                return True
            heapq.heappop(self._ready)
            if message is not None:
                self._expire(message)
        return False

    def receive_deferred(self, numbers: Sequence[int], *, lock: bool) -> list[Message]:
        """The deferred messages with these numbers, all or none. Raises MessageNotFound, also for an expired one."""
        found = [self.messages.get(number) for number in dict.fromkeys(numbers)]
        messages = [m for m in found if m is not None and m.state is State.DEFERRED and m.token is None]
        for message in messages:
            if self._outlived(message):
                self._expire(message)
        if len(messages) < len(found) or any(m.sequence_number not in self.messages for m in messages):
            raise MessageNotFound(f"not every one of {list(numbers)} is the sequence number of a deferred message")
        for message in messages:
            self._hand_over(message, lock=lock)
        return messages

    def peek(self, first_number: int, count: int) -> list[Message]:
        """Messages from `first_number` on, ascending, whatever their state; locks and counts nothing."""
        numbers = heapq.nsmallest(min(count, MAX_PEEK), (n for n in self.messages if n >= first_number))
        return [self.messages[number] for number in numbers]

    def complete(self, token: UUID) -> None:
        """Remove a message for good. Raises LockLost, like every method that takes a token."""
        self._remove(self._unlocked(token))
        self.totals["completed"] += 1

    def abandon(self, token: UUID) -> None:
        """Give a message back; this delivery counts."""
        message = self._unlocked(token)
        self.totals["abandoned"] += 1
        self._count_delivery(message)

    def release(self, token: UUID) -> None:
        """Give a message back that nobody looked at; this delivery does not count."""
        self._return(self._unlocked(token))

    def defer(self, token: UUID) -> None:
        """Set a message aside until somebody asks for its sequence number."""
        message = self._unlocked(token)
        self.totals["deferred"] += 1
        message.state = State.DEFERRED
        message.delivery_count += 1
        self._ledger.changed(self.entity, message)

    def dead_letter(self, token: UUID, reason: str | None, description: str | None) -> None:
        """Move a message to the dead-letter queue. Raises NotAllowed when this is one."""
        if self.dead_letters is None:
            raise NotAllowed("a message of a dead-letter queue cannot be dead-lettered again")
        self._bury(self._unlocked(token), reason, description)

    def renew(self, token: UUID) -> float:
        """Start a lock's duration again; its new end."""
        message = self._locked(token)
        self._locks.renew(token)
        return message.locked_until_s

    def attach(self, consumer: Consumer) -> None:
        """Let a receiver take part; messages go round among those with credit."""
        self._consumers.add(consumer)

    def detach(self, consumer: Consumer) -> None:
        """The receiver is gone. What it holds stays locked until the locks expire, as in the service."""
        self._consumers.remove(consumer)

    def delete(self) -> None:
        """Let go of everybody; whoever still holds this object finds no queue in it."""
        self.is_deleted, self._ledger = True, NoLedger()
        self._consumers.dismiss()

    def pump(self) -> None:
        """Hand out ready messages as long as a receiver has credit."""
        self._consumers.serve(lambda: self._ready)

    def run_due(self) -> None:
        """Do what time asks for: activate, unlock, expire."""
        now_s = self._clock()
        for number in self._scheduled.pop_due(now_s):
            self._activate(self.messages.pop(number), now_s)
        while (token := self._locks.first_over(now_s)) is not None:
            self._lock_expired(token)
        for number in self._expiring.pop_due(now_s):
            message = self.messages[number]
            # A locked message is left to its receiver, a deferred one to whoever asks for it.
            if message.token is None and message.state is State.ACTIVE:
                self._expire(message)
        if len(self._ready) > 2 * len(self.messages) + 256:
            # Nobody receives, so nobody throws out the numbers of expired messages.
            self._ready = sorted(number for number in self._ready if number in self.messages)

    def age(self, seconds: float) -> None:
        """Let everything here have happened so many seconds earlier; what is due by then, `run_due` does."""
        for message in self.messages.values():
            message.age(seconds)
        self._scheduled.bring_forward(seconds)
        self._expiring.bring_forward(seconds)
        if self.duplicates:
            self.duplicates.bring_forward(seconds)

    def next_due_s(self) -> float | None:
        """When `run_due` has something to do next."""
        nexts_s = (self._locks.next_s(), self._scheduled.next_s(), self._expiring.next_s())
        return min((next_s for next_s in nexts_s if next_s is not None), default=None)

    def counts(self) -> dict[str, int]:
        """How many messages are in which state now."""
        deferred = sum(m.state is State.DEFERRED and m.token is None for m in self.messages.values())
        locked, scheduled = len(self._locks), len(self._scheduled)
        active = len(self.messages) - deferred - locked - scheduled
        return {"active": active, "locked": locked, "deferred": deferred, "scheduled": scheduled}

    def restore(self, messages: list[Message], locked: set[int]) -> None:
        """Take over what a journal kept. Locks do not survive; the delivery they stood for counts."""
        for message in sorted(messages, key=lambda kept: kept.sequence_number):
            self.messages[message.sequence_number] = message
            if message.state is State.SCHEDULED:
                self._schedule(message)
                continue
            if message.expires_at_s is not None:
                self._expiring.push(message.expires_at_s, message.sequence_number)
            if message.sequence_number in locked:
                self._count_delivery(message)
            elif message.state is State.ACTIVE:
                heapq.heappush(self._ready, message.sequence_number)

    def accept_dead_letter(self, message: Message) -> None:
        """A message of the queue above, which keeps its number; time to live is not observed here."""
        message.state, message.expires_at_s = State.ACTIVE, None
        self.messages[message.sequence_number] = message
        self._offer(message)

    def _start_lifetime(self, message: Message, now_s: float) -> None:
        message.state, message.enqueued_at_s = State.ACTIVE, now_s
        lifetimes_s = [s for s in (message.ttl_s, self.settings.ttl_s) if s is not None]
        if lifetimes_s:
            # The service adjusts a longer lifetime without a word, and tells receivers the adjusted one.
            message.ttl_s = min(lifetimes_s)
            message.expires_at_s = now_s + message.ttl_s
            self._expiring.push(message.expires_at_s, message.sequence_number)
            self._wake(message.expires_at_s)

    def _schedule(self, message: Message) -> None:
        assert message.scheduled_for_s is not None
        self._scheduled.push(message.scheduled_for_s, message.sequence_number)
        self._wake(message.scheduled_for_s)

    def _activate(self, message: Message, now_s: float) -> None:
        scheduled_as = message.sequence_number
        message.sequence_number, self.next_number = self.next_number, self.next_number + 1
        self.messages[message.sequence_number] = message
        self._start_lifetime(message, now_s)
        self._ledger.activated(self.entity, scheduled_as, message)
        self._offer(message)

    def _offer(self, message: Message) -> None:
        heapq.heappush(self._ready, message.sequence_number)
        self.pump()

    def _hand_over(self, message: Message, *, lock: bool) -> None:
        if not lock:
            self._remove(message)
            self.totals["completed"] += 1
            return
        self._locks.add(message)
        self._ledger.changed(self.entity, message)
        self._wake(message.locked_until_s)

    def _locked(self, token: UUID) -> Message:
        message = self._locks.get(token)
        if message is None:
            raise LockLost
        if message.locked_until_s <= self._clock():
            self._lock_expired(token)
            raise LockLost
        return message

    def _unlocked(self, token: UUID) -> Message:
        self._locked(token)
        return self._locks.remove(token)

    def _lock_expired(self, token: UUID) -> None:
        message = self._locks.remove(token)
        self.totals["locks_expired"] += 1
        self._count_delivery(message)

    def _count_delivery(self, message: Message) -> None:
        message.delivery_count += 1
        if self.dead_letters and message.delivery_count >= self.settings.max_delivery_count:
            attempts = f"Message could not be consumed after {message.delivery_count} delivery attempts."
            self._bury(message, "MaxDeliveryCountExceeded", attempts)
        else:
            self._return(message)

    def _return(self, message: Message) -> None:
        """Put an unlocked message where it came from; it may have outlived its time meanwhile."""
        if message.state is State.ACTIVE and self._outlived(message):
            self._expire(message)
            return
        self._ledger.changed(self.entity, message)
        if message.state is State.ACTIVE:
            self._offer(message)

    def _outlived(self, message: Message) -> bool:
        return message.expires_at_s is not None and message.expires_at_s <= self._clock()

    def _expire(self, message: Message) -> None:
        self.totals["expired"] += 1
        if self.settings.dead_letter_on_expiry and self.dead_letters:
            self._bury(message, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._remove(message)

    def _bury(self, message: Message, reason: str | None, description: str | None) -> None:
        assert self.dead_letters is not None
        self.totals["dead_lettered"] += 1
        self._forget(message)
        message.explain_dead_letter(reason, description)
        self._ledger.moved(self.entity, message)
        self.dead_letters.accept_dead_letter(message)

    def _remove(self, message: Message) -> None:
        self._forget(message)
        self._ledger.removed(self.entity, message.sequence_number)

    def _forget(self, message: Message) -> None:
        del self.messages[message.sequence_number]
        self._scheduled.discard(message.sequence_number)
        self._expiring.discard(message.sequence_number)
