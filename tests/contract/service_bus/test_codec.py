"""The AMQP codec: what it writes it reads, and what it cannot read it says so."""

from __future__ import annotations

import contextlib
import math
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from azure_local_emulators.service_bus import amqp_types
from azure_local_emulators.service_bus.amqp_types import (
    LONG_CODE,
    SYMBOL_CODE,
    UUID_CODE,
    Array,
    DecodeError,
    Described,
    Symbol,
    Timestamp,
    UInt,
    ULong,
)
from azure_local_emulators.service_bus.decoding import decode, skip
from azure_local_emulators.service_bus.encoding import encode
from azure_local_emulators.service_bus.errors import ProtocolError, Refused
from azure_local_emulators.service_bus.frames import FrameReader
from azure_local_emulators.service_bus.message import Message, unbatched


def integers(kind: type[int], bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high).map(kind)


ascii_text = st.text(st.characters(codec="ascii"), max_size=300)
UNSIGNED: list[tuple[type[int], int]] = [(amqp_types.UByte, 8), (amqp_types.UShort, 16), (UInt, 32), (ULong, 64)]
SIGNED: list[tuple[type[int], int]] = [(amqp_types.Byte, 8), (amqp_types.Short, 16), (amqp_types.Int, 32)]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    *(integers(kind, bits, signed=False) for kind, bits in UNSIGNED),
    *(integers(kind, bits, signed=True) for kind, bits in SIGNED),
    integers(int, 64, signed=True),
    integers(Timestamp, 64, signed=True),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False, width=32).map(amqp_types.Float32),
    st.characters(codec="utf-8").map(amqp_types.Char),
    st.text(max_size=300),
    ascii_text.map(Symbol),
    st.binary(max_size=300),
    st.uuids(),
)
arrays = st.one_of(
    st.lists(integers(int, 64, signed=True)).map(lambda items: Array(LONG_CODE, tuple(items))),
    st.lists(st.uuids()).map(lambda items: Array(UUID_CODE, tuple(items))),
    st.lists(ascii_text.map(Symbol)).map(lambda items: Array(SYMBOL_CODE, tuple(items))),
)
values = st.recursive(
    scalars | arrays,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.text() | ascii_text.map(Symbol), inner),
        st.builds(Described, integers(ULong, 64, signed=False), inner),
    ),
    max_leaves=30,
)


def types(value: Any) -> Any:
    """The value's types, all the way down; equality alone does not tell a uint from an int."""
    if isinstance(value, dict):
        return [(types(k), types(v)) for k, v in value.items()]
    if isinstance(value, list):
        return list(map(types, value))
    if isinstance(value, Described):
        return types(value.descriptor), types(value.value)
    return type(value)


@given(values)
def test_a_value_is_decoded_as_it_was_encoded(value: Any) -> None:
    data = encode(value)
    decoded, end = decode(data)
    assert (decoded, end, types(decoded)) == (value, len(data), types(value))
    assert skip(data, 0) == len(data)


@given(values, st.data())
def test_a_value_that_is_cut_off_is_refused(value: Any, data: st.DataObject) -> None:
    encoded = encode(value)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(DecodeError):
        decode(cut)


nested_lists = b"\xc0\x03\x01" * 200
zeros = bytes(5000)


@given(st.binary(max_size=500))
@example(nested_lists)
@example(zeros)
def test_random_bytes_decode_or_raise_the_codecs_own_error(data: bytes) -> None:
    for read in (decode, skip):
        with contextlib.suppress(DecodeError):
            read(data, 0)
    for parse in (Message.parse, unbatched):
        with contextlib.suppress(Refused):
            parse(data)
    with contextlib.suppress(ProtocolError):
        list(FrameReader().feed(data))


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 7))
def test_frames_are_found_however_the_bytes_are_cut(payloads: list[bytes], step: int) -> None:
    frames = [(len(p) + 12).to_bytes(4, "big") + b"\x02\x00\x00\x05" + b"\x00\x53\x14\x45" + p for p in payloads]
    stream, reader = b"AMQP\x00\x01\x00\x00" + b"".join(frames), FrameReader()
    found = [item for at in range(0, len(stream), step) for item in reader.feed(stream[at : at + step])]
    assert found[0] == b"AMQP\x00\x01\x00\x00"
    got = [item for item in found[1:] if not isinstance(item, bytes)]
    assert [(item.payload, item.channel, item.descriptor) for item in got] == [(p, 5, 0x14) for p in payloads]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"\xd0\x00\x00\x00\x08\xff\xff\xff\xff\x40\x40\x40\x40", "announced in"),
        (b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40", "an array announces"),
        (b"\xc1\x02\x01\x40", "no pairs"),
        (b"\xc0\x05\x01\x40\x40\x40\x40", "more than its elements"),
        (b"\xc1\x03\x02\x45\x40", "malformed"),
        (b"\xa1\x01\xff", "malformed"),
        (b"\x56\x02", "no AMQP boolean"),
        (b"\x99", "unknown AMQP format code 0x99"),
        (nested_lists, "longer|deeper|ends at"),
        (b"\x00\x44" * 40 + b"\x40", "nested deeper than 32"),
    ],
)
def test_what_is_wrong_with_a_value_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(data)


def test_compact_forms_of_the_standard_are_understood() -> None:
    forms = {
        b"\x43": UInt(0), b"\x44": ULong(0), b"\x52\x07": UInt(7), b"\x54\xff": amqp_types.Int(-1), b"\x55\x80": -128,
        b"\x56\x01": True, b"\x70\x00\x00\x00\x07": UInt(7), b"\xe0\x04\x02\x55\x01\x02": Array(0x55, (1, 2)),
        b"\xc1\x01\x00": {}, b"\xd0\x00\x00\x00\x04\x00\x00\x00\x00": [],
        b"\x98" + bytes(16): UUID(int=0),
    }  # fmt: skip
    for data, value in forms.items():
        assert decode(data) == (value, len(data))
    assert math.isnan(decode(encode(math.nan))[0])


@pytest.mark.parametrize(("value", "error"), [(object(), TypeError), (UInt(-1), ValueError), (2**63, ValueError)])
def test_what_has_no_encoding_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode(value)
