"""Requests about single items, and transactional batches.

Owns the way from headers to an operation, and from its outcome to an answer.
"""

from __future__ import annotations

from collections.abc import Callable

from . import batch, charges, operations
from .account import Account
from .consistency import level_of, readable_lsn, session_token
from .container import Container
from .errors import ServiceError, bad_request, unsupported
from .exchange import CONSISTENCY, IS_BATCH_ATOMIC, PARTITION_KEY, SESSION_TOKEN, Answer, Call
from .operations import Outcome, Precondition, Transaction
from .partitioning import PartitionKey, PartitionKeyRange, parse_header

Written = Callable[[Transaction, Call], Outcome]


def partition_key(container: Container, call: Call) -> PartitionKey:
    """The full partition key of a request. Raises ServiceError if it is missing or only a prefix."""
    header = call.headers.get(PARTITION_KEY)
    if header is None:
        raise bad_request("PartitionKey value must be supplied for this operation.")
    return parse_header(header, container.definition)


def visible_lsn(account: Account, container: Container, range_: PartitionKeyRange, call: Call) -> tuple[int, bool]:
    """Up to which write this request reads, and whether it pays for a strong read."""
    level = level_of(account.options.consistency, call.headers.get(CONSISTENCY))
    lsn = readable_lsn(
        level,
        latest=range_.lsn,
        replica=container.replica_lsn(range_),
        range_id=range_.id,
        token=call.headers.get(SESSION_TOKEN),
    )
    return lsn, level in ("Strong", "BoundedStaleness")


def read_item(account: Account, container: Container, call: Call) -> Answer:
    """GET .../docs/{id}."""
    key = partition_key(container, call)
    range_ = container.range_of(key.epk)
    lsn, strong = visible_lsn(account, container, range_, call)
    call.range_id, call.session_token = range_.id, session_token(range_.id, lsn)
    call.charge = charges.EMPTY_READ * (2 if strong else 1)
    transaction = Transaction(container, key)
    item = container.find_as_of((key.epk, call.segments[5]), transaction.now, lsn)
    outcome = operations.read(item, _precondition(call), strong=strong)
    call.charge = outcome.charge
    if outcome.item is None:
        return Answer(outcome.status, b"", {"etag": outcome.etag})
    return Answer(outcome.status, outcome.item.raw, {"etag": outcome.item.etag})


def write_item(run: Written) -> Callable[[Account, Container, Call], Answer]:
    """The route of an operation that writes one item."""

    def route(account: Account, container: Container, call: Call) -> Answer:
        call.charge = charges.REFUSED_WRITE
        key = partition_key(container, call)
        range_ = container.range_of(key.epk)
        call.range_id, call.session_token = range_.id, session_token(range_.id, range_.lsn)
        transaction = Transaction(container, key)
        outcome = run(transaction, call)
        call.charge = outcome.charge
        lsn = account.commit(container, transaction.changes)
        call.session_token = session_token(range_.id, lsn)
        if outcome.item is None:
            return Answer(outcome.status)
        minimal = call.headers.get("Prefer", "").lower() == "return=minimal"
        return Answer(outcome.status, b"" if minimal else outcome.item.raw, {"etag": outcome.item.etag})

    return route


@write_item
def create_item(transaction: Transaction, call: Call) -> Outcome:
    """POST .../docs."""
    return operations.create(transaction, call.body)


@write_item
def upsert_item(transaction: Transaction, call: Call) -> Outcome:
    """POST .../docs that may find the item there."""
    return operations.upsert(transaction, call.body, _precondition(call))


@write_item
def replace_item(transaction: Transaction, call: Call) -> Outcome:
    """PUT .../docs/{id}."""
    return operations.replace(transaction, call.segments[5], call.body, _precondition(call))


@write_item
def patch_item(transaction: Transaction, call: Call) -> Outcome:
    """PATCH .../docs/{id}."""
    return operations.patch(transaction, call.segments[5], call.body, _precondition(call))


@write_item
def delete_item(transaction: Transaction, call: Call) -> Outcome:
    """DELETE .../docs/{id}."""
    return operations.delete(transaction, call.segments[5], _precondition(call))


def run_batch(account: Account, container: Container, call: Call) -> Answer:
    """POST .../docs with a batch: 200 with the results, or 207 and nothing done."""
    if call.headers.get(IS_BATCH_ATOMIC, "true").lower() != "true":
        raise unsupported("A batch that is not atomic")
    call.charge = charges.REFUSED_WRITE
    key = partition_key(container, call)
    range_ = container.range_of(key.epk)
    call.range_id, call.session_token = range_.id, session_token(range_.id, range_.lsn)
    transaction = Transaction(container, key)
    try:
        results, call.charge = batch.run(transaction, call.body, size_bytes=len(call.raw))
    except batch.BatchRefused as refused:
        call.charge = refused.charge
        return Answer(207, batch.joined(refused.results))
    if transaction.changes:
        call.session_token = session_token(range_.id, account.commit(container, transaction.changes))
    return Answer(200, batch.joined(results))


def refused_batch(call: Call, refusal: ServiceError) -> Answer:
    """A batch answered with `refusal` for its first operation, the way a write conflict (449) reaches the client."""
    count = len(call.body) if isinstance(call.body, list) else 1
    refused = batch.refused(refusal, at=0, of=max(count, 1))
    return Answer(207, batch.joined(refused.results))


def _precondition(call: Call) -> Precondition:
    return Precondition(call.headers.get("If-Match"), call.headers.get("If-None-Match"))
