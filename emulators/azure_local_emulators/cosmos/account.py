"""The account: its databases and containers, and the one way in which anything is changed.

Owns names, resource ids and the order "journal first, then memory": what the account shows is in the journal already.
"""

from __future__ import annotations

import base64
import math
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .container import Change, Container
from .definitions import container_properties, definition_of, merged_properties
from .errors import already_exists, bad_request, owner_not_found
from .values import Value


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """How the emulated account is set up."""

    consistency: str = "Session"
    staleness_s: float = 0.05
    split_tenant: str = "default"


@dataclass(slots=True)
class Database:
    """A database and its containers by name."""

    properties: dict[str, Any]
    containers: dict[str, Container] = field(default_factory=dict)

    @property
    def rid(self) -> str:
        """The service's own id."""
        return str(self.properties["_rid"])


class Recorder(Protocol):
    """Where changes are written down before they count."""

    def database(self, properties: dict[str, Any]) -> None:
        """A database was created."""

    def container(self, container: Container, database_rid: str) -> None:
        """A container was created or replaced."""

    def dropped(self, rid: str) -> None:
        """A database or container was deleted."""

    def items(self, container: Container, changes: Sequence[Change]) -> None:
        """Items of one logical partition were written, as one atomic record."""


class Account:
    """All state of the emulator."""

    def __init__(self, options: AccountOptions, recorder: Recorder) -> None:
        self.options = options
        self.databases: dict[str, Database] = {}
        self.recorder = recorder
        self.last_rid = 0
        self.next_expiry_at = math.inf
        """Unix seconds; no item expires before."""

    def database(self, name: str) -> Database:
        """By name or resource id. Raises ServiceError (404)."""
        found = self.databases.get(name) or next((one for one in self.databases.values() if one.rid == name), None)
        if found is None:
            raise owner_not_found(f"dbs/{name}")
        return found

    def container(self, database_name: str, name: str) -> Container:
        """By name or resource id. Raises ServiceError (404)."""
        containers = self.database(database_name).containers
        found = containers.get(name) or next((one for one in containers.values() if one.rid == name), None)
        if found is None:
            raise owner_not_found(f"dbs/{database_name}/colls/{name}")
        return found

    def create_database(self, body: Value) -> Database:
        """Raises ServiceError: 400 for a bad name, 409 for a taken one."""
        name = _valid_name(body)
        if name in self.databases:
            raise already_exists()
        self.last_rid += 1
        rid = base64.b64encode(struct.pack(">I", self.last_rid)).decode().replace("/", "-")
        system = {"_rid": rid, "_self": f"dbs/{rid}/", "_etag": new_etag(), "_ts": int(time.time())}
        database = Database({"id": name, **system, "_colls": "colls/", "_users": "users/"})
        self.recorder.database(database.properties)
        self.databases[name] = database
        return database

    def delete_database(self, name: str) -> None:
        """With everything in it."""
        database = self.database(name)
        self.recorder.dropped(database.rid)
        del self.databases[database.properties["id"]]

    def create_container(self, database_name: str, body: Value) -> Container:
        """Raises ServiceError: 400 for a bad definition, 409 for a taken name."""
        database = self.database(database_name)
        name = _valid_name(body)
        if name in database.containers:
            raise already_exists()
        self.last_rid += 1
        number = struct.pack(">I", 0x80000000 | self.last_rid)
        rid = base64.b64encode(base64.b64decode(database.rid.replace("-", "/")) + number).decode().replace("/", "-")
        container = self.build(container_properties(body, rid=rid, database_rid=database.rid, etag=new_etag()))
        self.recorder.container(container, database.rid)
        database.containers[name] = container
        return container

    def replace_container(self, database_name: str, name: str, body: Value) -> Container:
        """Change the default TTL or the indexing policy. Raises ServiceError if the partition key would change."""
        database, container = self.database(database_name), self.container(database_name, name)
        before = container.properties
        container.properties = merged_properties(before, body, etag=new_etag())
        try:
            self.recorder.container(container, database.rid)
        except BaseException:
            container.properties = before
            raise
        container.reschedule()
        self._expect(container)
        return container

    def delete_container(self, database_name: str, name: str) -> None:
        """With everything in it."""
        container = self.container(database_name, name)
        self.recorder.dropped(container.rid)
        del self.database(database_name).containers[container.properties["id"]]

    def commit(self, container: Container, changes: Sequence[Change]) -> int:
        """Write the changes of one logical partition; the number of the write in its physical partition."""
        self.recorder.items(container, changes)
        lsn = container.apply(changes)
        self._expect(container)
        return lsn

    def build(self, properties: dict[str, Any]) -> Container:
        """A container without items."""
        return Container(
            properties,
            definition_of(properties),
            split_tenant=self.options.split_tenant,
            staleness_s=self.options.staleness_s,
        )

    def containers(self) -> list[Container]:
        """Of all databases."""
        return [container for database in self.databases.values() for container in database.containers.values()]

    def purge(self, now: float) -> None:
        """Delete what has expired."""
        self.next_expiry_at = math.inf
        for container in self.containers():
            container.purge(now)
            self._expect(container)

    def _expect(self, container: Container) -> None:
        self.next_expiry_at = min(self.next_expiry_at, container.next_expiry_at)


def new_etag() -> str:
    """For a database or container."""
    return f'"{os.urandom(16).hex()}"'


def _valid_name(body: Value) -> str:
    name = body.get("id") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name or len(name) > 255 or set(name) & set("/\\?#"):
        raise bad_request(f"The name {str(name)[:50]!r} is invalid; it has 1 to 255 characters and none of / \\ ? #")
    return name
