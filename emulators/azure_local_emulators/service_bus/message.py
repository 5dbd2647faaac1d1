"""A message: its sections as they came, and what the queue knows about it.

Owns the message format (part 3 of the AMQP standard) and the annotations that Service Bus adds to it. Sections the
broker need not understand stay bytes; parsing refuses what is no message.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any
from uuid import UUID

from .amqp_types import DecodeError, Described, Symbol, Timestamp, UInt, ULong
from .decoding import decode, skip
from .encoding import encode
from .errors import BadArgument, Malformed

BATCH_FORMAT = 0x80013700
"""Message format of a batch: each data section is one encoded message."""
MAX_MESSAGE_ID_CHARS = 128

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES = range(0x70, 0x75)
DATA, SEQUENCE, VALUE, FOOTER = range(0x75, 0x79)

_SCHEDULED_FOR = Symbol("x-opt-scheduled-enqueue-time")
_SET_BY_THE_SERVICE = {
    "x-opt-sequence-number",
    "x-opt-enqueue-sequence-number",
    "x-opt-enqueued-time",
    "x-opt-locked-until",
    "x-opt-message-state",
}
# Encoded names, each with the format code of the value that follows it.
_SEQUENCE_NUMBER = encode(Symbol("x-opt-sequence-number")) + b"\x81"
_ENQUEUED_NUMBER = encode(Symbol("x-opt-enqueue-sequence-number")) + b"\x81"
_ENQUEUED_TIME = encode(Symbol("x-opt-enqueued-time")) + b"\x83"
_LOCKED_UNTIL = encode(Symbol("x-opt-locked-until")) + b"\x83"
_MESSAGE_STATE = encode(Symbol("x-opt-message-state")) + b"\x54"
_MAX_TTL_MS = 2**32 - 1
_I64, _2_U32 = struct.Struct(">q"), struct.Struct(">II")


class State(IntEnum):
    """The service's own numbers (x-opt-message-state). Whether the message is locked is a separate matter."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


class Message:
    """One message of one queue; the queue sets everything below `scheduled_for_s`."""

    __slots__ = (
        "_annotation_count",
        "_annotations",
        "_application",
        "_body",
        "_durability",
        "_first_acquirer",
        "_properties",
        "accepted_at_s",
        "delivery_count",
        "enqueued_at_s",
        "expires_at_s",
        "locked_until_s",
        "message_id",
        "scheduled_for_s",
        "sequence_number",
        "state",
        "token",
        "ttl_s",
    )

    def __init__(self) -> None:
        self._durability, self._first_acquirer = b"\x40\x40", b"\x40"
        self._annotations, self._annotation_count = b"", 0
        self._properties = self._application = self._body = b""
        self.message_id: Any = None
        self.ttl_s: float | None = None
        self.scheduled_for_s: float | None = None
        self.sequence_number = 0
        self.accepted_at_s = self.enqueued_at_s = 0.0
        self.expires_at_s: float | None = None
        self.state = State.ACTIVE
        self.delivery_count = 0
        self.token: UUID | None = None
        self.locked_until_s = 0.0

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """The message that a client encoded. Raises Malformed, or BadArgument for an id beyond the limit."""
        message = cls()
        for descriptor, start, end in sections(data):
            message._read_section(descriptor, data, start, end)
        if isinstance(message.message_id, str) and len(message.message_id) > MAX_MESSAGE_ID_CHARS:
            raise BadArgument(f"message id of {len(message.message_id)} characters; the limit is 128")
        return message

    def _read_section(self, descriptor: int, data: bytes, start: int, end: int) -> None:
        if descriptor >= DATA:
            self._body += data[start:end]
        elif descriptor == PROPERTIES:
            self._properties = data[start:end]
            self.message_id = next(iter(section_value(data, start, list)), None)
        elif descriptor == APPLICATION_PROPERTIES:
            section_value(data, start, dict)
            self._application = data[start:end]
        elif descriptor == MESSAGE_ANNOTATIONS:
            self._read_annotations(section_value(data, start, dict))
        elif descriptor == HEADER:
            self._read_header(section_value(data, start, list))

    def _read_header(self, fields: list[Any]) -> None:
        durable, priority, ttl, first_acquirer = (fields + [None] * 4)[:4]
        self._durability, self._first_acquirer = encode(durable) + encode(priority), encode(first_acquirer)
        if isinstance(ttl, UInt):
            self.ttl_s = ttl / 1000

    def _read_annotations(self, annotations: dict[Any, Any]) -> None:
        kept = {name: value for name, value in annotations.items() if name not in _SET_BY_THE_SERVICE}
        try:
            self._annotations = b"".join(encode(name) + encode(value) for name, value in kept.items())
        except TypeError as cause:
            raise Malformed(f"a message annotation is not understood: {cause}") from cause
        self._annotation_count = len(kept)
        due = kept.get(_SCHEDULED_FOR)
        if isinstance(due, Timestamp):
            self.scheduled_for_s = due / 1000

    @property
    def size_bytes(self) -> int:
        """About what the message occupies."""
        return len(self._annotations) + len(self._properties) + len(self._application) + len(self._body)

    def bare(self) -> bytes:
        """The message as its sender made it, for the journal; `parse` reads it back."""
        header = self._header_section()
        return header + self._annotation_section(0, b"") + self._properties + self._application + self._body

    def encoded(self, *, browsed: bool = False) -> bytes:
        """The message as the service hands it out, with its annotations and its delivery count.

        Whoever only browses is not told of a lock.
        """
        number = _I64.pack(self.sequence_number)
        extra = (
            _SEQUENCE_NUMBER + number + _ENQUEUED_NUMBER + number
            + _ENQUEUED_TIME + _I64.pack(int(self.enqueued_at_s * 1000))
            + _MESSAGE_STATE + bytes((self.state,))
        )  # fmt: skip
        count = 4
        if self.token is not None and not browsed:
            extra += _LOCKED_UNTIL + _I64.pack(int(self.locked_until_s * 1000))
            count = 5
        header = self._header_section()
        return header + self._annotation_section(count, extra) + self._properties + self._application + self._body

    def _header_section(self) -> bytes:
        ttl = None if self.ttl_s is None else UInt(min(int(self.ttl_s * 1000), _MAX_TTL_MS))
        fields = self._durability + encode(ttl) + self._first_acquirer + encode(UInt(self.delivery_count))
        return b"\x00\x53\x70\xc0" + bytes((len(fields) + 1, 5)) + fields

    def _annotation_section(self, extra_count: int, extra: bytes) -> bytes:
        count = 2 * (self._annotation_count + extra_count)
        if not count:
            return b""
        pairs = self._annotations + extra
        return b"\x00\x53\x72\xd1" + _2_U32.pack(len(pairs) + 4, count) + pairs

    def age(self, seconds: float) -> None:
        """Let everything that happened to it have happened so many seconds earlier."""
        self.accepted_at_s -= seconds
        self.enqueued_at_s -= seconds
        self.locked_until_s -= seconds
        if self.scheduled_for_s is not None:
            self.scheduled_for_s -= seconds
        if self.expires_at_s is not None:
            self.expires_at_s -= seconds

    def explain_dead_letter(self, reason: str | None, description: str | None) -> None:
        """Write the application properties that a dead letter carries; None writes nothing."""
        given = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        properties = section_value(self._application, 0, dict) if self._application else {}
        properties.update({name: text for name, text in given.items() if text is not None})
        if properties:
            self._application = encode(Described(ULong(APPLICATION_PROPERTIES), properties))

    @property
    def application_section(self) -> bytes:
        """The encoded application properties; what dead-lettering changes, and so what the journal must note."""
        return self._application

    @application_section.setter
    def application_section(self, section: bytes) -> None:
        self._application = section


def sections(data: bytes) -> list[tuple[int, int, int]]:
    """Descriptor, start and end of each section of an encoded message, in order. Raises Malformed."""
    found, offset, last = [], 0, HEADER
    try:
        while offset < len(data):
            described = data[offset] == 0
            descriptor, value_at = decode(data, offset + 1) if described else (None, offset)
            if not isinstance(descriptor, ULong) or not last <= descriptor <= FOOTER:
                raise Malformed(f"byte {offset} of the message starts no section that may stand there")
            end = skip(data, value_at)
            found.append((int(descriptor), offset, end))
            last, offset = int(descriptor), end
    except DecodeError as cause:
        raise Malformed(str(cause)) from cause
    return found


def section_value(data: bytes, start: int, kind: type) -> Any:
    """The value of the section at `start`, which must be of `kind`. Raises Malformed."""
    try:
        section, _ = decode(data, start)
    except DecodeError as cause:
        raise Malformed(str(cause)) from cause
    if not isinstance(section.value, kind):
        raise Malformed(f"section {section.descriptor:#x} holds a {type(section.value).__name__}")
    return section.value


def unbatched(data: bytes) -> list[Message]:
    """The messages of a batch. Raises Malformed."""
    batch = [section_value(data, start, bytes) for descriptor, start, _ in sections(data) if descriptor == DATA]
    return [Message.parse(encoded) for encoded in batch]
