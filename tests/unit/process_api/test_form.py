"""services/process_api/form.py: bytes of a form in, its file and fields out."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimcheck.errors import MalformedUpload, RequestRefused
from services.process_api.form import MAX_FIELD_BYTES, MAX_HEADER_BYTES, Form
from services.process_api.intent import Order
from services.process_api.source import MEDIA_TYPE
from tests.unit.process_api.bodies import CONTENT_TYPE, LIMIT_BYTES, body, cut, field_part, file_part, read, writer

SOON_S = 2.0  # Of CPU, for one body of some hundred bytes: anything near it is a loop that should not be there.

PARTS = [
    field_part("task", "probe"),
    field_part("options", '{"seconds": 1}'),
    file_part(name="ä%22.mp3".encode(), media_type=b"audio/mpeg; a=b", content=b"\0\r\n--X\r-\n--" * 20),
]
WHOLE = body(*PARTS)


def form(content_type: str = CONTENT_TYPE) -> Form:
    """A form of which nothing has come yet."""
    return Form(content_type, {})


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
def test_media_type_is_kept_without_parameters(sent: bytes | None, kept: str) -> None:
    read = form()
    read.feed(body(file_part(media_type=sent)))
    assert read.claim == kept


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
def test_content_type_that_is_none_is_refused(sent: bytes, said: str) -> None:
    with pytest.raises(MalformedUpload) as refused:
        form().feed(body(file_part(media_type=sent)))
    assert f"the content type of the file is {said};" in refused.value.detail


@given(st.binary(max_size=60))
def test_whatever_is_sent_as_content_type_only_a_media_type_is_kept(sent: bytes) -> None:
    read = form()
    try:
        read.feed(body(file_part(media_type=sent)))
    except MalformedUpload:
        return
    assert read.claim == "" or MEDIA_TYPE.fullmatch(read.claim)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (field_part("comment", "hello"), "a part named 'comment'; file, task and options are expected"),
        (field_part("options", b'{"a": "\xff"}'), "'options' is no UTF-8: invalid start byte at byte 7"),
        (field_part("task", b"\xc3"), "'task' is no UTF-8: unexpected end of data at byte 0"),
        (field_part("options", b" " * (MAX_FIELD_BYTES + 1)), "'options' has more than 65,536 bytes"),
        (file_part(name=b"a" * MAX_HEADER_BYTES), "the headers of a part have more than 16,384 bytes"),
        (b"A: b\r\n" * 4000 + file_part(), "two headers named 'a'"),
        (b"Content-Disposition: form-data; name=task\r\n" + file_part(), "two headers named 'content-disposition'"),
        (b"Content-Transfer-Encoding: base64\r\n" + file_part(), "encoded as 'base64'; 'binary' is expected"),
        (b'Content-Disposition: attachment; name="file"\r\n\r\nx', "no content disposition with a name"),
    ],
)
def test_part_that_no_form_of_ours_has_is_refused_at_once(part: bytes, said: str) -> None:
    with pytest.raises(MalformedUpload) as refused:
        form().feed(b"--X\r\n" + part + b"\r\n--X\r\n")
    assert said in refused.value.detail


@pytest.mark.parametrize("encoding", [b"binary", b"8BIT", b" 7bit "])
def test_encoding_that_changes_nothing_is_taken(encoding: bytes) -> None:
    pieces = form().feed(body(b"Content-Transfer-Encoding: " + encoding + b"\r\n" + file_part()))
    assert b"".join(pieces) == b"\0hello"


def test_field_that_the_query_has_said_is_not_taken_again() -> None:
    with pytest.raises(MalformedUpload, match="'task' is given twice"):
        Form(CONTENT_TYPE, {"task": "probe"}).feed(WHOLE)
    read = Form(CONTENT_TYPE, {"task": "probe"})
    read.feed(body(file_part(), field_part("options", "{}")))
    assert read.fields == {"task": "probe", "options": "{}"}


@pytest.mark.parametrize("boundary", ["", "x" * 71])
def test_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(MalformedUpload, match=f"the boundary has {len(boundary)} characters; 1 to 70 are expected"):
        form(f"multipart/form-data; boundary={boundary}")


@given(st.permutations(PARTS), st.lists(st.integers(0, len(WHOLE)), max_size=40))
async def test_order_of_parts_and_cuts_between_chunks_change_nothing(parts: list[bytes], places: list[int]) -> None:
    into = writer()
    order = await read(cut(body(*parts), places), into=into)
    assert (order.task.name, order.options["seconds"]) == ("probe", 1.0)
    assert (order.name, order.media_type) == ('ä".mp3', "audio/mpeg")
    assert into.size_bytes == len(b"\0\r\n--X\r-\n--" * 20)


async def understood(chunks: list[bytes]) -> Order | None:
    """The order, or None where it is refused. Any other exception is what the fuzz looks for."""
    into, began = writer(), time.thread_time()
    try:
        return await read(chunks, into=into)
    except RequestRefused:
        return None
    finally:
        assert into.size_bytes <= LIMIT_BYTES
        assert time.thread_time() - began < SOON_S


@given(st.lists(st.binary(max_size=200), max_size=10))
async def test_any_bytes_are_understood_or_refused(chunks: list[bytes]) -> None:
    await understood(chunks)


@settings(max_examples=300)
@given(st.data())
async def test_spoilt_body_is_understood_or_refused(data: st.DataObject) -> None:
    spoilt = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(spoilt)))
        end = start + data.draw(st.integers(0, 12))
        instead = st.one_of(
            st.binary(max_size=8), st.sampled_from([b"\r\n", b"\n", b"--X", b"--X--", b'"', b"\\", b";"])
        )
        spoilt[start:end] = data.draw(instead)
    whole = await understood([bytes(spoilt)])
    places = data.draw(st.lists(st.integers(0, len(spoilt)), max_size=10))
    assert await understood(cut(bytes(spoilt), places)) == whole


PIECES = [
    b"--X\r\n",
    b"--X--\r\n",
    b"\r\n",
    b"\r\n--X",
    b"Content-Disposition: form-data; ",
    b'name="file"',
    b"task",
    b":",
]


@given(st.lists(st.sampled_from([*PIECES, *PARTS]), max_size=30))
async def test_pieces_of_a_form_in_any_order_are_understood_or_refused(pieces: list[bytes]) -> None:
    joined = b"".join(pieces)
    assert await understood(pieces) == await understood([joined])
