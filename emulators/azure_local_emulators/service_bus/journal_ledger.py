"""Keep the queues in a journal, so that a killed emulator starts again with all it had acknowledged.

Owns the records and what they add up to. A record says how a message is now, not what was done to it; so replaying
knows no queue rules. Records gather until `flush`, which the connections call before they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..journal import Journal
from .decoding import decode
from .encoding import encode
from .message import Message, State
from .queue import DEAD_LETTER_SUFFIX, Queue
from .settings import QueueSettings

_ALWAYS_KEPT_BYTES = 16 * 1024 * 1024
"""A journal below this size is never rewritten."""
_PUT, _CHANGED, _ACTIVATED, _MOVED, _REMOVED = "put", "changed", "activated", "moved", "removed"
_DECLARED, _DROPPED, _NEXT, _SEEN = "declared", "dropped", "next", "seen"


@dataclass
class StoredEntity:
    """What the journal knows of one queue or dead-letter queue."""

    settings: QueueSettings | None = None
    messages: dict[int, Message] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)
    next_number: int = 1
    seen: dict[Any, float] = field(default_factory=dict)

    def restore_into(self, queue: Queue) -> None:
        """Hand everything to the live queue."""
        queue.next_number = max(queue.next_number, self.next_number)
        if queue.duplicates:
            for message_id, first_s in sorted(self.seen.items(), key=lambda item: item[1]):
                queue.duplicates.first(message_id, first_s)
        queue.restore(list(self.messages.values()), self.locked)

    def hold(self, message: Message, *, locked: bool) -> None:
        """Note a message and whether somebody has it."""
        number = message.sequence_number
        self.messages[number] = message
        self.next_number = max(self.next_number, number + 1)
        (self.locked.add if locked else self.locked.discard)(number)

    def lose(self, number: int) -> Message:
        """Forget a message."""
        self.locked.discard(number)
        return self.messages.pop(number)


class JournalLedger:
    """A Ledger on disk."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pending: list[bytes] = []
        self._rewrite_above_bytes = _ALWAYS_KEPT_BYTES

    def put(self, entity: str, message: Message) -> None:
        """A message came in."""
        self._pending.append(_put_record(entity, message))

    def changed(self, entity: str, message: Message) -> None:
        """State, delivery count or lock of a message changed."""
        locked = message.token is not None
        self._add(_CHANGED, entity, message.sequence_number, int(message.state), message.delivery_count, locked)

    def activated(self, entity: str, scheduled_as: int, message: Message) -> None:
        """A scheduled message became active under a new sequence number."""
        times = (message.enqueued_at_s, message.expires_at_s)
        self._add(_ACTIVATED, entity, scheduled_as, message.sequence_number, *times)

    def moved(self, entity: str, message: Message) -> None:
        """A message went to the entity's dead-letter queue."""
        self._add(_MOVED, entity, message.sequence_number, message.delivery_count, message.application_section)

    def removed(self, entity: str, number: int) -> None:
        """A message is gone."""
        self._add(_REMOVED, entity, number)

    def declared(self, settings: QueueSettings) -> None:
        """A queue exists, with these settings."""
        self._add(_DECLARED, settings.name.lower(), settings.name, settings.properties())

    def dropped(self, entity: str) -> None:
        """A queue and its dead-letter queue are gone."""
        self._add(_DROPPED, entity)

    def flush(self, entities: Mapping[str, Queue]) -> None:
        """Write what gathered; rewrite the journal when most of it is dead."""
        if not self._pending:
            return
        self._journal.append(self._pending)
        self._pending.clear()
        if self._journal.size_bytes > self._rewrite_above_bytes:
            self._rewrite_if_mostly_dead(entities)

    def close(self, entities: Mapping[str, Queue]) -> None:
        """Write what is left and give the file back."""
        self.flush(entities)
        self._journal.close()

    def replay(self) -> dict[str, StoredEntity]:
        """Everything the journal holds, by entity."""
        stored: dict[str, StoredEntity] = {}
        for payload in self._journal.replay():
            kind, entity, *values = decode(payload)[0]
            _REPLAY[kind](stored, entity, *values)
        return stored

    def _add(self, *record: Any) -> None:
        self._pending.append(encode(record))

    def _rewrite_if_mostly_dead(self, entities: Mapping[str, Queue]) -> None:
        live_bytes = sum(message.size_bytes for queue in entities.values() for message in queue.messages.values())
        if 2 * live_bytes < self._journal.size_bytes:
            self._journal.rewrite(_snapshot(entities))
        # Looked at again only when it has doubled, so that the sum above costs little per record.
        self._rewrite_above_bytes = max(_ALWAYS_KEPT_BYTES, 2 * self._journal.size_bytes)


def _put_record(entity: str, message: Message) -> bytes:
    status = (message.sequence_number, int(message.state), message.delivery_count, message.token is not None)
    times = (message.accepted_at_s, message.enqueued_at_s, message.expires_at_s)
    return encode((_PUT, entity, *status, *times, message.bare()))


def _snapshot(entities: Mapping[str, Queue]) -> Iterator[bytes]:
    for entity, queue in entities.items():
        if queue.dead_letters:
            yield encode((_DECLARED, entity, queue.settings.name, queue.settings.properties()))
            yield encode((_NEXT, entity, queue.next_number))
        if queue.duplicates:
            for message_id, first_s in queue.duplicates.remembered():
                yield encode((_SEEN, entity, message_id, first_s))
        for message in queue.messages.values():
            yield _put_record(entity, message)


_Stored = dict[str, StoredEntity]


def _replay_put(stored: _Stored, entity: str, number: int, state: int, count: int, locked: bool, *rest: Any) -> None:
    accepted_at_s, enqueued_at_s, expires_at_s, bare = rest
    message = Message.parse(bare)
    message.sequence_number, message.state, message.delivery_count = number, State(state), count
    message.accepted_at_s, message.enqueued_at_s, message.expires_at_s = accepted_at_s, enqueued_at_s, expires_at_s
    kept = stored.setdefault(entity, StoredEntity())
    kept.hold(message, locked=locked)
    if message.message_id is not None and not entity.endswith(DEAD_LETTER_SUFFIX):
        kept.seen.setdefault(message.message_id, accepted_at_s)


def _replay_changed(stored: _Stored, entity: str, number: int, state: int, count: int, locked: bool) -> None:
    message = stored[entity].messages[number]
    message.state, message.delivery_count = State(state), count
    stored[entity].hold(message, locked=locked)


def _replay_activated(
    stored: _Stored, entity: str, scheduled_as: int, number: int, enqueued_at_s: float, expires_at_s: float | None
) -> None:
    message = stored[entity].lose(scheduled_as)
    message.sequence_number, message.state = number, State.ACTIVE
    message.enqueued_at_s, message.expires_at_s = enqueued_at_s, expires_at_s
    message.ttl_s = None if expires_at_s is None else expires_at_s - enqueued_at_s
    stored[entity].hold(message, locked=False)


def _replay_moved(stored: _Stored, entity: str, number: int, delivery_count: int, application: bytes) -> None:
    message = stored[entity].lose(number)
    message.state, message.expires_at_s = State.ACTIVE, None
    message.delivery_count, message.application_section = delivery_count, application
    stored.setdefault(entity + DEAD_LETTER_SUFFIX, StoredEntity()).hold(message, locked=False)


def _replay_removed(stored: _Stored, entity: str, number: int) -> None:
    stored[entity].lose(number)


def _replay_declared(stored: _Stored, entity: str, name: str, properties: dict[str, str]) -> None:
    settings = QueueSettings.from_properties(name, properties)
    stored.setdefault(entity, StoredEntity()).settings = settings


def _replay_dropped(stored: _Stored, entity: str) -> None:
    stored.pop(entity, None)
    stored.pop(entity + DEAD_LETTER_SUFFIX, None)


def _replay_next(stored: _Stored, entity: str, number: int) -> None:
    stored.setdefault(entity, StoredEntity()).next_number = number


def _replay_seen(stored: _Stored, entity: str, message_id: Any, first_s: float) -> None:
    stored.setdefault(entity, StoredEntity()).seen[message_id] = first_s


_REPLAY: dict[str, Callable[..., None]] = {
    _PUT: _replay_put,
    _CHANGED: _replay_changed,
    _ACTIVATED: _replay_activated,
    _MOVED: _replay_moved,
    _REMOVED: _replay_removed,
    _DECLARED: _replay_declared,
    _DROPPED: _replay_dropped,
    _NEXT: _replay_next,
    _SEEN: _replay_seen,
}
