"""Bodies for the upload parser, and a writer that never gets as far as the storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from itertools import pairwise

from pydantic import SecretStr

from claimcheck.blobs import Blobs, BlobWriter
from claimcheck.settings import BlobSettings
from services.process_api.body import receive
from services.process_api.form import Form
from services.process_api.intent import Intent, Order
from services.process_api.source import Source

CONTENT_TYPE = "multipart/form-data; boundary=X"
LIMIT_BYTES = 64 * 1024
# Nobody listens there, and nobody is asked before the first block is full.
STORAGE = BlobSettings(
    connection_string=SecretStr("AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a"), container="c"
)


def writer() -> BlobWriter:
    """A writer that sends nothing yet."""
    return Blobs(STORAGE, timeout_s=1).writer("upload")


def file_part(*, name: bytes = b"a.mp3", media_type: bytes | None = None, content: bytes = b"\0hello") -> bytes:
    """The part with the file, as it follows a boundary. Its content is no text."""
    typed = b"" if media_type is None else b"Content-Type: " + media_type + b"\r\n"
    disposition = b'Content-Disposition: form-data; name="file"; filename="' + name + b'"\r\n'
    return disposition + typed + b"\r\n" + content


def field_part(name: str, value: bytes | str) -> bytes:
    """The part with a field."""
    value = value.encode() if isinstance(value, str) else value
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


def body(*parts: bytes) -> bytes:
    """A whole body of these parts."""
    return b"".join(b"--X\r\n" + part + b"\r\n" for part in parts) + b"--X--\r\n"


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The same bytes in chunks that end at these places."""
    ends = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


async def read(
    chunks: Iterable[bytes], *, source: Source | None = None, into: BlobWriter | None = None, task: str = "probe"
) -> Order:
    """What is understood of a body that comes in these chunks."""

    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return await receive(
        arriving(),
        source=source or Form(CONTENT_TYPE, {}),
        intent=Intent(task),
        writer=into or writer(),
        limit_bytes=LIMIT_BYTES,
    )
