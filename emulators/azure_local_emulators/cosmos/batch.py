"""Transactional batch: up to 100 operations on one logical partition, all or none.

Owns the limits and the shape of the answer; the operations themselves are those of single requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import operations
from .charges import EMPTY_READ, REFUSED_WRITE
from .errors import ServiceError, bad_request, too_large
from .operations import Outcome, Precondition, Transaction
from .values import Value, encode_json

MAX_OPERATIONS = 100
MAX_BATCH_BYTES = 2 * 1024 * 1024
FAILED_DEPENDENCY = 424


class BatchRefused(Exception):
    """One operation failed; `results` is the whole answer, and nothing may be applied."""

    def __init__(self, results: list[bytes], charge: float) -> None:
        super().__init__()
        self.results = results
        self.charge = charge


def run(transaction: Transaction, body: Value, *, size_bytes: int) -> tuple[list[bytes], float]:
    """The result of each operation as JSON, and the whole charge. Raises ServiceError or BatchRefused."""
    if size_bytes > MAX_BATCH_BYTES:
        raise too_large(size_bytes, MAX_BATCH_BYTES)
    if not isinstance(body, list) or not body:
        raise bad_request("The batch request has no operations.")
    if len(body) > MAX_OPERATIONS:
        raise bad_request(f"Batch request has {len(body)} operations; the limit is {MAX_OPERATIONS}.")
    results: list[bytes] = []
    charge = 0.0
    for operation in body:
        try:
            outcome = _run_one(transaction, operation)
        except ServiceError as refusal:
            raise refused(refusal, at=len(results), of=len(body), charge=charge + REFUSED_WRITE) from refusal
        charge += outcome.charge
        results.append(_result(outcome))
    return results, charge


def refused(refusal: ServiceError, *, at: int, of: int, charge: float = EMPTY_READ) -> BatchRefused:
    """The answer of a batch whose operation number `at` failed: that one tells why, all others did not happen."""
    skipped = encode_json({"statusCode": FAILED_DEPENDENCY, "requestCharge": 0})
    culprit = {"statusCode": refusal.status, "subStatusCode": refusal.substatus, "requestCharge": REFUSED_WRITE}
    return BatchRefused([encode_json(culprit) if index == at else skipped for index in range(of)], charge)


def _run_one(transaction: Transaction, operation: Value) -> Outcome:
    if not isinstance(operation, dict) or str(operation.get("operationType")) not in _OPERATIONS:
        raise bad_request("The batch has an operation without a known operationType.")
    item_id = operation.get("id")
    if not isinstance(item_id, (str, type(None))):
        raise bad_request("The id of a batch operation must be a string.")
    precondition = Precondition(_etag(operation, "ifMatch"), _etag(operation, "ifNoneMatch"))
    return _OPERATIONS[operation["operationType"]](
        transaction, item_id or "", operation.get("resourceBody"), precondition
    )


def _etag(operation: dict[str, Any], name: str) -> str | None:
    etag = operation.get(name)
    return None if etag is None else str(etag)


def _read(transaction: Transaction, item_id: str, _: Value, precondition: Precondition) -> Outcome:
    return operations.read(transaction.find(item_id), precondition, strong=False)


def _create(transaction: Transaction, _: str, body: Value, __: Precondition) -> Outcome:
    return operations.create(transaction, body)


def _upsert(transaction: Transaction, _: str, body: Value, precondition: Precondition) -> Outcome:
    return operations.upsert(transaction, body, precondition)


def _delete(transaction: Transaction, item_id: str, _: Value, precondition: Precondition) -> Outcome:
    return operations.delete(transaction, item_id, precondition)


_OPERATIONS: dict[str, Callable[[Transaction, str, Value, Precondition], Outcome]] = {
    "Create": _create,
    "Upsert": _upsert,
    "Read": _read,
    "Replace": operations.replace,
    "Patch": operations.patch,
    "Delete": _delete,
}


def _result(outcome: Outcome) -> bytes:
    head = f'{{"statusCode":{outcome.status},"requestCharge":{outcome.charge:.2f}'
    if outcome.item is None:
        return f"{head}}}".encode()
    etag = outcome.item.etag.replace('"', '\\"')
    return b"".join((f'{head},"eTag":"{etag}","resourceBody":'.encode(), outcome.item.raw, b"}"))


def joined(results: Sequence[bytes]) -> bytes:
    """A JSON array."""
    return b"[" + b",".join(results) + b"]"
