"""Read the body of an answer up to a limit: one that never ends would take the memory of a worker that runs others too.

Imported with the SDK, at its first use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Far above the longest answer that may be asked for, 32,768 tokens with everything that comes along."""


class AnswerTooLarge(Exception):
    """The body is longer than anything that was asked for, or may be."""


async def bound(response: httpx2.Response) -> None:
    """Stop reading this response at the limit. A hook for `response` events.

    One that is compressed, though none was asked for, may have any size: of an error the status will do.
    Raises AnswerTooLarge for any other such one.
    """
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    if response.headers.get("content-encoding", "identity") != "identity":
        if not response.is_error:
            raise AnswerTooLarge
        await response.stream.aclose()
        response.stream = httpx2.ByteStream(b"")
        del response.headers["content-encoding"]
    response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise AnswerTooLarge
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
