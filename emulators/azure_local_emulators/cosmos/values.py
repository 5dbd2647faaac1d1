"""JSON values as the service sees them: their types, equality and order, and what happens to large numbers.

Pure. Owns `UNDEFINED`, which a query meets wherever a property does not exist; it never reaches the wire.
"""

from __future__ import annotations

import json
import math
import re
from enum import Enum
from typing import Any, Final, Literal

Value = Any  # a JSON value or UNDEFINED; mypy cannot say more about a recursive union without casts everywhere


class _Undefined(Enum):
    UNDEFINED = "undefined"


UNDEFINED: Final[Literal[_Undefined.UNDEFINED]] = _Undefined.UNDEFINED

NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT = range(1, 7)
_TYPES: dict[type, int] = {
    _Undefined: 0,
    type(None): NULL,
    bool: BOOLEAN,
    int: NUMBER,
    float: NUMBER,
    str: STRING,
    list: ARRAY,
    dict: OBJECT,
}

EXACT_LIMIT = 2**53  # Numbers are IEEE 754 doubles: beyond this, neighbouring integers collapse.
_MAYBE_INEXACT = re.compile(rb"\d{16}")


class InvalidJson(ValueError):
    """The bytes are no JSON the service accepts, or a value cannot be written as JSON."""


def type_of(value: Value) -> int:
    """0 for UNDEFINED, then NULL to OBJECT: also the order of types in ORDER BY, MIN and MAX."""
    return _TYPES[type(value)]


def equal(left: Value, right: Value) -> bool:
    """Deep equality without Python's `True == 1`; both sides are defined."""
    kind = type_of(left)
    if kind != type_of(right):
        return False
    if kind == ARRAY:
        return len(left) == len(right) and all(map(equal, left, right))
    if kind == OBJECT:
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return bool(left == right)


def sort_key(value: Value) -> tuple[int, Any]:
    """A key that orders values of all types: undefined, null, booleans, numbers, strings, arrays, objects."""
    kind = type_of(value)
    if kind in (BOOLEAN, NUMBER, STRING):
        return kind, value
    return kind, 0 if kind <= NULL else json.dumps(value, sort_keys=True)


def as_double(number: float) -> int | float:
    """The number as the service stores it: a double, written without a fraction where it has none."""
    if isinstance(number, int):
        return number if -EXACT_LIMIT <= number <= EXACT_LIMIT else int(float(number))
    return int(number) if number.is_integer() and abs(number) <= EXACT_LIMIT else number


def finite(number: float) -> Value:
    """The result of arithmetic; UNDEFINED where it left the range of a double."""
    return as_double(number) if isinstance(number, int) or math.isfinite(number) else UNDEFINED


def decode_json(raw: bytes) -> Value:
    """Parse a request body. Raises InvalidJson, also for NaN, Infinity and nesting beyond what fits the stack."""
    try:
        text = raw.decode()
        decoder = _ROUNDING_DECODER if _MAYBE_INEXACT.search(raw) else _DECODER
        return decoder.decode(text)
    except (ValueError, OverflowError, RecursionError) as cause:
        raise InvalidJson(f"The request body is no valid JSON: {cause}") from cause


def encode_json(value: Value) -> bytes:
    """Write a value for the wire. Raises InvalidJson for a number outside the range of a double."""
    try:
        return _ENCODER.encode(value).encode()
    except (ValueError, RecursionError) as cause:
        raise InvalidJson(f"The value cannot be written as JSON: {cause}") from cause


def utf8_size(value: Value) -> int:
    """The length of the value's JSON in bytes of UTF-8, as the service counts it."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _refuse_constant(name: str) -> Value:
    raise ValueError(f"{name} is not a number")


def _rounded(digits: str) -> int | float:
    return as_double(int(digits))


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ROUNDING_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_rounded)
