"""Stream a body into a blob: bounded memory, nothing on disk, no client waited for without end.

Owns the limits while bytes arrive. Commits nothing: until the caller finishes the blob it is invisible, and blocks that
are never committed go by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator

from claimcheck.blobs import BlobWriter
from claimcheck.errors import EmptyUpload, MalformedUpload, ServerStopping, UploadTooLarge, UploadTooSlow
from services.process_api.content import HEAD_BYTES
from services.process_api.intent import Intent, Order
from services.process_api.source import Source

log = logging.getLogger(__name__)

MIB = 1024 * 1024


async def receive(
    body: AsyncIterator[bytes], *, source: Source, intent: Intent, writer: BlobWriter, limit_bytes: int
) -> Order:
    """Read the whole body; the file's bytes go to `writer`, which the caller finishes or discards.

    What is wrong with the request is said as soon as it is known. Raises MalformedUpload, UploadTooLarge, EmptyUpload,
    BlobsUnavailable, whatever `intent` raises and whatever `body` raises.
    """
    intent.tell(source.fields)
    head, received_bytes = bytearray(), 0
    async for chunk in body:
        received_bytes += len(chunk)
        pieces = source.feed(chunk)
        intent.tell(source.fields)
        for piece in pieces:
            check_size(writer.size_bytes + len(piece), limit_bytes, about="at least ")
            if len(head) < HEAD_BYTES:
                head += piece[: HEAD_BYTES - len(head)]
                if len(head) == HEAD_BYTES:
                    intent.see(bytes(head), whole=False, claim=source.claim, name=source.name)
            await writer.write(piece)
        # What comes before the first boundary and after the last is dropped, and must end as well.
        if received_bytes - writer.size_bytes > source.rest_limit_bytes:
            raise MalformedUpload(f"the body has more than {source.rest_limit_bytes:,} bytes besides the file")
    source.finish()
    if not head:
        raise EmptyUpload("the file has 0 bytes; at least 1 is expected")
    if len(head) < HEAD_BYTES:
        intent.see(bytes(head), whole=True, claim=source.claim, name=source.name)
    return intent.settled()


async def in_time(body: AsyncGenerator[bytes], *, window_s: float, window_bytes: int) -> AsyncIterator[bytes]:
    """The same chunks. Each window of `window_s` seconds spent waiting for them must bring `window_bytes`.

    Time that the caller takes between two chunks does not count: a slow storage is not the client's fault.
    Raises UploadTooSlow.
    """
    waited_s, came_bytes = 0.0, 0
    while True:
        started = time.monotonic()
        try:
            async with asyncio.timeout(window_s - waited_s):
                chunk = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError as cause:
            raise UploadTooSlow(
                f"{came_bytes:,} bytes came in {window_s:g} s; at least {window_bytes:,} are expected"
            ) from cause
        waited_s += time.monotonic() - started
        came_bytes += len(chunk)
        if came_bytes >= window_bytes:
            waited_s, came_bytes = 0.0, 0
        yield chunk


@contextlib.asynccontextmanager
async def unless_stopping(stopping: asyncio.Event, *, left_s: float) -> AsyncIterator[None]:
    """Let what is within go on for `left_s` seconds after `stopping` is set, and no longer. Raises ServerStopping."""

    async def watch(limit: asyncio.Timeout) -> None:
        await stopping.wait()
        limit.reschedule(asyncio.get_running_loop().time() + left_s)

    try:
        async with asyncio.timeout(None) as limit:
            watching = asyncio.create_task(watch(limit))
            try:
                yield
            finally:
                watching.cancel()
    except TimeoutError as cause:
        if not limit.expired():
            raise
        log.warning("upload.stopped", extra={"left_s": left_s})
        raise ServerStopping(
            f"the upload did not end within {left_s:g} s of the server's stop; send it again"
        ) from cause


def check_announced(length_bytes: int | None, *, rest_limit_bytes: int, limit_bytes: int) -> None:
    """Refuse a file that is too large by the body's announced length alone. Raises UploadTooLarge."""
    if length_bytes is not None:
        about = "at least " if rest_limit_bytes else ""
        check_size(length_bytes - rest_limit_bytes, limit_bytes, about=about)


def check_size(size_bytes: int, limit_bytes: int, *, about: str = "") -> None:
    """Raises UploadTooLarge beyond the limit."""
    if size_bytes <= limit_bytes:
        return
    unit, name = (MIB, "MB") if limit_bytes >= MIB else (1, "bytes")
    raise UploadTooLarge(
        f"the file is {about}{-(-size_bytes // unit):,} {name}; the limit is {limit_bytes // unit:,} {name}",
        limit_bytes=limit_bytes,
    )


async def read_all(body: AsyncIterator[bytes], *, limit_bytes: int) -> bytes:
    """A body that is small by contract. Raises UploadTooLarge."""
    found = bytearray()
    async for chunk in body:
        found += chunk
        if len(found) > limit_bytes:
            raise UploadTooLarge(
                f"the JSON body has more than {limit_bytes:,} bytes; send what is larger as a file",
                limit_bytes=limit_bytes,
            )
    return bytes(found)
