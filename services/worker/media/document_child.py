"""Write the text of a PDF or DOCX to a file. Run by `confine.py` under limits, never imported by the worker.

Writes TARGET (UTF-8, lines end with LF, a form feed between the pages of a PDF) and reports `chars`, `pages` (null for
a DOCX), the numbers of the first `bad_pages` (not read) and `textless_pages` (which show something and have no text),
and how many of each there are; or refuses with `unreadable`, `encrypted`, `no-text`, `not-docx`, `doctype`,
`long-token`, `too-many-pages`, `too-many-bytes` or `too-long`. Of a DOCX it reads the relations of the package and the
main text; nothing is unpacked to disk, and no name in the archive becomes a path.
"""

from __future__ import annotations

import struct
import zipfile
from contextlib import closing
from itertools import islice
from typing import Any, BinaryIO
from xml.parsers import expat

from services.worker.media.confine import Refused, reading

LISTED_PAGES = 20  # the count says how many more
LOOKED_AT = 100  # objects of a page without text: it may hold millions, and an empty one has no more than a few
PLAIN = (1, 5)  # FPDF_PAGEOBJ_TEXT and _FORM, whose own objects come after it; others are drawn

# The central directory is read at once, 46 bytes and a name for each file; python-docx writes 15 of them.
DIRECTORY_BYTES = 1024 * 1024
RELATIONS_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that DOCX has; others unpack without a bound in memory
ENCRYPTED = 0x1
TOKEN_BYTES = 1024 * 1024  # of a tag or comment: before Expat 2.6 a longer one is scanned anew with each chunk
DEPTH = 512  # of nested elements; a table within a table takes four

RELATIONS = "_rels/.rels"
MAIN_PART = ("http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument",
             "http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument")  # fmt: skip
WORDS = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main ",
    "http://purl.oclc.org/ooxml/wordprocessingml/main ",
    "http://schemas.openxmlformats.org/officeDocument/2006/math ",  # equations: runs and texts are r and t as well
    "http://purl.oclc.org/ooxml/officeDocument/math ",
)
FALLBACK = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"

SKIPPED = ("del", "moveFrom", FALLBACK)  # deleted; moved away; and what is there a second time, for old programs
BREAKS = {"tab": "\t", "br": "\n", "cr": "\n"}
# Between the parts of an equation, for 10^3 is not 103. What is drawn around them, such as brackets, is no text.
SIGNS = {"den": "/", "sup": "^", "sub": "_", "e": " "}
LONGEST_GAP = 64  # a row of more empty cells is no table that anyone reads

# PDFium writes U+FFFE for a hyphen at a line's end, and joins the lines. Control characters are a broken font's; a form
# feed is ours alone.
UNWANTED = dict.fromkeys([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0xFFFE, 0xFFFF])
BETWEEN_PAGES = "\n\f"


class TextFile:
    """The text as it is written; ends the reading beyond the longest text."""

    def __init__(self, target: str, max_chars: int) -> None:
        self._file = open(target, "w", encoding="utf-8", errors="replace", newline="")  # noqa: PTH123, SIM115
        self._limit = max_chars
        self.chars = 0
        self.is_blank = True

    def write(self, text: str) -> None:
        self.chars += len(text)
        if self.chars > self._limit:
            raise Refused("too-long", chars=self.chars)
        self.is_blank = self.is_blank and not text.strip()
        self._file.write(text)

    def close(self) -> None:
        self._file.close()


def report(
    kind: str, source: str, target: str, max_chars: str, max_pages: str, max_unpacked_bytes: str
) -> dict[str, Any]:
    """Read the whole document; `kind` is `pdf` or `docx`."""
    with closing(TextFile(target, int(max_chars))) as text:
        if kind == "pdf":
            pages, bad_pages, textless_pages = read_pdf(source, text, int(max_pages))
        else:
            pages, bad_pages, textless_pages = None, list[int](), list[int]()
            with reading(), open(source, "rb") as file:  # noqa: PTH123 - pathlib would be one more import
                read_docx(file, text, int(max_unpacked_bytes))
        if text.is_blank:
            raise Refused("no-text", pages=pages, bad_pages=len(bad_pages))
    return {
        "chars": text.chars,
        "pages": pages,
        "bad_pages": bad_pages[:LISTED_PAGES],
        "bad_page_count": len(bad_pages),
        "textless_pages": textless_pages[:LISTED_PAGES],
        "textless_page_count": len(textless_pages),
    }


def read_pdf(source: str, text: TextFile, max_pages: int) -> tuple[int, list[int], list[int]]:
    """Write the text of each page, a form feed between any two; how many there are, the bad ones, the textless ones."""
    import pypdfium2 as pdfium  # only for a PDF: it takes 0.05 s

    with reading():
        try:
            document = pdfium.PdfDocument(source)
        except pdfium.PdfiumError as error:
            locked = error.err_code == pdfium.raw.FPDF_ERR_PASSWORD
            raise Refused("encrypted" if locked else "unreadable") from error
        pages = len(document)
    if pages > max_pages:
        raise Refused("too-many-pages", pages=pages)
    if not pages:
        raise Refused("unreadable")
    bad_pages, textless_pages = [], []
    for number in range(pages):
        if number:
            text.write(BETWEEN_PAGES)
        try:
            if (found := page_text(document, number)) is None:
                textless_pages.append(number + 1)
            else:
                text.write(found)
        except pdfium.PdfiumError:
            bad_pages.append(number + 1)
    return pages, bad_pages, textless_pages


def page_text(document: Any, number: int) -> str | None:
    """The text of one page, in lines; None if it shows something and has none. Raises PdfiumError.

    Everything PDFium holds for the page is given back.
    """
    with closing(document[number]) as page:
        with closing(page.get_textpage()) as layer:
            found: str = layer.get_text_range()
        lines = found.replace("\r\n", "\n").replace("\r", "\n").translate(UNWANTED).split("\n")
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
        # Characters that are all unwanted are shown as well: their font does not say which they are.
        return None if not text and (found.strip() or is_drawn_on(page)) else text


def is_drawn_on(page: Any) -> bool:
    """Whether the page holds an image, a line or the like, or more objects than an empty one."""
    # Without the filter that `get_objects` takes: it would go through all. They are the page's and need no closing.
    kinds = [thing.type for thing in islice(page.get_objects(), LOOKED_AT)]
    return len(kinds) == LOOKED_AT or any(kind not in PLAIN for kind in kinds)


def read_docx(file: BinaryIO, text: TextFile, max_unpacked_bytes: int) -> None:
    """Write the paragraphs and tables of the main text in their order."""
    check_directory(file)
    with zipfile.ZipFile(file) as archive:
        unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
        if unpacked_bytes > max_unpacked_bytes:
            raise Refused("too-many-bytes", unpacked_bytes=unpacked_bytes)
        relations = Relations()
        entry = found(archive, RELATIONS)
        if entry.file_size > RELATIONS_BYTES:
            raise Refused("not-docx")
        parse(archive, entry, relations)
        parse(archive, found(archive, relations.main_part), Body(text))


def check_directory(file: BinaryIO) -> None:
    """Raises Refused for an archive whose directory alone would fill the memory, before `zipfile` reads it."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))  # the end record with the longest comment
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise Refused("unreadable")
    (directory_bytes,) = struct.unpack_from("<L", tail, at + 12)
    # ZIP64's own end record would say another size; only archives over 4 GB need one.
    if directory_bytes > DIRECTORY_BYTES or tail[max(0, at - 20) : at].startswith(b"PK\6\7"):
        raise Refused("not-docx")


def found(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The one file of that name, as OPC compares names. Raises Refused if there are none or several."""
    entries = [entry for entry in archive.infolist() if entry.filename.lower() == name.lower()]
    if len(entries) != 1:
        raise Refused("not-docx")
    if entries[0].flag_bits & ENCRYPTED:
        raise Refused("encrypted")
    if entries[0].compress_type not in METHODS:
        raise Refused("not-docx")
    return entries[0]


class Elements:
    """Where in the XML the parser is. Names are `namespace name`, those of text and equations just the name."""

    def __init__(self) -> None:
        self.path: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.path) == DEPTH:
            raise Refused("unreadable", "too deep")
        for words in WORDS:
            name = name.removeprefix(words)
        self.path.append(name)
        self.started(name, attributes)

    def end(self, name: str) -> None:
        self.ended(self.path.pop())

    def started(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def ended(self, name: str) -> None:
        """An element has ended."""

    def data(self, text: str) -> None:
        """Characters within the element."""


class Relations(Elements):
    """Finds the main part of the package."""

    main_part = ""

    def started(self, name: str, attributes: dict[str, str]) -> None:
        if attributes.get("Type") in MAIN_PART:
            self.main_part = attributes.get("Target", "").removeprefix("/")


class Body(Elements):
    """Writes paragraphs as lines, and rows of tables as lines with a tab between cells."""

    def __init__(self, text: TextFile) -> None:
        super().__init__()
        self._text = text
        self._gap = self._sign = ""
        self._skipped = self._cells = 0

    def started(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.path) == 1 and name != "document":
            raise Refused("not-docx")
        self._skipped += name in SKIPPED
        self._cells += name == "tc"
        self._sign = SIGNS.get(name, self._sign)
        if self._skipped or len(self.path) == 1 or self.path[-2] != "r":
            return  # the stops of a tabulator, in a paragraph's properties, are called `tab` as well
        if name in BREAKS:
            self._widen(BREAKS[name])
        elif name == "noBreakHyphen":
            self._write("-")

    def ended(self, name: str) -> None:
        self._skipped -= name in SKIPPED
        self._cells -= name == "tc"
        self._sign = "" if name in SIGNS else self._sign
        if name == "tc":
            self._gap = self._gap.rstrip(" ")
            self._widen("\t")
        elif name == "tr":
            self._gap = self._gap.rstrip("\t ")
            self._widen("\n")
        elif name == "p":
            self._widen(" " if self._cells else "\n")

    def data(self, text: str) -> None:
        if self.path[-1] == "t" and not self._skipped:
            self._write(self._sign + text)
            self._sign = ""

    def _widen(self, by: str) -> None:
        """What stands between the last text and the next. A thousand empty paragraphs say no more than one."""
        if len(self._gap) < LONGEST_GAP and not self._gap.endswith("\n\n"):
            self._gap += by

    def _write(self, text: str) -> None:
        if self._gap and not self._text.is_blank:
            self._text.write(self._gap)
        self._gap = ""
        self._text.write(text)


def parse(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, elements: Elements) -> None:
    """Parse as it is unpacked. An entity can only come from a document type, and that is refused at its first word."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler, parser.EndElementHandler = elements.start, elements.end
    parser.CharacterDataHandler = elements.data
    # `zipfile` gives no byte more than the directory promises, and fails at the end if there were more.
    fed_bytes = 0
    with archive.open(entry) as unpacked:
        while chunk := unpacked.read(CHUNK_BYTES):
            parser.Parse(chunk, False)
            fed_bytes += len(chunk)
            if (token_bytes := fed_bytes - parser.CurrentByteIndex) > TOKEN_BYTES:
                raise Refused("long-token", token_bytes=token_bytes, limit_bytes=TOKEN_BYTES)
        parser.Parse(b"", True)


def refuse_doctype(*declared: Any) -> None:
    raise Refused("doctype")
