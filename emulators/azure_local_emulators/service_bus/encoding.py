"""AMQP 1.0 values to bytes. Owns the choice of a form; refuses what has no AMQP type or is out of its range."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

from .amqp_types import (
    LONG_CODE,
    SYMBOL_CODE,
    TIMESTAMP_CODE,
    UUID_CODE,
    Array,
    Byte,
    Char,
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

_U16, _U32, _U64 = struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">Q")
_I16, _I32, _I64 = struct.Struct(">h"), struct.Struct(">i"), struct.Struct(">q")
_F32, _F64 = struct.Struct(">f"), struct.Struct(">d")


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
    SYMBOL_CODE: lambda value: _U32.pack(len(value)) + value.encode("ascii"),
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
