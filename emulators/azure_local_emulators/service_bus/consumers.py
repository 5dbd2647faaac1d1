"""The receivers of one queue, who take turns. Owns the turns; a receiver's credit is its own business."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol


class Consumer(Protocol):
    """A receiver that has a say in when it gets a message."""

    def pull(self) -> bool:
        """Take one message from the queue, if the receiver has credit; whether it did."""

    def entity_deleted(self) -> None:
        """The queue is gone."""


class Consumers:
    """Whoever receives from a queue at the moment."""

    def __init__(self) -> None:
        self._round: deque[Consumer] = deque()

    def add(self, consumer: Consumer) -> None:
        """Let a receiver take part."""
        self._round.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        """The receiver is gone; nothing happens if it never was there."""
        if consumer in self._round:
            self._round.remove(consumer)

    def serve(self, has_messages: Callable[[], object]) -> None:
        """Let each pull in turn, until there is no message or nobody wants one."""
        idle = 0
        while idle < len(self._round) and has_messages():
            consumer = self._round[0]
            self._round.rotate(-1)
            idle = 0 if consumer.pull() else idle + 1

    def dismiss(self) -> None:
        """Tell everybody that the queue is gone."""
        for consumer in list(self._round):
            consumer.entity_deleted()
