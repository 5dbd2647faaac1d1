"""services/process_api/content.py: every recording passes, and what surely is none does not."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import sys
import time
import zipfile
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.errors import UnsupportedMedia
from claimcheck.tasks import find_task
from claimcheck.tasks.summarize import DOCX
from services.process_api.content import HEAD_BYTES, look, media_type_of
from tests.stack.components import missing, sample
from tests.unit.process_api.recordings import FORMATS, Format, recording

UNTYPED = "application/octet-stream"
NO_RECORDINGS = {"notes.txt", "text.mp3", "image.png"}


def judged(content: bytes, *, claim: str = "", name: str = "") -> str:
    """The type that counts for this file."""
    whole = len(content) <= HEAD_BYTES
    return media_type_of(content[:HEAD_BYTES], whole=whole, claim=claim, name=name)[0]


def is_taken(content: bytes, **known: str) -> bool:
    """Whether `transcribe` takes this file."""
    try:
        find_task("transcribe").check_media_type(judged(content, **known), known_by="its content")
    except UnsupportedMedia:
        return False
    return True


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.container}-{form.sound}{''.join(form.options)}")
@pytest.mark.parametrize("claim", ["", UNTYPED, "audio/mpeg", "video/x-unheard-of"])
def test_recording_is_taken_whatever_its_container(form: Format, claim: str) -> None:
    try:
        content = recording(form)
    except (av.codec.codec.UnknownCodecError, av.error.ArgumentError) as error:
        missing(f"FFmpeg cannot write {form}: {error}")
    assert is_taken(content, claim=claim, name=f"a.{form.extension}")
    assert is_taken(content, claim=claim, name="a")


def test_every_sample_of_speech_is_taken() -> None:
    recordings = [p for p in sample(".").rglob("*") if p.is_file() and p.suffix not in (".txt", ".json")]
    assert len(recordings) > 10
    for path in recordings:
        content = path.read_bytes()
        if content and path.name not in NO_RECORDINGS:
            assert is_taken(content, name="a"), path


def zipped(name: str) -> bytes:
    """An archive with one file."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(name, "<xml/>")
    return written.getvalue()


OTHERS = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/jpeg": bytes.fromhex("ffd8ffe000104a46494600"),
    "image/gif": b"GIF89a\1\0\1\0",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/tiff": b"II*\0\x08\0\0\0",
    "image/avif": b"\0\0\0\x1cftypavif\0\0\0\0",
    "image/heif": b"\0\0\0\x18ftypheic\0\0\0\0",
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "application/zip": zipped("a.txt"),
    "application/x-gzip": gzip.compress(b"hello"),
    "application/x-xz": lzma.compress(b"hello"),
    "application/x-7z-compressed": b"7z\xbc\xaf\x27\x1c\0\4",
    "application/vnd.rar": b"Rar!\x1a\7\1\0",
    "application/zstd": bytes.fromhex("28b52ffd2400") + b"\0" * 9,
    "application/x-sqlite3": b"SQLite format 3\0\x10\0",
    "application/msword": bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 16,
    "application/vnd.microsoft.portable-executable": b"MZ\x90\0\3\0\0\0\4",
}
TEXTS = {
    "html": "<!DOCTYPE html><title>Hello</title>",
    "json": '{"text": "hello"}',
    "srt": "1\n00:00:00,000 --> 00:00:01,000\nGrüße, 面接 🎙\n",
    "subtitles with a mark and DOS lines": "\ufeff1\r\n00:00:00,000 --> 00:00:01,000\r\nHello\r\n",
    "words that look like signatures": "ID3 tags, RIFF, OggS, fLaC and free ftyp",
    "a bitmap's first letters": "BMW builds cars.",
}


@pytest.mark.parametrize("media_type", OTHERS)
@pytest.mark.parametrize("claim", ["", UNTYPED, "audio/mpeg"])
def test_file_that_surely_is_no_recording_is_not_taken(media_type: str, claim: str) -> None:
    content = OTHERS[media_type]
    assert judged(content, claim=claim, name="a.mp3") == media_type
    assert not is_taken(content, claim=claim, name="a.mp3")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("claim", ["", UNTYPED, "audio/mpeg"])
def test_text_is_not_taken_for_a_recording(text: str, claim: str) -> None:
    assert judged(text.encode(), claim=claim, name="a.mp3") == "text/plain"
    assert not is_taken(text.encode(), claim=claim, name="a.mp3")


def test_program_is_not_taken() -> None:
    content = Path(sys.executable).read_bytes()[: 2 * HEAD_BYTES]
    assert judged(content, claim="audio/mpeg") == "application/x-executable"


@pytest.mark.parametrize(
    ("content", "claim", "name", "counts"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "", "", "audio/wave"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/x-wav", "", "audio/x-wav"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/mpeg", "", "audio/wave"),
        (b"\0\0\0\x1cftypisom\0", "audio/mp4", "", "audio/mp4"),
        (b"\0\0\0\x1cftypisom\0", "", "a.m4a", "audio/mp4"),
        (b"\0\0\0\x1cftypisom\0", "audio/mpeg", "a.m4a", "video/mp4"),
        (b"OggS\0\2" + b"\0" * 8, "audio/opus", "", "audio/opus"),
        (b"OggS\0\2" + b"\0" * 8, UNTYPED, "a.MP3", "application/ogg"),
        (
            zipped("word/document.xml"),
            "application/vnd.oasis.opendocument.text",
            "",
            "application/vnd.oasis.opendocument.text",
        ),
        (b"%PDF-1.4\n", "text/plain", "", "application/pdf"),
        (b"hello", "text/html", "", "text/html"),
        (b"hello", "application/problem+json", "", "application/problem+json"),
        (b"hello", "image/svg+xml", "", "image/svg+xml"),
        (b"hello", "image/png", "", "text/plain"),
        (b"hello", "application/pdf", "", "text/plain"),
        (b"\0\1\2", "", "", UNTYPED),
        (b"\0\1\2", UNTYPED, "a.mp3", "audio/mpeg"),
        (b"\0\1\2", "", "a.png", "image/png"),
        (b"\0\1\2", UNTYPED, "a.PDF", "application/pdf"),
        (b"\0\1\2", "", "a.xyz", UNTYPED),
        ("Grüße".encode("latin-1"), "", "a.txt", "text/plain"),
        (b"# Hello", UNTYPED, "a.md", "text/markdown"),
        (b"a;b", "application/vnd.ms-excel", "a.csv", "text/plain"),
        (b"a;b", "", "a.csv", "text/csv"),
        (b"hello", "", "a.pdf", "text/plain"),
        (b"hello", "", "a.docx", "text/plain"),
        (b"GIF89a\1\0\1\0", UNTYPED, "a.pdf", "image/gif"),
        (b"%PDF-1.4\n", UNTYPED, "a.docx", "application/pdf"),
        (zipped("word/document.xml"), "", "", "application/zip"),
        (zipped("word/document.xml"), "", "a.zip", "application/zip"),
        (zipped("word/document.xml"), "", "a.docx", DOCX),
        (zipped("word/document.xml"), UNTYPED, "Paper.DOCX", DOCX),
        (zipped("word/document.xml"), "application/x-zip-compressed", "a.docx", DOCX),
        (zipped("word/document.xml"), DOCX, "", DOCX),
        (b"\0\1\2", "image/png", "a.mp3", "image/png"),
        (b"\xff" * 400, "audio/mpeg", "", "audio/mpeg"),
        (b"\0\0\1\0ftypwhat\0", "video/mp4", "", "video/mp4"),
    ],
)
def test_content_counts_more_than_claim_and_claim_more_than_name(
    content: bytes, claim: str, name: str, counts: str
) -> None:
    assert judged(content, claim=claim, name=name) == counts


def test_character_may_be_cut_by_the_end_of_what_is_looked_at_but_not_by_that_of_the_file() -> None:
    cut = ("é" * HEAD_BYTES).encode()[: HEAD_BYTES - 1]
    assert judged(cut + b"\xa9" * 2) == "text/plain"
    assert look(cut, whole=True) is None


@given(st.binary(max_size=300), st.text(max_size=20), st.text(max_size=20))
def test_any_content_gets_a_type(content: bytes, claim: str, name: str) -> None:
    assert judged(content, claim=claim, name=name)


def test_look_at_a_file_costs_the_event_loop_little() -> None:
    """Each upload pays it once. The best of many: what else runs on the machine is no cost of ours."""
    heads = [
        random.Random(1).randbytes(HEAD_BYTES),
        zipped("a") * 40,
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(HEAD_BYTES - 16),
    ]
    best_s = {n: min(_seconds(head) for _ in range(20)) for n, head in enumerate(heads)}
    assert max(best_s.values()) < 0.005


def _seconds(head: bytes) -> float:
    started = time.perf_counter()
    look(head, whole=False)
    return time.perf_counter() - started
