"""Write the account down, and read it back after a restart.

Owns what a journal record means. One record is one atomic write: a header in JSON, then the items as on the wire.
Hashes, numbers of writes and expiries are worked out again when reading; etags and timestamps are in the items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..journal import Journal
from .account import Account, Database
from .container import Change, Container
from .values import decode_json, encode_json

COMPACT_FROM_BYTES = 64 * 1024 * 1024
_GROWTH = 4  # Rewrite once the journal is this many times what it was after the last rewrite.
_SNAPSHOT_ITEMS = 100


class NoRecorder:
    """For an account that lives in memory only."""

    def database(self, properties: dict[str, Any]) -> None:
        """Nothing."""

    def container(self, container: Container, database_rid: str) -> None:
        """Nothing."""

    def dropped(self, rid: str) -> None:
        """Nothing."""

    def items(self, container: Container, changes: Sequence[Change]) -> None:
        """Nothing."""


class JournalRecorder:
    """Appends every change to a journal before it counts."""

    def __init__(self, folder: Path) -> None:
        """Raises JournalInUse if another process has the folder."""
        self._journal = Journal(folder / "cosmos.journal")
        self._compact_at_bytes = COMPACT_FROM_BYTES

    def load(self, account: Account) -> None:
        """Fill an empty account from the journal."""
        reader = _Reader(account)
        for record in self._journal.replay():
            reader.read(record)
        self._compact_at_bytes = max(COMPACT_FROM_BYTES, self._journal.size_bytes)

    def compact_if_due(self, account: Account) -> None:
        """Replace the journal by a snapshot when it has grown far beyond one."""
        if self._journal.size_bytes < self._compact_at_bytes:
            return
        self._journal.rewrite(_snapshot(account))
        self._compact_at_bytes = max(COMPACT_FROM_BYTES, _GROWTH * self._journal.size_bytes)

    def close(self) -> None:
        """Give the journal back."""
        self._journal.close()

    def database(self, properties: dict[str, Any]) -> None:
        """A database was created."""
        self._journal.append([_database_record(properties)])

    def container(self, container: Container, database_rid: str) -> None:
        """A container was created or replaced."""
        self._journal.append([_container_record(container, database_rid)])

    def dropped(self, rid: str) -> None:
        """A database or container was deleted."""
        self._journal.append([encode_json({"kind": "dropped", "rid": rid})])

    def items(self, container: Container, changes: Sequence[Change]) -> None:
        """Items of one logical partition were written."""
        deleted = [change.key for change in changes if change.item is None]
        head = encode_json({"kind": "items", "container": container.rid, "deleted": deleted})
        self._journal.append([b"\n".join([head, *(change.item.raw for change in changes if change.item is not None)])])


def _database_record(properties: dict[str, Any]) -> bytes:
    return encode_json({"kind": "database", "properties": properties})


def _container_record(container: Container, database_rid: str) -> bytes:
    lsns = [range_.lsn for range_ in container.ranges]
    return encode_json(
        {"kind": "container", "database": database_rid, "properties": container.properties, "lsns": lsns}
    )


def _snapshot(account: Account) -> Iterator[bytes]:
    yield encode_json({"kind": "account", "last_rid": account.last_rid})
    for database in account.databases.values():
        yield _database_record(database.properties)
        for container in database.containers.values():
            yield _container_record(container, database.rid)
            head = encode_json({"kind": "snapshot", "container": container.rid})
            raws = [item.raw for item in container.everything()]
            for first in range(0, len(raws), _SNAPSHOT_ITEMS):
                yield b"\n".join([head, *raws[first : first + _SNAPSHOT_ITEMS]])


class _Reader:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._databases: dict[str, Database] = {}
        self._containers: dict[str, Container] = {}

    def read(self, record: bytes) -> None:
        head, *raws = record.split(b"\n")
        header = decode_json(head)
        getattr(self, f"_read_{header['kind']}")(header, raws)

    def _read_account(self, header: dict[str, Any], _: list[bytes]) -> None:
        self._account.last_rid = header["last_rid"]

    def _read_database(self, header: dict[str, Any], _: list[bytes]) -> None:
        database = Database(header["properties"])
        self._account.databases[database.properties["id"]] = self._databases[database.rid] = database
        self._account.last_rid += 1

    def _read_container(self, header: dict[str, Any], _: list[bytes]) -> None:
        properties = header["properties"]
        known = self._containers.get(properties["_rid"])
        if known is not None:
            known.properties = properties
            known.reschedule()
            return
        container = self._account.build(properties)
        for range_, lsn in zip(container.ranges, header["lsns"], strict=True):
            range_.lsn = lsn
        self._databases[header["database"]].containers[properties["id"]] = container
        self._containers[container.rid] = container
        self._account.last_rid += 1

    def _read_dropped(self, header: dict[str, Any], _: list[bytes]) -> None:
        rid = header["rid"]
        if rid in self._databases:
            del self._account.databases[self._databases.pop(rid).properties["id"]]
        elif rid in self._containers:
            container = self._containers.pop(rid)
            for database in self._account.databases.values():
                if database.containers.get(container.properties["id"]) is container:
                    del database.containers[container.properties["id"]]

    def _read_items(self, header: dict[str, Any], raws: list[bytes]) -> None:
        container = self._containers[header["container"]]
        items = [container.load(decode_json(raw), raw) for raw in raws]
        changes = [Change(item.key, item) for item in items]
        changes += [Change((epk, item_id), None) for epk, item_id in header["deleted"]]
        container.restore(changes, writes=1)

    def _read_snapshot(self, header: dict[str, Any], raws: list[bytes]) -> None:
        container = self._containers[header["container"]]
        items = [container.load(decode_json(raw), raw) for raw in raws]
        container.restore([Change(item.key, item) for item in items], writes=0)
