"""One container: its items by logical partition, the order of its hashes, and what has expired.

Owns the state in memory and nothing else: no HTTP, no journal. Every change arrives through `apply`, whole.
"""

from __future__ import annotations

import base64
import heapq
import math
import struct
import time
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from .consistency import LaggingReplica
from .partitioning import HIGHEST_EPK, PartitionKeyDefinition, PartitionKeyRange, effective_partition_key

ItemKey = tuple[str, str]  # effective partition key, id


@dataclass(slots=True)
class Item:
    """One version of one item; never changed, only replaced."""

    key: ItemKey
    document: dict[str, Any]
    """With the system's properties (`_etag`, `_ts`, ...)."""
    raw: bytes
    """The document as JSON, as it goes over the wire and into the journal."""
    expires_at: float
    """Unix seconds; infinity for never."""
    number: int
    """Grows with every item that is created; later versions keep it."""

    @property
    def position(self) -> str:
        """Where a scan meets the item: positions sort as scans go, by hash and then by age."""
        return f"{self.key[0]}{self.number:016x}"

    @property
    def etag(self) -> str:
        """With its quotes."""
        return str(self.document["_etag"])


@dataclass(frozen=True, slots=True)
class Change:
    """The next version of an item, or None for its deletion."""

    key: ItemKey
    item: Item | None


class Container:
    """Items are looked up by hash and id; a scan goes through the hashes in order, as a partition does."""

    def __init__(
        self, properties: dict[str, Any], definition: PartitionKeyDefinition, *, split_tenant: str, staleness_s: float
    ) -> None:
        """`properties` is the container as the service shows it."""
        self.properties = properties
        self.definition = definition
        self.ranges: list[PartitionKeyRange] = definition.ranges(split_tenant)
        self._replicas: list[LaggingReplica[ItemKey, Item]] = [LaggingReplica(staleness_s) for _ in self.ranges]
        self._items: dict[str, dict[str, Item]] = {}
        self._hashes: list[str] = []
        self._expiries: list[tuple[float, ItemKey]] = []
        self._watched: dict[ItemKey, float] = {}
        self._last_number = 0
        self.size_bytes = 0

    @property
    def rid(self) -> str:
        """The service's own id of the container; a new container of the same name has another."""
        return str(self.properties["_rid"])

    def range_of(self, epk: str) -> PartitionKeyRange:
        """The physical partition that holds a hash."""
        return self.ranges[0] if epk < self.ranges[0].max_epk else self.ranges[1]

    def find(self, key: ItemKey, now: float) -> Item | None:
        """The latest version, unless it has expired. `now` is Unix seconds."""
        item = self._items.get(key[0], {}).get(key[1])
        return None if item is None or item.expires_at <= now else item

    def replica_lsn(self, range_: PartitionKeyRange) -> int:
        """The last write that a lagging reader of this partition sees."""
        return self._replica(range_).lsn(range_.lsn, time.monotonic())

    def find_as_of(self, key: ItemKey, now: float, lsn: int) -> Item | None:
        """The version after write `lsn` of the item's partition, unless it has expired."""
        range_ = self.range_of(key[0])
        item = self._items.get(key[0], {}).get(key[1])
        if lsn < range_.lsn:
            item = self._replica(range_).version(key, item, lsn)
        return None if item is None or item.expires_at <= now else item

    def scan(self, range_: PartitionKeyRange, low: str, high: str, lsn: int, now: float) -> Iterator[Item]:
        """The items of one physical partition whose hash is in [low, high), after write `lsn`, in order of hashes."""
        low, high = max(low, range_.min_epk), min(high, range_.max_epk)
        if lsn < range_.lsn:
            keys = {key for key in self._replica(range_).touched() if low <= key[0] < high}
            keys.update(item.key for item in self._latest(low, high))
            found = (self.find_as_of(key, now, lsn) for key in keys)
            yield from sorted((item for item in found if item is not None), key=attrgetter("position"))
        else:
            yield from (item for item in self._latest(low, high) if item.expires_at > now)

    def partition(self, epk: str, lsn: int, now: float) -> Iterator[Item]:
        """The items of one logical partition after write `lsn`."""
        return self.scan(self.range_of(epk), epk, epk + "\0", lsn, now)

    def everything(self) -> Iterator[Item]:
        """All latest versions, expired ones too."""
        return self._latest("", HIGHEST_EPK)

    def next_number(self) -> int:
        """A new item's number."""
        self._last_number += 1
        return self._last_number

    def rid_of(self, number: int) -> str:
        """The service's own id of an item."""
        prefix = base64.b64decode(self.rid.replace("-", "/"))
        return base64.b64encode(prefix + struct.pack(">Q", number)).decode().replace("/", "-")

    def expiry_of(self, document: dict[str, Any]) -> float:
        """When a document with this `_ts` and `ttl` ends; a `ttl` counts only where the container has a default."""
        default = self.properties.get("defaultTtl")
        ttl_s = default if document.get("ttl") is None else document["ttl"]
        # `_ts` is cut to whole seconds; a second more, so that no item goes before its time.
        return math.inf if default is None or ttl_s == -1 else document["_ts"] + ttl_s + 1

    def apply(self, changes: Sequence[Change]) -> int:
        """Carry out the changes of one logical partition as one write; the write's number in its physical partition."""
        range_ = self.range_of(changes[0].key[0])
        range_.lsn += 1
        replica, now = self._replica(range_), time.monotonic()
        for change in changes:
            old = self._items.get(change.key[0], {}).get(change.key[1])
            replica.replaced(change.key, old, lsn=range_.lsn, now=now)
            self._store(change.key, change.item)
        return range_.lsn

    def restore(self, changes: Sequence[Change], *, writes: int) -> None:
        """Put back what a journal kept: no reader lags behind what happened before the process started."""
        for change in changes:
            self._store(change.key, change.item)
        if changes:
            self.range_of(changes[0].key[0]).lsn += writes

    def load(self, document: dict[str, Any], raw: bytes) -> Item:
        """Make an item out of what the journal kept, without storing it."""
        number = _number_in(document["_rid"])
        self._last_number = max(self._last_number, number)
        epk = effective_partition_key(self.definition.values_in(document), self.definition)
        return Item((epk, document["id"]), document, raw, self.expiry_of(document), number)

    def reschedule(self) -> None:
        """Work every expiry out again, after the container's default changed."""
        self._expiries.clear()
        self._watched.clear()
        for item in self.everything():
            item.expires_at = self.expiry_of(item.document)
            self._watch(item)

    @property
    def next_expiry_at(self) -> float:
        """Unix seconds; infinity for never. No item expires before."""
        return self._expiries[0][0] if self._expiries else math.inf

    def purge(self, now: float) -> None:
        """Delete what has expired."""
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heapq.heappop(self._expiries)
            self._watched.pop(key, None)
            item = self._items.get(key[0], {}).get(key[1])
            if item is not None and item.expires_at <= now:
                self._store(key, None)
            elif item is not None:
                self._watch(item)

    def _replica(self, range_: PartitionKeyRange) -> LaggingReplica[ItemKey, Item]:
        return self._replicas[int(range_.id)]

    def _latest(self, low: str, high: str) -> Iterator[Item]:
        first, last = bisect_left(self._hashes, low), bisect_left(self._hashes, high)
        for epk in self._hashes[first:last]:
            yield from self._items[epk].values()

    def _store(self, key: ItemKey, item: Item | None) -> None:
        epk, item_id = key
        logical = self._items.get(epk)
        if logical is None:
            if item is None:
                return
            logical = self._items[epk] = {}
            insort(self._hashes, epk)
        old = logical.pop(item_id, None) if item is None else logical.get(item_id)
        self.size_bytes += (len(item.raw) if item else 0) - (len(old.raw) if old else 0)
        if item is not None:
            logical[item_id] = item
            self._watch(item)
        elif not logical:
            del self._items[epk]
            del self._hashes[bisect_left(self._hashes, epk)]

    def _watch(self, item: Item) -> None:
        # One entry per item, unless it is to end sooner than thought: a busy item must not fill the heap.
        if item.expires_at < self._watched.get(item.key, math.inf):
            self._watched[item.key] = item.expires_at
            heapq.heappush(self._expiries, (item.expires_at, item.key))


def _number_in(rid: str) -> int:
    number: int = struct.unpack(">Q", base64.b64decode(rid.replace("-", "/"))[-8:])[0]
    return number
