"""AMQP 1.0 types to bytes and back (part 1 of the standard).

Owns the type system only: no frames, no messages. Decoding treats its input as hostile: whatever the bytes, it returns
a value or raises DecodeError, in time and memory proportional to the input. Decimals are refused.

A Python `int` is an AMQP long, `float` a double, `bytes` a binary, `str` a string; the other AMQP types have a class of
their own, so that a decoded value encodes to the same type again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

MAX_DEPTH = 32
"""Deepest nesting of described, compound and array values; the SDK stops at the same order of magnitude."""
MAX_EMPTY_ELEMENTS = 4096
"""Most elements of an array whose elements take no bytes: their count is not backed by input."""

DESCRIBED = 0x00
UUID_CODE, TIMESTAMP_CODE, LONG_CODE = 0x98, 0x83, 0x81

_U16, _U32, _U64 = struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">Q")
_I16, _I32, _I64 = struct.Struct(">h"), struct.Struct(">i"), struct.Struct(">q")
_F32, _F64 = struct.Struct(">f"), struct.Struct(">d")


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


def encode(value: Any) -> bytes:
    """The bytes of one value. Raises TypeError for a Python type without an AMQP one, ValueError out of its range."""
    try:
        encoder = _ENCODERS[type(value)]
    except KeyError:
        raise TypeError(f"{type(value).__name__} has no AMQP type") from None
    try:
        return encoder(value)
    except struct.error as cause:
        raise ValueError(f"{value!r} is out of range for {type(value).__name__}") from cause


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
        while data[offset] == DESCRIBED:
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
    if code == DESCRIBED:
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
    descriptor, described = None, data[offset] == DESCRIBED
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


def _variable(short_code: int, raw: bytes) -> bytes:
    if len(raw) < 256:
        return bytes((short_code, len(raw))) + raw
    return bytes((short_code + 0x10,)) + _U32.pack(len(raw)) + raw


def _compact(zero: int, small: int, wide: int, form: struct.Struct) -> Callable[[int], bytes]:
    """Encoder of an unsigned type that has a form for 0 and one for a single byte."""

    def encoder(value: int) -> bytes:
        if 0 < value < 256:
            return bytes((small, value))
        return bytes((wide,)) + form.pack(value) if value else bytes((zero,))

    return encoder


def _fixed(code: int, form: struct.Struct) -> Callable[[Any], bytes]:
    prefix = bytes((code,))
    return lambda value: prefix + form.pack(value)


def _compounded(small: int, count: int, body: bytes) -> bytes:
    if len(body) < 255 and count < 256:
        return bytes((small, len(body) + 1, count)) + body
    return bytes((small + 0x10,)) + _U32.pack(len(body) + 4) + _U32.pack(count) + body


def _list(items: list[Any] | tuple[Any, ...]) -> bytes:
    return _compounded(0xC0, len(items), b"".join(map(encode, items))) if items else b"\x45"


def _map(pairs: dict[Any, Any]) -> bytes:
    return _compounded(0xC1, 2 * len(pairs), b"".join(encode(k) + encode(v) for k, v in pairs.items()))


def _encoded_array(array: Array) -> bytes:
    element = _ELEMENTS.get(array.code)
    if element is None:
        raise TypeError(f"arrays of format code {array.code:#04x} are not encoded")
    body = bytes((array.code,)) + b"".join(map(element, array.items))
    return b"\xf0" + _U32.pack(len(body) + 4) + _U32.pack(len(array.items)) + body


# The element forms that Service Bus itself sends in arrays.
_ELEMENTS: dict[int, Callable[[Any], bytes]] = {
    LONG_CODE: _I64.pack,
    TIMESTAMP_CODE: _I64.pack,
    UUID_CODE: lambda value: bytes(value.bytes),
    0xB3: lambda value: _U32.pack(len(value)) + value.encode("ascii"),
}

_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    UByte: _fixed(0x50, struct.Struct(">B")),
    Byte: _fixed(0x51, struct.Struct(">b")),
    UShort: _fixed(0x60, _U16),
    Short: _fixed(0x61, _I16),
    UInt: _compact(0x43, 0x52, 0x70, _U32),
    Int: _fixed(0x71, _I32),
    ULong: _compact(0x44, 0x53, 0x80, _U64),
    int: _fixed(LONG_CODE, _I64),
    Timestamp: _fixed(TIMESTAMP_CODE, _I64),
    Float32: _fixed(0x72, _F32),
    float: _fixed(0x82, _F64),
    Char: lambda value: b"\x73" + _U32.pack(ord(value)),
    UUID: lambda value: b"\x98" + value.bytes,
    bytes: lambda value: _variable(0xA0, value),
    str: lambda value: _variable(0xA1, value.encode()),
    Symbol: lambda value: _variable(0xA3, value.encode("ascii")),
    list: _list,
    tuple: _list,
    dict: _map,
    Described: lambda value: b"\x00" + encode(value.descriptor) + encode(value.value),
    Array: _encoded_array,
}
