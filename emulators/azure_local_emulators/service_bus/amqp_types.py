"""The AMQP 1.0 types that Python has not (part 1 of the standard), and what may be wrong with their bytes.

A Python `int` is an AMQP long, `float` a double, `bytes` a binary, `str` a string; the other AMQP types have a class of
their own, so that a decoded value encodes to the same type again. Decimals are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DESCRIBED_CODE, LONG_CODE, TIMESTAMP_CODE, UUID_CODE, SYMBOL_CODE = 0x00, 0x81, 0x83, 0x98, 0xB3
"""Format codes that are named elsewhere: a descriptor follows, and the elements of arrays."""


class DecodeError(ValueError):
    """The bytes are no AMQP value, or one beyond our limits."""


class UByte(int):
    """AMQP ubyte."""


class UShort(int):
    """AMQP ushort."""


class UInt(int):
    """AMQP uint."""


class ULong(int):
    """AMQP ulong."""


class Byte(int):
    """AMQP byte."""


class Short(int):
    """AMQP short."""


class Int(int):
    """AMQP int (32 bits)."""


class Timestamp(int):
    """AMQP timestamp: milliseconds since 1970, UTC."""


class Float32(float):
    """AMQP float; `float` itself is an AMQP double."""


class Char(str):
    """AMQP char: one character."""


class Symbol(str):
    """AMQP symbol: ASCII, from a constrained domain."""


@dataclass(frozen=True, slots=True)
class Described:
    """A value with a descriptor, which is a ULong or a Symbol in all that Service Bus speaks."""

    descriptor: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Array:
    """Values of one type, under the format code that encodes them."""

    code: int
    items: tuple[Any, ...]
