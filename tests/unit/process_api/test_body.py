"""services/process_api/body.py: what bounds a body while it arrives. No storage: each file fits one block."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import pytest

from claimcheck.errors import (
    EmptyUpload,
    InvalidOptions,
    MalformedUpload,
    UnknownTask,
    UnsupportedMedia,
    UploadTooLarge,
    UploadTooSlow,
)
from services.process_api.body import check_announced, in_time
from services.process_api.form import MAX_REST_BYTES
from services.process_api.source import Raw
from tests.stack.waiting import eventually, let_pass
from tests.unit.process_api.bodies import LIMIT_BYTES, body, field_part, file_part, read, writer

PIECE_BYTES = 16 * 1024
MIB = 1024 * 1024


class Endless:
    """A begin, and then the same bytes for ever; knows how many of them were taken."""

    def __init__(self, before: bytes, unit: bytes) -> None:
        self._before, self._piece = before, unit * (PIECE_BYTES // len(unit))
        self.taken_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self._before
        while True:
            self.taken_bytes += len(self._piece)
            yield self._piece


@pytest.mark.parametrize(
    ("before", "unit"),
    [
        (b"\r\n", b"\r\n"),
        (body(file_part()), b"\r\n"),
        (body(file_part()), b"--X\r\n"),
        (b"--X\r\n", b"A"),
        (b"--X\r\nA: ", b"b"),
        (b"--X\r\n", b"A: b\r\n"),
        (b"--X\r\n" + field_part("options", ""), b" "),
        (b"--X\r\n" + field_part("options", ""), b"\r\n--"),
        (b"", b"--X\r\n" + field_part("a", "b") + b"\r\n"),
        (b"", b"--X\r\n"),
    ],
    ids=[
        *("before the first boundary", "after the last", "parts after the last", "header name", "header value"),
        *("headers", "field", "field of almost boundaries", "parts", "parts without headers"),
    ],
)
async def test_body_that_never_ends_is_refused_within_a_bound(before: bytes, unit: bytes) -> None:
    sent = Endless(before, unit)
    with pytest.raises(MalformedUpload):
        await read(sent)
    assert sent.taken_bytes <= MAX_REST_BYTES + 2 * PIECE_BYTES


async def test_file_that_never_ends_is_too_large_and_not_malformed() -> None:
    sent = Endless(b"--X\r\n" + file_part(), b"\r\n--")
    with pytest.raises(UploadTooLarge):
        await read(sent)
    assert sent.taken_bytes <= LIMIT_BYTES + 2 * PIECE_BYTES


async def test_what_surrounds_the_parts_is_no_harm_while_it_is_short() -> None:
    assert (await read([b"\r\n\r\n" + body(file_part()) + b"the end"])).name == "a.mp3"


@pytest.mark.parametrize(
    ("field", "error"),
    [
        (field_part("task", "paint"), UnknownTask),
        (field_part("options", "{"), InvalidOptions),
        (field_part("options", '{"seconds": "soon"}'), InvalidOptions),
    ],
)
async def test_field_before_the_file_is_checked_before_the_file_is_read(field: bytes, error: type[Exception]) -> None:
    before = b"--X\r\n" + field_part("task", "probe") + b"\r\n" if b"task" not in field else b""
    sent = Endless(before + b"--X\r\n" + field + b"\r\n--X\r\n" + file_part(), b"\0")
    with pytest.raises(error):
        await read(sent)
    assert sent.taken_bytes == 0


async def test_content_is_checked_with_the_first_bytes_of_the_file() -> None:
    sent = Endless(
        body(field_part("task", "transcribe"))[:-7] + b"--X\r\n" + file_part(content=b""), b"\x89PNG\r\n\x1a\n"
    )
    with pytest.raises(UnsupportedMedia, match="image/png by its content"):
        await read(sent)
    assert sent.taken_bytes <= PIECE_BYTES


async def test_file_before_its_task_is_checked_at_the_end() -> None:
    with pytest.raises(UnsupportedMedia, match="the file is image/png by its content; transcribe takes audio"):
        await read([body(file_part(content=b"\x89PNG\r\n\x1a\n\0"), field_part("task", "transcribe"))])


async def test_raw_body_is_the_file() -> None:
    source, into = (
        Raw({"content-type": "audio/wav", "content-disposition": "x; filename=a.wav"}, {"task": "fan"}),
        writer(),
    )
    order = await read([b"\0ab", b"", b"c"], source=source, into=into)
    assert (order.task.name, order.name, order.media_type, into.size_bytes) == ("fan", "a.wav", "audio/wav", 4)


async def test_raw_body_without_bytes_is_empty() -> None:
    with pytest.raises(EmptyUpload):
        await read([b""], source=Raw({}, {}))


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded", "application/octet-stream"])
async def test_raw_body_of_no_particular_type_claims_nothing(content_type: str) -> None:
    order = await read([b"\0"], source=Raw({"content-type": content_type}, {}))
    assert order.media_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("length_bytes", "rest_limit_bytes", "refused"),
    [
        (None, 0, ""),
        (2 * MIB, 0, ""),
        (2 * MIB + 1, 0, "the file is 3 MB; the limit is 2 MB"),
        (2 * MIB + 100, 100, ""),
        (2 * MIB + 101, 100, "the file is at least 3 MB; the limit is 2 MB"),
    ],
)
def test_length_is_refused_as_soon_as_it_is_known(
    length_bytes: int | None, rest_limit_bytes: int, refused: str
) -> None:
    try:
        check_announced(length_bytes, rest_limit_bytes=rest_limit_bytes, limit_bytes=2 * MIB)
        said = ""
    except UploadTooLarge as error:
        said = error.detail
    assert said == refused


class Line:
    """A body that brings what the test puts on it, when the test does."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(self, *chunks: bytes | None) -> None:
        """More of the body; None ends it."""
        for chunk in chunks:
            self._chunks.put_nowait(chunk)

    async def arriving(self) -> AsyncGenerator[bytes, None]:
        """The chunks as they come."""
        while (chunk := await self._chunks.get()) is not None:
            yield chunk


async def test_body_that_stops_arriving_is_too_slow() -> None:
    line = Line()
    line.put(b"abc")
    sent = in_time(line.arriving(), window_s=0.05, window_bytes=4)
    assert await anext(sent) == b"abc"
    with pytest.raises(UploadTooSlow, match=r"3 bytes came in 0\.05 s; at least 4 are expected"):
        await anext(sent)


async def trickle(line: Line, chunk: bytes, *, every_s: float) -> None:
    """One chunk after the other, for as long as somebody takes them."""
    while True:
        line.put(chunk)
        await asyncio.sleep(every_s)


async def count(sent: AsyncIterator[bytes]) -> int:
    """How much comes."""
    return sum([len(chunk) async for chunk in sent])


async def test_body_that_trickles_is_too_slow() -> None:
    line = Line()
    source = asyncio.create_task(trickle(line, b"x", every_s=0.01))
    with pytest.raises(UploadTooSlow, match=r"bytes came in 0\.2 s; at least 100 are expected"):
        await count(in_time(line.arriving(), window_s=0.2, window_bytes=100))
    source.cancel()


async def steady(chunk: bytes) -> AsyncGenerator[bytes, None]:
    """One chunk after the other. It blocks the loop, so that no window can end between two of them."""
    while True:
        let_pass(0.05)
        await asyncio.sleep(0)
        yield chunk


async def test_steady_body_may_take_longer_than_a_window() -> None:
    started = time.monotonic()
    async for _ in in_time(steady(b"x" * 10), window_s=0.5, window_bytes=10):
        if time.monotonic() > started + 0.8:
            break


async def test_time_that_the_reader_takes_does_not_count() -> None:
    """A reader that waits for a storage for longer than the window, with the next chunk there already."""
    line = Line()
    line.put(b"a", b"b", None)
    sent = in_time(line.arriving(), window_s=0.05, window_bytes=1000)
    started, found = time.monotonic(), [await anext(sent)]

    async def is_later_than_a_window() -> bool:
        return time.monotonic() > started + 0.1

    await eventually(is_later_than_a_window, "the storage is done")
    found += [chunk async for chunk in sent]
    assert found == [b"a", b"b"]
