"""services/process_api/upload.py: bytes of a form in, its file and fields out. No storage: each file fits one block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from claimcheck.blobs import Blobs, BlobWriter
from claimcheck.errors import MalformedUpload, UploadTooLarge
from claimcheck.settings import BlobSettings
from services.process_api.upload import MAX_REST_BYTES, MEDIA_TYPE, Form, receive

CONTENT_TYPE = "multipart/form-data; boundary=X"
LIMIT_BYTES = 1024
PIECE = b"\r\n" * 8 * 1024
# Nobody listens there, and nobody is asked before the first block is full.
STORAGE = BlobSettings(
    connection_string=SecretStr("AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a"), container="c"
)


def writer() -> BlobWriter:
    """A writer that sends nothing yet."""
    return Blobs(STORAGE, timeout_s=1).writer("upload")


async def read(chunks: Iterable[bytes], *, into: BlobWriter | None = None) -> Form:
    """What `receive` makes of a body that comes in these chunks, without an announced length."""

    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return await receive(
        body(), content_type=CONTENT_TYPE, content_length=None, writer=into or writer(), limit_bytes=LIMIT_BYTES
    )


def form(*, name: bytes = b"a.mp3", media_type: bytes | None = None, content: bytes = b"hello") -> bytes:
    """A body with one file."""
    typed = b"" if media_type is None else b"Content-Type: " + media_type + b"\r\n"
    disposition = b'Content-Disposition: form-data; name="file"; filename="' + name + b'"\r\n'
    return b"--X\r\n" + disposition + typed + b"\r\n" + content + b"\r\n--X--\r\n"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, ""),
        (b"", ""),
        (b"audio/mpeg", "audio/mpeg"),
        (b" Audio/MPEG ", "Audio/MPEG"),
        (b"audio/ogg; codecs=opus", "audio/ogg"),
        (b"audio/ogg ;codecs=opus", "audio/ogg"),
        (b"; codecs=opus", ""),
        (b"application/vnd.a-b+json", "application/vnd.a-b+json"),
        (b"audio/mpeg;\nX-Evil: 1", "audio/mpeg"),
        (b"a" * 127 + b"/" + b"b" * 127, "a" * 127 + "/" + "b" * 127),
    ],
)
async def test_media_type_is_kept_without_parameters(sent: bytes | None, kept: str) -> None:
    assert (await read([form(media_type=sent)])).media_type == kept


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"audio/x\nX-Evil: 1", r"'audio/x\nX-Evil: 1'"),
        (b"audio/mpeg\n", r"'audio/mpeg\n'"),
        (b"audio/x\0", r"'audio/x\x00'"),
        (b"audio/x\x7f", r"'audio/x\x7f'"),
        (b"audio/\xe9", "'audio/é'"),
        ("audio/é".encode(), "'audio/Ã©'"),
        (b"audio/x\xa0", r"'audio/x\xa0'"),
        (b"audio", "'audio'"),
        (b"audio/", "'audio/'"),
        (b"/mpeg", "'/mpeg'"),
        (b"audio/mp3/x", "'audio/mp3/x'"),
        (b"audio/x y", "'audio/x y'"),
        (b"audio/*", "'audio/*'"),
        (b"audio/" + b"x" * 128, "'audio/" + "x" * 74 + "'"),
    ],
)
async def test_content_type_that_is_none_is_refused(sent: bytes, said: str) -> None:
    with pytest.raises(MalformedUpload) as refused:
        await read([form(media_type=sent)])
    assert f"the content type of the file is {said};" in refused.value.detail


@given(st.binary(max_size=60))
async def test_whatever_is_sent_as_content_type_only_a_media_type_is_kept(sent: bytes) -> None:
    try:
        found = await read([form(media_type=sent)])
    except MalformedUpload:
        return
    assert found.media_type == "" or MEDIA_TYPE.fullmatch(found.media_type)


@pytest.mark.parametrize("name", ["a\0b.mp3", "a\nb.mp3", "a\tb\x1b[31m.mp3", "a\x7f\u202e.mp3", "\0", "é\u2028.mp3"])
async def test_control_characters_in_a_file_name_are_kept_as_data(name: str) -> None:
    assert (await read([form(name=name.encode())])).name == name


@given(st.lists(st.integers(min_value=0, max_value=200), max_size=8), st.binary(min_size=1, max_size=60))
async def test_cuts_between_chunks_change_nothing(cuts: list[int], content: bytes) -> None:
    body = form(media_type=b"audio/mpeg", content=content)
    places = [0, *sorted(cuts), len(body)]
    into = writer()
    found = await read([body[start:end] for start, end in pairwise(places)], into=into)
    assert found == Form(name="a.mp3", media_type="audio/mpeg", has_file=True)
    assert into.size_bytes == len(content)


def endless() -> Iterable[bytes]:
    """More than any body may have."""
    while True:
        yield PIECE


@pytest.mark.parametrize("before", [b"\r\n", form()], ids=["before the first boundary", "after the last boundary"])
async def test_body_that_never_ends_around_its_parts_is_refused(before: bytes) -> None:
    taken = 0

    def chunks() -> Iterable[bytes]:
        nonlocal taken
        yield before
        for piece in endless():
            taken += len(piece)
            yield piece

    with pytest.raises(MalformedUpload, match="more than 1,179,648 bytes besides the file"):
        await read(chunks())
    assert taken <= MAX_REST_BYTES + 2 * len(PIECE)


async def test_file_that_never_ends_is_too_large_and_not_malformed() -> None:
    def chunks() -> Iterable[bytes]:
        yield form()[: -len(b"\r\n--X--\r\n")]
        yield from endless()

    with pytest.raises(UploadTooLarge):
        await read(chunks())


async def test_what_follows_the_last_boundary_is_no_harm_while_it_is_short() -> None:
    assert (await read([b"\r\n\r\n" + form() + b"the end"])).name == "a.mp3"
