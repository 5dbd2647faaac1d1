"""Plain text: which encodings are read, and what is refused with the byte that is wrong."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from claimcheck.errors import TextTooLong, TextUnreadable
from claimcheck.settings import DocumentSettings
from services.worker.media import plain_text
from services.worker.media.documents import ReadText, read_text
from tests.services.documents import papers

TEXT = "Grüße, 世界 😀\n"


async def run(data: bytes, folder: Path, *, max_chars: int = 1_000_000) -> ReadText:
    source = folder / "upload"
    source.write_bytes(data)
    return await read_text(source, folder, media_type="text/plain", limits=DocumentSettings(), max_chars=max_chars)


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
    ids=["UTF-8", "UTF-8 with a mark", "UTF-16 LE", "UTF-16 BE"],
)
async def test_text_in_unicode_is_read(data: bytes, tmp_path: Path) -> None:
    read = await run(data, tmp_path)
    assert read.path.read_bytes() == TEXT.encode()
    assert read.chars == len(TEXT)
    assert (read.pages, read.warnings) == (None, ())
    assert plain_text.text_of(data) == TEXT


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_nothing_depends_on_where_blocks_end(
    block_bytes: int, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK_BYTES", block_bytes)
    read = await run(("a\r\nb\rc\n😀\r\r\nd\r").encode(encoding), tmp_path)
    assert read.path.read_bytes().decode() == "a\nb\nc\n😀\n\nd\n"
    assert read.chars == 11


@pytest.mark.parametrize("block_bytes", [1, 7, 65536])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"good\xffbad", "byte 4 is no UTF-8"),
        ("naïve".encode("latin-1"), "byte 2 is no UTF-8"),
        (b"cut off \xf0\x9f\x98", "byte 8 is no UTF-8"),
        (codecs.BOM_UTF8 + b"ab\xe2\x82x", "byte 5 is no UTF-8"),
        (codecs.BOM_UTF16_LE + "ab".encode("utf-16-le") + b"\x00\xdc", "byte 6 is no UTF-16-LE"),
        (codecs.BOM_UTF16_BE + b"\x00a\x00", "byte 4 is no UTF-16-BE"),
        ("ü nul \0".encode(), "byte 7 is a NUL character"),
        (codecs.BOM_UTF16_LE + "üx\0".encode("utf-16-le"), "byte 6 is a NUL character"),
        ("UTF-32".encode("utf-32-be"), "byte 0 is a NUL character"),
        (b" \r\n\t", "none of them can be seen"),
        (b"", "the text has 0 characters"),
    ],
)
async def test_what_is_no_text_is_refused_with_the_byte_that_is_wrong(
    data: bytes, reason: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK_BYTES", block_bytes)
    with pytest.raises(TextUnreadable, match=reason):
        await run(data, tmp_path)
    # A short text, such as a prompt, is read by the same rules.
    with pytest.raises(TextUnreadable, match=reason):
        plain_text.text_of(data)


async def test_a_wrong_byte_far_into_the_text_is_found(tmp_path: Path) -> None:
    with pytest.raises(TextUnreadable, match="byte 300,001 is no UTF-8"):
        await run(b"a" + "ü".encode() * 150_000 + b"\xff" + b"b" * 1000, tmp_path)


async def test_the_longest_text_is_inclusive(tmp_path: Path) -> None:
    assert (await run("12\r\n😀".encode(), tmp_path, max_chars=4)).chars == 4
    with pytest.raises(TextTooLong, match="the text has at least 4 characters; the limit is 3"):
        await run("12\r\n😀".encode(), tmp_path, max_chars=3)


async def test_fifty_megabytes_of_one_line_are_refused_with_the_limit(tmp_path: Path) -> None:
    source = papers.one_line(tmp_path / "upload", 50_000_000)
    limits = DocumentSettings()
    with pytest.raises(TextTooLong, match="the text is 50,000,000 bytes; the limit is 4,000,000 characters"):
        await read_text(source, tmp_path, media_type="text/plain", limits=limits, max_chars=4_000_000)
    with pytest.raises(TextTooLong, match=r"at least 20,0\d\d,\d{3} characters; the limit is 20,000,000"):
        await read_text(source, tmp_path, media_type="text/plain", limits=limits, max_chars=20_000_000)
