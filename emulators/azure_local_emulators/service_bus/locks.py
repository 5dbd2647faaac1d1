"""Who holds which message until when. Owns tokens and their ends; what an ended lock means is queue.py's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID, uuid4

from .message import Message


class Locks:
    """The locks of one queue, in the order of their ends: all last equally long, and a renewal starts anew."""

    def __init__(self, duration_s: float, clock: Callable[[], float]) -> None:
        self._duration_s, self._clock = duration_s, clock
        self._held: OrderedDict[UUID, Message] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, message: Message) -> None:
        """Lock a message under a new token."""
        message.token = uuid4()
        message.locked_until_s = self._clock() + self._duration_s
        self._held[message.token] = message

    def get(self, token: UUID) -> Message | None:
        """The message that is locked under this token; its time may be over."""
        return self._held.get(token)

    def renew(self, token: UUID) -> None:
        """Start the duration of a held lock again."""
        self._held[token].locked_until_s = self._clock() + self._duration_s
        self._held.move_to_end(token)

    def remove(self, token: UUID) -> Message:
        """End a held lock."""
        message = self._held.pop(token)
        message.token = None
        return message

    def next_s(self) -> float | None:
        """When the first lock ends."""
        return next(iter(self._held.values())).locked_until_s if self._held else None

    def first_over(self, now_s: float) -> UUID | None:
        """The token of a lock whose time is over."""
        next_s = self.next_s()
        return next(iter(self._held)) if next_s is not None and next_s <= now_s else None
