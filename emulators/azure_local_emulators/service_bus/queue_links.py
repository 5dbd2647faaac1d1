"""Links to a queue: a client's sender puts messages in, a client's receiver takes them out and settles them.

Owns the translation between AMQP outcomes and the queue's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from ..faults import Fault, InjectedFault
from .amqp_types import Described, UInt
from .errors import EntityNotFound, Injected, Refused
from .frames import (
    ACCEPTED,
    DISPOSITION,
    MODIFIED,
    REJECTED,
    RELEASED,
    described_list,
    error,
    performative,
)
from .link import IncomingLink, OutgoingLink
from .message import BATCH_FORMAT, Message, unbatched
from .queue import Queue
from .session import Session

_TERMINAL_OUTCOMES = (ACCEPTED, REJECTED, RELEASED, MODIFIED)


class SenderLink(IncomingLink):
    """The client sends to a queue."""

    def __init__(self, session: Session, handle: int, delivery_count: int, queue: Queue) -> None:
        super().__init__(session, handle, delivery_count)
        self._queue = queue

    def on_message(self, delivery_id: int, message_format: int, payload: bytes, *, settled: bool) -> None:
        """Store one message, or all of a batch."""

        def store() -> None:
            messages = unbatched(payload) if message_format == BATCH_FORMAT else [Message.parse(payload)]
            for message in messages:
                self._queue.send(message)

        def answer(_: None) -> None:
            self.accept(delivery_id, settled=settled)

        def refuse(refused: Refused) -> None:
            self.reject(delivery_id, refused, settled=settled)

        self.session.connection.perform("send", self._queue.entity, store, answer, refuse)


class ReceiverLink(OutgoingLink):
    """The client receives from a queue, under locks or (`lock` false) for keeps."""

    def __init__(self, session: Session, handle: int, queue: Queue, *, lock: bool) -> None:
        super().__init__(session, handle)
        self._queue, self._lock = queue, lock
        self._held_up = False
        self._is_closed = False

    def attached(self) -> None:
        """Take part in the queue's round."""
        self._queue.attach(self)

    def closed(self) -> None:
        """Leave the round."""
        self._is_closed = True
        self._queue.detach(self)

    def entity_deleted(self) -> None:
        """Tell the client."""
        self.session.detach(self, EntityNotFound(f"The messaging entity '{self._queue.entity}' has been deleted."))

    def serve(self) -> None:
        """There is credit."""
        self._queue.pump()

    def pull(self) -> bool:
        """Take one message, if there is credit; whether it did."""
        if self.credit <= 0 or self._held_up or not self._queue.has_ready():
            return False
        connection = self.session.connection
        fault = connection.faults.hit("receive", entity=self._queue.entity)
        if fault is not None:
            self._held_up = True
            connection.spawn(self._pull_under(fault))
            return False
        message = self._queue.take(lock=self._lock)
        if message is not None:
            self._hand_out(message)
        return message is not None

    def on_disposition(self, delivery_id: int, token: UUID, outcome: Any, *, settled: bool) -> None:
        """Do as the client says and, unless it has settled itself, confirm with the same outcome."""
        kind, settle = _settlement(self._queue, token, outcome)

        def answer(_: None) -> None:
            # A `rejected` that carries an error means to the SDK that settling failed.
            echo = described_list(REJECTED) if kind == "dead-letter" else outcome
            self._confirm(delivery_id, echo, settled=settled)

        def refuse(refused: Refused) -> None:
            failure = described_list(REJECTED, error(refused.condition, str(refused)))
            self._confirm(delivery_id, failure, settled=settled)

        self.session.connection.perform(kind, self._queue.entity, settle, answer, refuse)

    def _hand_out(self, message: Message) -> None:
        # The delivery tag is the lock token, in the byte order of a .NET Guid.
        tag = message.token.bytes_le if message.token else message.sequence_number.to_bytes(8, "big")
        self.deliver(message.encoded(), tag, token=message.token)

    def _confirm(self, delivery_id: int, outcome: Any, *, settled: bool) -> None:
        if not settled:
            fields = (False, UInt(delivery_id), None, True, outcome)
            self.session.connection.write(performative(self.session.channel, DISPOSITION, *fields))

    async def _pull_under(self, fault: Fault) -> None:
        connection = self.session.connection
        try:
            await fault.before()
            wanted = self.credit > 0 and not self._is_closed
            message = self._queue.take(lock=self._lock) if wanted else None
            connection.broker.commit()
            await fault.after()
            if message is not None:
                self._hand_out(message)
        except InjectedFault as injected:
            if injected.error == "drop":
                connection.drop()
                self._is_closed = True  # It is not told so before the next turn of the loop.
            else:
                self.session.detach(self, Injected(injected.error))
        self._held_up = self._is_closed
        self._queue.pump()


def _settlement(queue: Queue, token: UUID, outcome: Any) -> tuple[str, Callable[[], None]]:
    """The name of what an outcome asks for, and how to do it. No terminal outcome: give the message back."""
    code = outcome.descriptor if isinstance(outcome, Described) else None
    fields = outcome.value if code in _TERMINAL_OUTCOMES and isinstance(outcome.value, list) else []
    if code == ACCEPTED:
        return "complete", lambda: queue.complete(token)
    if code == REJECTED:
        reason, description = _dead_letter_words(fields)
        return "dead-letter", lambda: queue.dead_letter(token, reason, description)
    if code == MODIFIED:
        undeliverable_here = len(fields) > 1 and fields[1] is True
        if undeliverable_here:
            return "defer", lambda: queue.defer(token)
        return "abandon", lambda: queue.abandon(token)
    return "release", lambda: queue.release(token)


def _dead_letter_words(fields: list[Any]) -> tuple[str | None, str | None]:
    """Reason and description out of a rejection's error: condition, description, info."""
    failure = fields[0].value if fields and isinstance(fields[0], Described) else []
    failure = failure if isinstance(failure, list) else []
    info = failure[2] if len(failure) > 2 and isinstance(failure[2], dict) else {}
    return info.get("DeadLetterReason"), info.get("DeadLetterErrorDescription")
