"""What a queue tells about its changes, so that they can be kept. Owns the seam; journal_ledger.py keeps them."""

from __future__ import annotations

from typing import Protocol

from .message import Message


class Ledger(Protocol):
    """Hears of each change right after it was made, in the order it was made."""

    def put(self, entity: str, message: Message) -> None:
        """A message came in."""

    def changed(self, entity: str, message: Message) -> None:
        """State, delivery count or lock of a message changed; renewals are not told."""

    def activated(self, entity: str, scheduled_as: int, message: Message) -> None:
        """A scheduled message became active under a new sequence number."""

    def moved(self, entity: str, message: Message) -> None:
        """A message went to the entity's dead-letter queue."""

    def removed(self, entity: str, number: int) -> None:
        """A message is gone."""


class NoLedger:
    """Keeps nothing: the emulator without a data folder."""

    def put(self, entity: str, message: Message) -> None: ...
    def changed(self, entity: str, message: Message) -> None: ...
    def activated(self, entity: str, scheduled_as: int, message: Message) -> None: ...
    def moved(self, entity: str, message: Message) -> None: ...
    def removed(self, entity: str, number: int) -> None: ...
