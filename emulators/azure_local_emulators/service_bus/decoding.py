"""Bytes to AMQP 1.0 values.

Owns reading only. Its input is hostile: whatever the bytes, it returns a value or raises DecodeError, in time and
memory proportional to the input.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

from .amqp_types import (
    DESCRIBED_CODE,
    LONG_CODE,
    TIMESTAMP_CODE,
    UUID_CODE,
    Array,
    Byte,
    Char,
    DecodeError,
    Described,
    Float32,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

MAX_DEPTH = 32
"""Deepest nesting of described, compound and array values; the SDK stops at the same order of magnitude."""
MAX_EMPTY_ELEMENTS = 4096
"""Most elements of an array whose elements take no bytes: their count is not backed by input."""


_U16, _U32, _U64 = struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">Q")
_I16, _I32, _I64 = struct.Struct(">h"), struct.Struct(">i"), struct.Struct(">q")
_F32, _F64 = struct.Struct(">f"), struct.Struct(">d")


def decode(data: bytes, offset: int = 0, depth: int = 0) -> tuple[Any, int]:
    """One value at `offset` and the offset behind it. Raises DecodeError."""
    try:
        return _value(data, offset, depth)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, ValueError, OverflowError) as cause:
        if isinstance(cause, DecodeError):
            raise
        raise DecodeError(f"malformed AMQP value near byte {offset}: {cause}") from cause


def skip(data: bytes, offset: int) -> int:
    """The offset behind the value at `offset`, found by its length alone; what is inside is not looked at."""
    try:
        while data[offset] == DESCRIBED_CODE:
            offset = skip(data, offset + 1)
        width = _WIDTHS[data[offset] >> 4]
        if width >= 0:
            end = offset + 1 + width
        elif width == _SIZED_BY_1:
            end = offset + 2 + data[offset + 1]
        elif width == _SIZED_BY_4:
            end = offset + 5 + int(_U32.unpack_from(data, offset + 1)[0])
        else:
            raise DecodeError(f"unknown AMQP format code {data[offset]:#04x}")
    except (IndexError, struct.error) as cause:
        raise DecodeError(f"AMQP value cut off near byte {offset}") from cause
    except RecursionError as cause:
        raise DecodeError("AMQP descriptors are nested too deeply") from cause
    if end > len(data):
        raise DecodeError(f"AMQP value at byte {offset} is longer than its data")
    return end


_SIZED_BY_1, _SIZED_BY_4, _UNKNOWN = -1, -4, -9
# The high half of a format code says how its value's length is found (standard, part 1, figure 1.2).
_WIDTHS = [_UNKNOWN] * 4 + [0, 1, 2, 4, 8, 16] + [_SIZED_BY_1, _SIZED_BY_4] * 3


def _value(data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    code = data[offset]
    if code == DESCRIBED_CODE:
        descriptor, offset = _value(data, offset + 1, _deeper(depth))
        value, offset = _value(data, offset, depth + 1)
        return Described(descriptor, value), offset
    return _constructed(code, data, offset + 1, depth)


def _constructed(code: int, data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    """The value whose constructor has been read."""
    if fixed := _FIXED.get(code):
        width, make = fixed
        return make(data, offset), _within(data, offset + width)
    if sized := _SIZED.get(code):
        size_width, cast = sized
        start = offset + size_width
        end = _within(data, start + int.from_bytes(data[offset:start], "big"))
        return cast(data[start:end]), end
    if code == 0x45:
        return [], offset
    if code in (0xC0, 0xD0, 0xC1, 0xD1, 0xE0, 0xF0):
        return _compound(code, data, offset, _deeper(depth))
    raise DecodeError(f"unknown AMQP format code {code:#04x}")


def _compound(code: int, data: bytes, offset: int, depth: int) -> tuple[Any, int]:
    width = 4 if code & 0x10 else 1
    end = _within(data, offset + width + int.from_bytes(data[offset : offset + width], "big"))
    count = int.from_bytes(data[offset + width : offset + 2 * width], "big")
    offset += 2 * width
    value: Any
    if code >= 0xE0:
        value, offset = _array(data, offset, end, count, depth)
    else:
        items, offset = _items(data, offset, end, count, depth)
        value = items if code in (0xC0, 0xD0) else _paired(items)
    if offset != end:
        raise DecodeError(f"compound AMQP value has {end - offset} bytes more than its elements")
    return value, offset


def _items(data: bytes, offset: int, end: int, count: int, depth: int) -> tuple[list[Any], int]:
    if count > end - offset:
        raise DecodeError(f"{count} elements are announced in {end - offset} bytes")
    items = []
    for _ in range(count):
        item, offset = _value(data, offset, depth)
        items.append(item)
    return items, offset


def _paired(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise DecodeError(f"a map has {len(items)} elements, which are no pairs")
    return dict(zip(items[::2], items[1::2], strict=True))


def _array(data: bytes, offset: int, end: int, count: int, depth: int) -> tuple[Array, int]:
    descriptor, described = None, data[offset] == DESCRIBED_CODE
    if described:
        descriptor, offset = _value(data, offset + 1, depth)
    code = data[offset]
    offset += 1
    if count > max(end - offset, MAX_EMPTY_ELEMENTS):
        raise DecodeError(f"an array announces {count} elements in {end - offset} bytes")
    items = []
    for _ in range(count):
        item, offset = _constructed(code, data, offset, depth)
        items.append(Described(descriptor, item) if described else item)
    return Array(code, tuple(items)), offset


def _within(data: bytes, end: int) -> int:
    if end > len(data):
        raise DecodeError(f"AMQP value ends at byte {end} of {len(data)}")
    return end


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"AMQP values are nested deeper than {MAX_DEPTH}")
    return depth + 1


def _boolean(data: bytes, offset: int) -> bool:
    if data[offset] > 1:
        raise DecodeError(f"{data[offset]:#04x} is no AMQP boolean")
    return data[offset] == 1


def _unpack(form: struct.Struct, cast: Callable[[Any], Any]) -> tuple[int, Callable[[bytes, int], Any]]:
    unpack_from = form.unpack_from
    return form.size, lambda data, offset: cast(unpack_from(data, offset)[0])


def _signed(data: bytes, offset: int) -> int:
    return data[offset] - 256 if data[offset] > 127 else data[offset]


# format code -> (width in bytes, decoder of exactly that width)
_FIXED: dict[int, tuple[int, Callable[[bytes, int], Any]]] = {
    0x40: (0, lambda data, offset: None),
    0x41: (0, lambda data, offset: True),
    0x42: (0, lambda data, offset: False),
    0x43: (0, lambda data, offset: UInt(0)),
    0x44: (0, lambda data, offset: ULong(0)),
    0x50: (1, lambda data, offset: UByte(data[offset])),
    0x51: (1, lambda data, offset: Byte(_signed(data, offset))),
    0x52: (1, lambda data, offset: UInt(data[offset])),
    0x53: (1, lambda data, offset: ULong(data[offset])),
    0x54: (1, lambda data, offset: Int(_signed(data, offset))),
    0x55: (1, _signed),
    0x56: (1, _boolean),
    0x60: _unpack(_U16, UShort),
    0x61: _unpack(_I16, Short),
    0x70: _unpack(_U32, UInt),
    0x71: _unpack(_I32, Int),
    0x72: _unpack(_F32, Float32),
    0x73: _unpack(_U32, lambda code_point: Char(chr(code_point))),
    0x80: _unpack(_U64, ULong),
    LONG_CODE: _unpack(_I64, int),
    0x82: _unpack(_F64, float),
    TIMESTAMP_CODE: _unpack(_I64, Timestamp),
    UUID_CODE: (16, lambda data, offset: UUID(bytes=data[offset : offset + 16])),
}
# format code -> (width of the length, what the bytes become)
_SIZED: dict[int, tuple[int, Callable[[bytes], Any]]] = {
    0xA0: (1, bytes),
    0xB0: (4, bytes),
    0xA1: (1, lambda raw: str(raw, "utf-8")),
    0xB1: (4, lambda raw: str(raw, "utf-8")),
    0xA3: (1, lambda raw: Symbol(str(raw, "ascii"))),
    0xB3: (4, lambda raw: Symbol(str(raw, "ascii"))),
}
