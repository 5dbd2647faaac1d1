"""AMQP frames (part 2 of the standard): cutting the byte stream into frames, and the frames the emulator sends.

Owns sizes and descriptors; what a frame means to a session is session.py's. Refuses frames above MAX_FRAME_BYTES before
it buffers them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .amqp_types import SYMBOL_CODE, Array, DecodeError, Described, Symbol, UByte, UInt, ULong
from .decoding import decode
from .encoding import encode
from .errors import ProtocolError

MAX_FRAME_BYTES = 65_536
"""What the service announces too."""
AMQP_HEADER, SASL_HEADER = b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"
HEARTBEAT = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""The empty frame: says that the connection lives, nothing else."""

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_INIT, SASL_OUTCOME = 0x40, 0x41, 0x44
ERROR, ACCEPTED, REJECTED, RELEASED, MODIFIED = 0x1D, 0x24, 0x25, 0x26, 0x27
COORDINATOR = 0x30

_HEAD = struct.Struct(">IBBH")  # size in bytes with this head, data offset in 4-byte words, type, channel
_AMQP_FRAME, _SASL_FRAME = 0, 1


@dataclass(slots=True)
class Frame:
    """One frame: its performative's fields, and the bytes behind it (a transfer's payload)."""

    channel: int
    descriptor: int
    fields: list[Any]
    payload: bytes
    sasl: bool

    def field(self, index: int) -> Any:
        """The field, or None where the sender left it off the end of the list."""
        return self.fields[index] if index < len(self.fields) else None

    def optional_number(self, index: int) -> int | None:
        """The field as a number, if it is there. Raises ProtocolError for anything else."""
        value = self.field(index)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise ProtocolError("amqp:decode-error", f"field {index} of {self.descriptor:#x} is no number")

    def number(self, index: int) -> int:
        """The field as a number. Raises ProtocolError without one."""
        value = self.optional_number(index)
        if value is None:
            raise ProtocolError("amqp:decode-error", f"field {index} of {self.descriptor:#x} is missing")
        return value


class FrameReader:
    """Turns received bytes into protocol headers (bytes) and frames; holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[Frame | bytes]:
        """Every header and frame that `data` completes; empty frames are left out. Raises ProtocolError."""
        data = self._pending + data if self._pending else data
        offset, end = 0, len(data)
        while end - offset >= 8:
            if data.startswith(b"AMQP", offset):
                yield data[offset : offset + 8]
                offset += 8
                continue
            size = _size(data, offset)
            if end - offset < size:
                break
            if frame := _frame(data[offset : offset + size]):
                yield frame
            offset += size
        self._pending = data[offset:]


def _size(data: bytes, offset: int) -> int:
    size = int.from_bytes(data[offset : offset + 4], "big")
    if not 8 <= size <= MAX_FRAME_BYTES:
        raise ProtocolError("amqp:connection:framing-error", f"frame of {size} bytes; the limit is {MAX_FRAME_BYTES}")
    return size


def _frame(data: bytes) -> Frame | None:
    size, words, kind, channel = _HEAD.unpack_from(data)
    start = 4 * words
    if start == size:
        return None
    if not 8 <= start < size or kind not in (_AMQP_FRAME, _SASL_FRAME):
        raise ProtocolError("amqp:connection:framing-error", f"frame with data offset {words} and type {kind}")
    try:
        performative, end = decode(data, start)
    except DecodeError as cause:
        raise ProtocolError("amqp:decode-error", str(cause)) from cause
    if not (
        isinstance(performative, Described)
        and isinstance(performative.descriptor, ULong)
        and isinstance(performative.value, list)
    ):
        raise ProtocolError("amqp:decode-error", "a frame starts with something that is no performative")
    return Frame(channel, int(performative.descriptor), performative.value, data[end:], kind == _SASL_FRAME)


def described_list(descriptor: int, *fields: Any) -> Described:
    """A composite value: an outcome, an error, a performative. Trailing Nones may stay; peers read by position."""
    return Described(ULong(descriptor), list(fields))


def performative(channel: int, descriptor: int, *fields: Any) -> bytes:
    """One frame without payload."""
    return _framed(channel, _body(descriptor, fields))


def transfer(channel: int, payload: bytes, *fields: Any) -> bytes:
    """One transfer frame; the payload must fit the peer's frame size."""
    return _framed(channel, _body(TRANSFER, fields) + payload)


def sasl(descriptor: int, *fields: Any) -> bytes:
    """One SASL frame."""
    return _framed(0, _body(descriptor, fields), _SASL_FRAME)


def error(condition: str, description: str) -> Described:
    """The error of a close, detach or rejection. All three fields are there: the SDK reads each by its position."""
    return described_list(ERROR, Symbol(condition), description, None)


def offered_mechanisms() -> bytes:
    """The SASL mechanisms of the service; the emulator accepts any of them."""
    return sasl(SASL_MECHANISMS, Array(SYMBOL_CODE, (Symbol("MSSBCBS"), Symbol("ANONYMOUS"), Symbol("PLAIN"))))


def sasl_ok() -> bytes:
    """The outcome of any SASL exchange."""
    return sasl(SASL_OUTCOME, UByte(0))


def accepted(channel: int, delivery_id: int) -> bytes:
    """The answer to a message that is now stored. One per send, so its list is put together by hand."""
    fields = b"\x41" + encode(UInt(delivery_id)) + _NO_LAST_SETTLED_ACCEPTED
    return _framed(channel, b"\x00\x53\x15\xc0" + bytes((len(fields) + 1, 5)) + fields)


_NO_LAST_SETTLED_ACCEPTED = b"\x40\x41\x00\x53\x24\x45"


def _body(descriptor: int, fields: tuple[Any, ...]) -> bytes:
    return b"\x00\x53" + bytes((descriptor,)) + encode(fields)


def _framed(channel: int, body: bytes, kind: int = _AMQP_FRAME) -> bytes:
    return _HEAD.pack(len(body) + 8, 2, kind, channel) + body
