"""Stream a multipart body straight into a blob: bounded memory, nothing on disk.

Owns the multipart form (`file`, `task`, `options`, in any order) and the size limit while bytes arrive. Commits
nothing: until the caller finishes the blob it is invisible, and blocks that are never committed go by themselves.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from claimcheck.blobs import BlobWriter
from claimcheck.errors import EmptyUpload, InvalidOptions, MalformedUpload, UploadTooLarge

MAX_FIELD_BYTES = 64 * 1024  # `options` of any task are far below this.
MAX_PARTS = 16
MAX_HEADER_BYTES = 8 * 1024
MAX_NAME_CHARS = 255
MAX_REST_BYTES = MAX_PARTS * (MAX_FIELD_BYTES + MAX_HEADER_BYTES)  # Of a body, besides the file.
# RFC 6838, 4.2. The type becomes a header of the blob, so nothing else may be in it.
MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
MIB = 1024 * 1024


@dataclass
class Form:
    """What a body held besides the file's bytes."""

    fields: dict[str, str] = field(default_factory=dict)
    name: str = ""
    media_type: str = ""
    """Without parameters; empty if the client named none."""
    has_file: bool = False

    def options(self) -> Mapping[str, Any]:
        """The `options` field. Raises InvalidOptions."""
        try:
            options = json.loads(self.fields.get("options") or "{}", parse_float=_finite, parse_constant=_finite)
        except ValueError as cause:
            raise InvalidOptions(f"options are no JSON: {cause}") from cause
        except RecursionError as cause:
            raise InvalidOptions("options are nested too deeply") from cause
        if not isinstance(options, dict):
            raise InvalidOptions(f"options are a JSON {type(options).__name__}; an object is expected")
        return options


def _finite(text: str) -> float:
    """JSON has neither NaN nor infinity (RFC 8259, 6), though Python reads both; a record would keep them as null."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


async def receive(
    body: AsyncIterator[bytes], *, content_type: str, content_length: int | None, writer: BlobWriter, limit_bytes: int
) -> Form:
    """Read the whole body; the file's bytes go to `writer`, which the caller finishes or discards.

    Raises MalformedUpload, UploadTooLarge, EmptyUpload, BlobsUnavailable.
    """
    if content_length is not None and content_length > limit_bytes + MAX_REST_BYTES:
        raise _too_large(content_length, limit_bytes, at_least=False)
    reader = _Reader(_boundary(content_type))
    received_bytes = 0
    async for chunk in body:
        received_bytes += len(chunk)
        for piece in reader.feed(chunk):
            if writer.size_bytes + len(piece) > limit_bytes:
                raise _too_large(max(content_length or 0, writer.size_bytes + len(piece)), limit_bytes, at_least=True)
            await writer.write(piece)
        # What comes before the first boundary and after the last is dropped, and must end as well.
        if received_bytes - writer.size_bytes > MAX_REST_BYTES:
            raise MalformedUpload(f"the body has more than {MAX_REST_BYTES:,} bytes besides the file")
    form = reader.finish()
    if writer.size_bytes == 0:
        raise EmptyUpload("the file has 0 bytes; at least 1 is expected")
    return form


def _too_large(size_bytes: int, limit_bytes: int, *, at_least: bool) -> UploadTooLarge:
    about = "at least " if at_least else ""
    unit, name = (MIB, "MB") if limit_bytes >= MIB else (1, "bytes")
    return UploadTooLarge(
        f"the file is {about}{-(-size_bytes // unit):,} {name}; the limit is {limit_bytes // unit:,} {name}",
        limit_bytes=limit_bytes,
    )


def _boundary(content_type: str) -> bytes:
    media_type, parameters = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise MalformedUpload(f"the content type is {content_type[:80]!r}; multipart/form-data is expected")
    boundary = parameters.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise MalformedUpload(f"the boundary has {len(boundary)} characters; 1 to 70 are expected")
    return boundary


def _media_type(header: str) -> str:
    """The type in a Content-Type header, without its parameters; empty stays empty. Raises MalformedUpload."""
    media_type = header.partition(";")[0].strip(" \t")
    if media_type and not MEDIA_TYPE.fullmatch(media_type):
        raise MalformedUpload(f"the content type of the file is {media_type[:80]!r}; one like 'audio/mpeg' is expected")
    return media_type


class _Reader:
    """Push parser of one form: bytes in, pieces of the file out, fields kept."""

    def __init__(self, boundary: bytes) -> None:
        self._form = Form()
        self._pieces: list[bytes] = []
        self._parts = 0
        self._ended = False
        self._header_name, self._header_value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._field: str | None = None
        self._value = bytearray()
        self._parser = MultipartParser(
            boundary,
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
            max_header_size=MIB,  # Ours comes first, and says value and limit where the parser does not.
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """The file's bytes in `chunk`. Raises MalformedUpload."""
        with _malformed():
            self._parser.write(chunk)
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> Form:
        """The form. Raises MalformedUpload if the body ended too early or held no file."""
        with _malformed():
            self._parser.finalize()
        if not self._ended:
            raise MalformedUpload("the body ends before its last boundary")
        if not self._form.has_file:
            raise MalformedUpload("the form has no part named 'file' with a file in it")
        return self._form

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedUpload(f"the form has more than {MAX_PARTS} parts")
        self._headers, self._header_name, self._header_value = {}, b"", b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]
        self._check_headers()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]
        self._check_headers()

    def _check_headers(self) -> None:
        size = sum(len(n) + len(v) for n, v in self._headers.items())
        if size + len(self._header_name) + len(self._header_value) > MAX_HEADER_BYTES:
            raise MalformedUpload(f"the headers of a part have more than {MAX_HEADER_BYTES:,} bytes")

    def _on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name, self._header_value = b"", b""

    def _on_headers_finished(self) -> None:
        disposition, parameters = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = parameters.get(b"name", b"").decode(errors="replace")
        if disposition != b"form-data" or not name:
            raise MalformedUpload("a part has no content disposition with a name")
        self._field = None if name == "file" else name
        if name == "file":
            self._begin_file(parameters)
        elif name in self._form.fields:
            raise MalformedUpload(f"the form has two parts named {name[:40]!r}")

    def _begin_file(self, parameters: Mapping[bytes, bytes]) -> None:
        if self._form.has_file:
            raise MalformedUpload("the form has two parts named 'file'; one is expected")
        self._form.has_file = True
        self._form.name = parameters.get(b"filename", b"").decode(errors="replace")[:MAX_NAME_CHARS]
        self._form.media_type = _media_type(self._headers.get(b"content-type", b"").decode("latin-1"))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._pieces.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise MalformedUpload(f"{self._field[:40]!r} has more than {MAX_FIELD_BYTES:,} bytes")

    def _on_part_end(self) -> None:
        if self._field is not None:
            self._form.fields[self._field] = self._value.decode(errors="replace")
            self._value.clear()

    def _on_end(self) -> None:
        self._ended = True


@contextlib.contextmanager
def _malformed() -> Iterator[None]:
    try:
        yield
    except FormParserError as cause:
        raise MalformedUpload(f"the multipart body is malformed: {cause}") from cause
