"""Where an item lives: its partition key values, their hash (effective partition key), and the physical ranges.

Pure. The hashes are those of the service (and of its SDKs, which compute them too to aim prefix queries): MurmurHash3
over a type byte and the value. Only version 2 hashes exist here; every SDK has asked for them since 2019.

A container has two physical partitions. The border runs through the middle of one chosen tenant: it is the hash of a
hierarchical key's first value `split_tenant`, followed by the middle of what the second value's hash can be. Any other
tenant lies on one side.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .errors import PARTITION_KEY_MISMATCH, bad_request
from .values import UNDEFINED, InvalidJson, Value, decode_json

HIGHEST_EPK = "FF"
_HALF = "20" + "00" * 15  # The two highest bits of a hash are cleared, so that 0x20 is the middle of its range.
_MASK = 0xFFFFFFFFFFFFFFFF
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
MAX_VALUE_BYTES = 2048


@dataclass(slots=True)
class PartitionKeyRange:
    """One physical partition: the half-open interval of hashes it holds, and how many writes it has seen."""

    id: str
    min_epk: str
    max_epk: str
    lsn: int = 0

    def overlaps(self, low: str, high: str) -> bool:
        """Whether any hash of [low, high) is in this range."""
        return self.min_epk < high and low < self.max_epk


@dataclass(frozen=True, slots=True)
class PartitionKeyDefinition:
    """The paths whose values place an item, and whether each is hashed for itself (MultiHash)."""

    paths: tuple[tuple[str, ...], ...]
    hierarchical: bool

    def values_in(self, document: Value) -> tuple[Value, ...]:
        """The partition key values that a document carries; UNDEFINED for a path it has not."""
        return tuple(_at(document, path) for path in self.paths)

    def ranges(self, split_tenant: str) -> list[PartitionKeyRange]:
        """The two physical partitions of a new container."""
        border = hash_of((split_tenant,)) + _HALF if self.hierarchical else _HALF
        return [PartitionKeyRange("0", "", border), PartitionKeyRange("1", border, HIGHEST_EPK)]


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """The partition key of one request: its values, and their hash as upper-case hexadecimal digits."""

    values: tuple[Value, ...]
    epk: str


@lru_cache(maxsize=20_000)
def parse_header(header: str, definition: PartitionKeyDefinition) -> PartitionKey:
    """The partition key that a request names, in full. Raises ServiceError if it is malformed or only a prefix."""
    try:
        values = decode_json(header.encode())
    except (InvalidJson, UnicodeEncodeError) as cause:
        raise bad_request(f"Partition key {header[:100]} is invalid.") from cause
    if not isinstance(values, list):
        raise bad_request(f"Partition key {header[:100]} is invalid.")
    if len(values) != len(definition.paths):
        raise bad_request(
            "Partition key provided either doesn't correspond to definition in the collection or doesn't match "
            f"partition key field values in the document: {len(values)} values for {len(definition.paths)} paths.",
            substatus=PARTITION_KEY_MISMATCH,
        )
    parts = tuple(_component(value) for value in values)
    return PartitionKey(parts, effective_partition_key(parts, definition))


def effective_partition_key(values: Sequence[Value], definition: PartitionKeyDefinition) -> str:
    """The hash that places `values` (all of them, or the first ones of a hierarchical key)."""
    if definition.hierarchical:
        return "".join(hash_of((value,)) for value in values)
    return hash_of(tuple(values))


@lru_cache(maxsize=20_000)
def _hash_of_bytes(data: bytes) -> str:
    low, high = murmur3_128(data)
    return f"{high & 0x3FFFFFFFFFFFFFFF:016X}{low:016X}"


def hash_of(values: tuple[Value, ...]) -> str:
    """32 upper-case hexadecimal digits."""
    return _hash_of_bytes(b"".join(map(_hashable, values)))


def _hashable(value: Value) -> bytes:
    if value is UNDEFINED:
        return b"\x00"
    if value is None:
        return b"\x01"
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if isinstance(value, (int, float)):
        return b"\x05" + struct.pack("<d", float(value))
    encoded: bytes = value.encode("utf-8", "surrogatepass")
    return b"\x08" + encoded + b"\xff"


def _component(value: Value) -> Value:
    if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE_BYTES:
        raise bad_request(f"Partition key value is too long; the limit is {MAX_VALUE_BYTES} bytes.")
    if value == {}:
        return UNDEFINED
    if isinstance(value, (list, dict)):
        raise bad_request("Partition key value must be a string, a number, a boolean or null.")
    return value


def _at(document: Value, path: tuple[str, ...]) -> Value:
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return UNDEFINED
        document = document[name]
    return document


def murmur3_128(data: bytes) -> tuple[int, int]:
    """MurmurHash3 x64-128 with seed 0, as its two 64-bit halves (low, high)."""
    low = high = 0
    whole = len(data) & ~15
    for first, second in struct.iter_unpack("<QQ", data[:whole]):
        low ^= _scramble_low(first)
        low = (_rotated(low, 27) + high) * 5 + 0x52DCE729 & _MASK
        high ^= _scramble_high(second)
        high = (_rotated(high, 31) + low) * 5 + 0x38495AB5 & _MASK
    tail = data[whole:]
    high ^= _scramble_high(int.from_bytes(tail[8:], "little"))
    low ^= _scramble_low(int.from_bytes(tail[:8], "little"))
    low, high = low ^ len(data), high ^ len(data)
    low = low + high & _MASK
    high = high + low & _MASK
    low, high = _avalanche(low), _avalanche(high)
    low = low + high & _MASK
    return low, high + low & _MASK


def _scramble_low(word: int) -> int:
    return _rotated(word * _C1 & _MASK, 31) * _C2 & _MASK


def _scramble_high(word: int) -> int:
    return _rotated(word * _C2 & _MASK, 33) * _C1 & _MASK


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK


def _avalanche(word: int) -> int:
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD & _MASK
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return word ^ word >> 33
