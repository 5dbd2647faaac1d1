"""Read the text of a client's document. PDF and DOCX are opened in a confined child, never by the worker itself."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from claimcheck.errors import (
    DocumentReaderCrashed,
    DocumentTooLarge,
    DocumentUnreadable,
    JobFailure,
    ScratchFull,
    TextTooLong,
)
from claimcheck.settings import DocumentSettings
from services.worker.media.confined import Confinement, Refusal
from services.worker.media.plain_text import MAX_CHAR_BYTES, check_text_bytes, copy_text

log = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("document_child.py")
FILE_SLACK_BYTES = 1024 * 1024

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

Kind = Literal["pdf", "docx", "text"]
HEAD_BYTES = 1024  # within which a PDF begins
OLE = bytes.fromhex("D0CF11E0A1B11AE1")  # Word before 2007, and every DOCX with a password

Count = Annotated[int, Field(ge=0)]


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid")

    chars: Count
    pages: Count | None
    bad_pages: list[int]
    bad_page_count: Count
    textless_pages: list[int]
    textless_page_count: Count


class ReadingWarning(NamedTuple):
    """What the client should know of a document that could be read only in part."""

    slug: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class ReadText:
    """The text of a document."""

    path: Path
    """UTF-8, lines end with LF; the pages of a PDF have a form feed between them."""
    chars: int
    pages: int | None
    """Pages of a PDF; None of anything else."""
    warnings: tuple[ReadingWarning, ...] = ()


def check_document_bytes(size_bytes: int, *, media_type: str, limits: DocumentSettings, max_chars: int) -> None:
    """Before anything is fetched. Raises DocumentTooLarge, TextTooLong."""
    kind = _plain(media_type)
    if kind.startswith("text/"):
        check_text_bytes(size_bytes, max_chars)
    # What is untyped may turn out to be a text, and that may be larger than a document.
    elif kind in (PDF, DOCX) or size_bytes > max_chars * MAX_CHAR_BYTES:
        _check_bytes(size_bytes, limits)


async def read_text(
    source: Path, folder: Path, *, media_type: str, limits: DocumentSettings, max_chars: int
) -> ReadText:
    """Write the text of `source` into `folder`: of a PDF, a DOCX or a plain text, told apart by content.

    The child is dead when this returns, however it returns.
    Raises DocumentUnreadable, DocumentTooLarge, TextUnreadable, TextTooLong, DocumentReaderCrashed, ScratchFull.
    """
    target = folder / "read-text"
    kind = _kind(source, media_type)
    if kind == "text":
        return await _read_plain(source, target, max_chars)
    _check_bytes(_size_bytes(source), limits)
    child = Confinement(
        script=CHILD,
        reader="the document reader",
        crashed=DocumentReaderCrashed,
        memory_bytes=limits.memory_bytes,
        cpu_s=limits.cpu_s,
        wall_s=limits.wall_s,
        file_bytes=max_chars * MAX_CHAR_BYTES + FILE_SLACK_BYTES,
    )
    bounds = (max_chars, limits.max_pages, limits.max_unpacked_bytes)
    try:
        report = await child.run(kind, source, target, *bounds, folder=folder, into=_Report)
    except Refusal as refusal:
        raise _refused(refusal, kind, limits, max_chars) from refusal
    read = ReadText(path=target, chars=report.chars, pages=report.pages, warnings=tuple(_warnings(report)))
    counts = {"bad_pages": report.bad_page_count, "textless_pages": report.textless_page_count}
    log.info("document.read", extra={"chars": read.chars, "pages": read.pages, **counts})
    return read


def _kind(source: Path, media_type: str) -> Kind:
    """What the file is by its first bytes; the claim counts where they leave it open. Raises DocumentUnreadable."""
    claimed = _plain(media_type)
    with source.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(OLE):
        raise DocumentUnreadable(
            "the file is a Word document of before 2007, or has a password; a DOCX without one can be read"
        )
    if head.startswith(b"PK\3\4"):
        return "docx"
    if head.startswith(b"%PDF-") or claimed == PDF:
        return "pdf"
    return "docx" if claimed == DOCX else "text"


def _plain(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


async def _read_plain(source: Path, target: Path, max_chars: int) -> ReadText:
    check_text_bytes(_size_bytes(source), max_chars)
    try:
        chars = await asyncio.to_thread(copy_text, source, target, max_chars)
    except OSError as cause:
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ScratchFull(f"the scratch disk is full: {cause.strerror}") from cause
        raise
    log.info("document.read", extra={"chars": chars})
    return ReadText(path=target, chars=chars, pages=None)


def _size_bytes(source: Path) -> int:
    return source.stat().st_size


def _check_bytes(size_bytes: int, limits: DocumentSettings) -> None:
    if size_bytes > limits.max_document_bytes:
        raise DocumentTooLarge(f"the document is {size_bytes:,} bytes; the limit is {limits.max_document_bytes:,}")


def _warnings(report: _Report) -> Iterator[ReadingWarning]:
    for number in report.bad_pages:
        yield ReadingWarning("page-unreadable", f"page {number:,} of {report.pages:,} could not be read")
    if more := report.bad_page_count - len(report.bad_pages):
        yield ReadingWarning("page-unreadable", f"{more:,} further pages could not be read")
    if count := report.textless_page_count:
        listed = ", ".join(map(str, report.textless_pages))
        more = count - len(report.textless_pages)
        detail = f"no text layer on {count:,} of {report.pages:,} pages, which may be scans: {listed}"
        yield ReadingWarning("page-without-text", f"{detail} and {more:,} more" if more else detail)


def _refused(refusal: Refusal, kind: Kind, limits: DocumentSettings, max_chars: int) -> JobFailure:
    """The error that the child's word stands for."""
    name = kind.upper()
    match refusal.word:
        case "unreadable":
            return DocumentUnreadable(f"the {name} is damaged, or is none")
        case "not-docx":
            return DocumentUnreadable("the file is a ZIP archive, and no DOCX")
        case "encrypted":
            return DocumentUnreadable(f"the {name} is encrypted; one without a password can be read")
        case "doctype":
            return DocumentUnreadable("the DOCX declares a document type or entities, which none needs")
        case "no-text":
            return DocumentUnreadable(_without_text(refusal))
        case "too-many-pages":
            pages = int(refusal.numbers.get("pages", 0))
            return DocumentTooLarge(f"the PDF has {pages:,} pages; the limit is {limits.max_pages:,}")
        case "too-many-bytes":
            unpacked = int(refusal.numbers.get("unpacked_bytes", 0))
            limit = limits.max_unpacked_bytes
            return DocumentTooLarge(f"the DOCX is {unpacked:,} bytes once it is unpacked; the limit is {limit:,}")
        case "long-token":
            token, limit = (int(refusal.numbers.get(name, 0)) for name in ("token_bytes", "limit_bytes"))
            return DocumentTooLarge(f"a tag of the DOCX has at least {token:,} bytes; the limit is {limit:,}")
        case "too-long":
            chars = int(refusal.numbers.get("chars", 0))
            return TextTooLong(f"the text of the {name} has at least {chars:,} characters; the limit is {max_chars:,}")
        case _:
            return DocumentReaderCrashed("the document reader reported what it may not")


def _without_text(refusal: Refusal) -> str:
    if "pages" not in refusal.numbers:
        return "the DOCX holds no text"
    pages, bad = int(refusal.numbers["pages"]), int(refusal.numbers.get("bad_pages", 0))
    if bad == pages:
        return f"none of the PDF's pages ({pages:,}) can be read"
    return f"none of the PDF's pages ({pages:,}) has a text layer; it holds images of text, perhaps, as scans do"
