"""What the item operations do, inside one transaction of one logical partition.

Owns validation of items and the meaning of each operation; a single request is a transaction of one operation, a batch
one of many. Nothing here reaches the container before `Transaction.changes` is applied, so a refusal leaves no trace.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from . import charges
from .container import Change, Container, Item
from .errors import (
    CONDITION_NOT_MET,
    PARTITION_KEY_MISMATCH,
    ServiceError,
    already_exists,
    bad_request,
    item_not_found,
    precondition_failed,
    too_large,
)
from .partitioning import PartitionKey
from .patching import Patch
from .values import Value, encode_json, equal, utf8_size

MAX_ITEM_BYTES = 2 * 1024 * 1024
MAX_ID_BYTES = 1023
_FORBIDDEN_IN_ID = frozenset("/\\?#")
_SYSTEM = ("_rid", "_self", "_etag", "_attachments", "_ts")
MAX_TTL_S = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Precondition:
    """If-Match and If-None-Match of a request, with the quotes of an etag, or `*`."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, item: Item | None) -> None:
        """Raises ServiceError (412) unless a write may go on. An upsert without an item has nothing to match."""
        if item is None:
            return
        if self.if_match not in (None, "*", item.etag):
            raise precondition_failed()
        if self.if_none_match is not None and self.if_none_match in ("*", item.etag):
            raise precondition_failed()


ANY = Precondition()


@dataclass(frozen=True, slots=True)
class Outcome:
    """An operation that went well; `item` is None after a delete and for 304."""

    status: int
    item: Item | None
    charge: float
    etag: str = ""


class Transaction:
    """Reads see the transaction's own writes, then the latest committed versions."""

    def __init__(self, container: Container, key: PartitionKey) -> None:
        self.container = container
        self.key = key
        self.now = time.time()
        self._written: dict[str, Item | None] = {}

    @property
    def changes(self) -> list[Change]:
        """What to apply, if everything went well."""
        return [Change((self.key.epk, item_id), item) for item_id, item in self._written.items()]

    def find(self, item_id: str) -> Item | None:
        """The item as this transaction sees it."""
        if item_id in self._written:
            return self._written[item_id]
        return self.container.find((self.key.epk, item_id), self.now)

    def need(self, item_id: str) -> Item:
        """The item as this transaction sees it. Raises ServiceError (404)."""
        item = self.find(item_id)
        if item is None:
            raise item_not_found()
        return item

    def put(self, document: dict[str, Any], old: Item | None) -> Item:
        """Write the next version of an item. Raises ServiceError if it is too large."""
        number = old.number if old else self.container.next_number()
        rid = self.container.rid_of(number)
        stored = {name: value for name, value in document.items() if name not in _SYSTEM}
        stored["_rid"] = rid
        stored["_self"] = f"{self.container.properties['_self']}docs/{rid}/"
        stored["_etag"] = _new_etag()
        stored["_attachments"] = "attachments/"
        stored["_ts"] = int(self.now)
        raw = encode_json(stored)
        _check_size(raw, stored)
        item = Item((self.key.epk, stored["id"]), stored, raw, self.container.expiry_of(stored), number)
        self._written[stored["id"]] = item
        return item

    def remove(self, item: Item) -> None:
        """Delete an item."""
        self._written[item.key[1]] = None


def create(transaction: Transaction, body: Value) -> Outcome:
    """201, or 409 if the id is taken in its logical partition."""
    document = _valid(transaction, body)
    if transaction.find(document["id"]) is not None:
        raise already_exists()
    item = transaction.put(document, None)
    return Outcome(201, item, charges.insert(len(item.raw)))


def upsert(transaction: Transaction, body: Value, precondition: Precondition = ANY) -> Outcome:
    """201 if it created, 200 if it replaced."""
    document = _valid(transaction, body)
    old = transaction.find(document["id"])
    precondition.check(old)
    item = transaction.put(document, old)
    if old is None:
        return Outcome(201, item, charges.insert(len(item.raw)))
    return Outcome(200, item, charges.change(len(item.raw)))


def replace(transaction: Transaction, item_id: str, body: Value, precondition: Precondition = ANY) -> Outcome:
    """200 with the new version; the id cannot change."""
    document = _valid(transaction, body)
    if document["id"] != item_id:
        raise bad_request(f"The id of the item, {document['id'][:50]!r}, is not that of the address, {item_id[:50]!r}.")
    old = transaction.need(item_id)
    precondition.check(old)
    item = transaction.put(document, old)
    return Outcome(200, item, charges.change(len(item.raw)))


def patch(transaction: Transaction, item_id: str, body: Value, precondition: Precondition = ANY) -> Outcome:
    """200 with the new version; 412 with sub-status 1110 if the patch's own condition does not hold."""
    wanted = Patch(body, fixed=frozenset(path[0] for path in transaction.container.definition.paths) | {"id"})
    old = transaction.need(item_id)
    precondition.check(old)
    if not wanted.holds(old.document):
        raise ServiceError(412, "The condition of the patch is not met.", substatus=CONDITION_NOT_MET)
    document = wanted.apply(old.document)
    _check_ttl(document)
    item = transaction.put(document, old)
    return Outcome(200, item, charges.change(len(item.raw)))


def delete(transaction: Transaction, item_id: str, precondition: Precondition = ANY) -> Outcome:
    """204."""
    old = transaction.need(item_id)
    precondition.check(old)
    transaction.remove(old)
    return Outcome(204, None, charges.insert(len(old.raw)))


def read(item: Item | None, precondition: Precondition, *, strong: bool) -> Outcome:
    """200, or 304 if the reader has this version already."""
    if item is None:
        raise item_not_found()
    if precondition.if_none_match in ("*", item.etag):
        return Outcome(304, None, charges.EMPTY_READ * (2 if strong else 1), item.etag)
    return Outcome(200, item, charges.read(len(item.raw), strong=strong))


def _valid(transaction: Transaction, body: Value) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_request("The request body is no JSON object.")
    _check_id(body.get("id"))
    values = transaction.container.definition.values_in(body)
    if not all(map(equal, values, transaction.key.values)):
        raise bad_request(
            "PartitionKey extracted from document doesn't match the one specified in the header.",
            substatus=PARTITION_KEY_MISMATCH,
        )
    _check_ttl(body)
    return body


def _check_id(item_id: Value) -> None:
    if not isinstance(item_id, str) or not item_id:
        raise bad_request("The input content is invalid because the required properties - 'id; ' - are missing.")
    size_bytes = len(item_id.encode("utf-8", "surrogatepass"))
    if size_bytes > MAX_ID_BYTES or not _FORBIDDEN_IN_ID.isdisjoint(item_id):
        raise bad_request(
            f"The id {item_id[:50]!r} of {size_bytes} bytes is invalid: at most {MAX_ID_BYTES} bytes, none of / \\ ? #"
        )


def _check_ttl(document: dict[str, Any]) -> None:
    ttl_s = document.get("ttl")
    if ttl_s is None:
        return
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, int) or not (ttl_s == -1 or 1 <= ttl_s <= MAX_TTL_S):
        raise bad_request(f"The input ttl {str(ttl_s)[:50]!r} is invalid: a positive integer or -1 is expected.")


def _check_size(raw: bytes, document: dict[str, Any]) -> None:
    # The limit counts UTF-8; `raw` escapes what is not ASCII and so is never shorter.
    if len(raw) > MAX_ITEM_BYTES and (size_bytes := utf8_size(document)) > MAX_ITEM_BYTES:
        raise too_large(size_bytes, MAX_ITEM_BYTES)


def _new_etag() -> str:
    digits = os.urandom(16).hex()
    return f'"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"'
