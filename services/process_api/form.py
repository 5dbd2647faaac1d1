"""Push parser of one multipart form (RFC 7578): bytes in, pieces of the file out, fields kept. No storage, no clock.

`file`, `task` and `options`, each at most once and in any order; nothing else. Bounded by constants, whatever comes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from claimcheck.errors import MalformedUpload
from services.process_api.file_names import from_form
from services.process_api.source import FIELDS, claimed_type

MAX_FIELD_BYTES = 64 * 1024  # `options` of any task are far below this.
MAX_HEADER_BYTES = 16 * 1024  # Of one part. File names come that long; what is kept of them is short.
MAX_REST_BYTES = 256 * 1024  # Of a body, besides the file: its parts' headers and fields, and what surrounds them.
MAX_BOUNDARY_CHARS = 70  # RFC 2046, 5.1.1
MAX_SEMICOLONS = 100  # Of one header. Each costs its parser microseconds, and those in quotes more the more they are.
_AS_IT_IS = (b"", b"7bit", b"8bit", b"binary")
_UNLIMITED = 1024 * 1024  # Of the parser. Our limits come first, and say value and limit where the parser does not.


class Form:
    """A form as far as it has been read."""

    rest_limit_bytes = MAX_REST_BYTES

    def __init__(self, content_type: str, given: Mapping[str, str]) -> None:
        """`given`: fields that the query has said already. Raises MalformedUpload."""
        self._fields = dict(given)
        self.name, self.claim = "", ""
        self._has_file, self._ended = False, False
        self._pieces: list[bytes] = []
        self._header_name, self._header_value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._field: str | None = None
        self._value = bytearray()
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=_UNLIMITED,
            max_header_size=_UNLIMITED,
        )

    @property
    def fields(self) -> Mapping[str, str]:
        """`task` and `options` as far as they have come, from wherever."""
        return self._fields

    def feed(self, chunk: bytes) -> list[bytes]:
        """The file's bytes in `chunk`. Raises MalformedUpload."""
        with _malformed():
            self._parser.write(chunk)
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """Raises MalformedUpload if the body ended too early or held no file."""
        with _malformed():
            self._parser.finalize()
        if not self._ended:
            raise MalformedUpload("the body ends before its last boundary")
        if not self._has_file:
            raise MalformedUpload("the form has no part named 'file' with a file in it")

    def _on_part_begin(self) -> None:
        self._headers, self._header_name, self._header_value, self._header_bytes = {}, b"", b"", 0

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header_value += data[start:end]

    def _count_header(self, size_bytes: int) -> None:
        self._header_bytes += size_bytes
        if self._header_bytes > MAX_HEADER_BYTES:
            raise MalformedUpload(f"the headers of a part have more than {MAX_HEADER_BYTES:,} bytes")

    def _on_header_end(self) -> None:
        name = self._header_name.lower()
        if name in self._headers:
            raise MalformedUpload(f"a part has two headers named {name.decode('latin-1')[:40]!r}")
        self._headers[name] = self._header_value
        self._header_name, self._header_value = b"", b""

    def _on_headers_finished(self) -> None:
        disposition, parameters = _options(self._headers.get(b"content-disposition", b""), "content disposition")
        name = parameters.get(b"name", b"").decode(errors="replace")
        if disposition != b"form-data" or not name:
            raise MalformedUpload("a part has no content disposition with a name")
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
        if encoding not in _AS_IT_IS:
            raise MalformedUpload(f"a part is encoded as {encoding.decode('latin-1')[:40]!r}; 'binary' is expected")
        self._field = None if name == "file" else name
        if name == "file":
            self._begin_file(parameters)
        else:
            self._begin_field(name)

    def _begin_file(self, parameters: Mapping[bytes, bytes]) -> None:
        if self._has_file:
            raise MalformedUpload("the form has two parts named 'file'; one is expected")
        self._has_file = True
        self.name = from_form(parameters.get(b"filename", b""))
        self.claim = claimed_type(self._headers.get(b"content-type", b"").decode("latin-1"))

    def _begin_field(self, name: str) -> None:
        if name not in FIELDS:
            raise MalformedUpload(f"the form has a part named {name[:40]!r}; file, task and options are expected")
        if name in self._fields:
            raise MalformedUpload(f"{name!r} is given twice; once is expected")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._pieces.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise MalformedUpload(f"{self._field!r} has more than {MAX_FIELD_BYTES:,} bytes")

    def _on_part_end(self) -> None:
        if self._field is None:
            return
        try:
            self._fields[self._field] = self._value.decode()
        except UnicodeDecodeError as cause:
            raise MalformedUpload(f"{self._field!r} is no UTF-8: {cause.reason} at byte {cause.start:,}") from cause
        self._value.clear()

    def _on_end(self) -> None:
        self._ended = True


def _boundary(content_type: str) -> bytes:
    _, parameters = _options(content_type.encode("latin-1"), "content type")
    boundary = parameters.get(b"boundary", b"")
    if not 0 < len(boundary) <= MAX_BOUNDARY_CHARS:
        raise MalformedUpload(f"the boundary has {len(boundary)} characters; 1 to {MAX_BOUNDARY_CHARS} are expected")
    return boundary


def _options(header: bytes, what: str) -> tuple[bytes, dict[bytes, bytes]]:
    """The value of a header and its parameters. Raises MalformedUpload."""
    if (semicolons := header.count(b";")) > MAX_SEMICOLONS:
        raise MalformedUpload(f"the {what} has {semicolons:,} semicolons; at most {MAX_SEMICOLONS} are expected")
    return parse_options_header(header)


@contextlib.contextmanager
def _malformed() -> Iterator[None]:
    try:
        yield
    except FormParserError as cause:
        raise MalformedUpload(f"the multipart body is malformed: {cause}") from cause
