"""services/worker/engines/language/bounded.py: what is refused before a byte of it is read."""

from __future__ import annotations

import gzip

import httpx2
import pytest

from services.worker.engines.language.bounded import AnswerTooLarge, bound


async def test_compressed_answer_is_refused_since_nobody_knows_how_large_it_is() -> None:
    body = gzip.compress(bytes(1000))
    with pytest.raises(AnswerTooLarge):
        await bound(httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(body)))


async def test_of_a_compressed_error_the_status_is_left() -> None:
    stream = httpx2.ByteStream(gzip.compress(b"no"))
    response = httpx2.Response(429, headers={"content-encoding": "gzip", "retry-after": "3"}, stream=stream)
    await bound(response)
    assert (response.headers["retry-after"], await response.aread()) == ("3", b"")


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "identity"}])
async def test_answer_that_is_not_compressed_is_read(headers: dict[str, str]) -> None:
    response = httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(b"an answer"))
    await bound(response)
    assert await response.aread() == b"an answer"
