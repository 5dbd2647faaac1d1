"""PDF and DOCX: their text, and which of them are refused."""

from __future__ import annotations

import io
import random
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest

from claimcheck.errors import DocumentTooLarge, DocumentUnreadable, TextTooLong
from claimcheck.settings import DocumentSettings
from services.worker.media.documents import DOCX, PDF, ReadingWarning, ReadText, check_document_bytes, read_text
from tests.services.documents import papers
from tests.services.documents.papers import document, package, paragraph, pdf, table

LIMITS = DocumentSettings()
UNTYPED = "application/octet-stream"


async def run(
    data: bytes,
    folder: Path,
    *,
    media_type: str = UNTYPED,
    limits: DocumentSettings = LIMITS,
    max_chars: int = 1_000_000,
) -> ReadText:
    source = folder / "upload"
    source.write_bytes(data)
    return await read_text(source, folder, media_type=media_type, limits=limits, max_chars=max_chars)


async def text_of(data: bytes, folder: Path) -> str:
    read = await run(data, folder)
    text = read.path.read_bytes().decode()
    assert len(text) == read.chars
    return text


async def test_the_pages_of_a_pdf_are_read_in_order(tmp_path: Path) -> None:
    assert await text_of(pdf([["One line", "and another"], ["Page two"]]), tmp_path) == (
        "One line\nand another\n\fPage two"
    )
    assert (await run(pdf([["a"], ["b"]]), tmp_path)).pages == 2


async def test_a_form_feed_ends_each_page_of_a_pdf_but_the_last_and_nothing_else(tmp_path: Path) -> None:
    text = await text_of(pdf([[], ["a\fb"], [], ["c"], []], missing=[3]), tmp_path)
    assert [page.strip("\n") for page in text.split("\f")] == ["", "ab", "", "c", ""]


async def test_a_word_that_a_line_of_a_pdf_breaks_is_one_word(tmp_path: Path) -> None:
    assert await text_of(pdf([["An exam-", "ple of it"]]), tmp_path) == "An example of it"


async def test_a_page_that_cannot_be_read_costs_that_page(tmp_path: Path) -> None:
    read = await run(pdf([["one"], ["two"], ["three"]], missing=[2]), tmp_path)
    assert read.path.read_text() == "one\n\f\n\fthree"
    assert read.pages == 3
    assert read.warnings == (ReadingWarning("page-unreadable", "page 2 of 3 could not be read"),)


async def test_many_pages_that_cannot_be_read_are_not_all_listed(tmp_path: Path) -> None:
    read = await run(pdf([["x"]] * 100, missing=range(2, 72)), tmp_path)
    assert len(read.warnings) == 21
    assert read.warnings[-1].detail == "50 further pages could not be read"


@pytest.mark.parametrize("drawn", [papers.IMAGE, papers.LINE, papers.FORM], ids=["image", "line", "form"])
async def test_a_page_that_shows_something_and_has_no_text_is_told(drawn: bytes, tmp_path: Path) -> None:
    made = pdf([["one"], [" "], ["three"]], drawn={2: drawn, 3: drawn}, form=papers.IMAGE)
    read = await run(made, tmp_path)
    assert read.path.read_text() == "one\n\f\n\fthree"
    assert read.warnings == (
        ReadingWarning("page-without-text", "no text layer on 1 of 3 pages, which may be scans: 2"),
    )


async def test_of_many_pages_without_text_the_first_are_named(tmp_path: Path) -> None:
    scanned = dict.fromkeys(range(2, 32), papers.IMAGE)
    read = await run(pdf([["cover"], *[[]] * 30], missing=[4], drawn=scanned), tmp_path)
    assert [warning.slug for warning in read.warnings] == ["page-unreadable", "page-without-text"]
    assert read.warnings[1].detail.startswith("no text layer on 29 of 31 pages, which may be scans: 2, 3, 5, 6, 7, ")
    assert read.warnings[1].detail.endswith(", 21, 22 and 9 more")


async def test_a_page_whose_characters_have_no_meaning_has_no_text(tmp_path: Path) -> None:
    read = await run(pdf([["one"], ["\1\2\3"]]), tmp_path)
    assert [warning.slug for warning in read.warnings] == ["page-without-text"]


async def test_an_empty_page_is_not_worth_a_warning(tmp_path: Path) -> None:
    made = pdf([["one"], [], [" "], [" ", " "], []], drawn={5: papers.FORM}, form=b"BT ( ) Tj ET")
    assert (await run(made, tmp_path)).warnings == ()


async def test_a_million_invisible_texts_on_a_page_are_not_all_looked_at(tmp_path: Path) -> None:
    blanks = b"BT /F1 12 Tf " + b"( ) Tj " * 1_000_000 + b"ET"
    read = await run(pdf([["one"], []], drawn={2: blanks}), tmp_path, limits=DocumentSettings(cpu_s=5))
    assert [warning.slug for warning in read.warnings] == ["page-without-text"]


async def test_a_pdf_without_a_text_layer_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match=r"none of the PDF's pages \(2\) has a text layer"):
        await run(pdf([[], [" "]]), tmp_path)


async def test_a_pdf_of_which_no_page_can_be_read_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match=r"none of the PDF's pages \(1\) can be read"):
        await run(pdf([["x"]], missing=[1]), tmp_path)


async def test_an_encrypted_pdf_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="the PDF is encrypted"):
        await run(papers.locked_pdf(), tmp_path)


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7\n", b"%PDF-1.4\n" + random.Random(3).randbytes(3000), pdf([]), pdf([["x"]])[:150]]
)
async def test_a_damaged_pdf_is_refused_for_good(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable):
        await run(data, tmp_path)


async def test_the_most_pages_are_inclusive(tmp_path: Path) -> None:
    whole = pdf([["x"]] * 3)
    assert (await run(whole, tmp_path, limits=DocumentSettings(max_pages=3))).pages == 3
    with pytest.raises(DocumentTooLarge, match=r"the PDF has 3 pages; the limit is 2$"):
        await run(whole, tmp_path, limits=DocumentSettings(max_pages=2))


async def test_ten_thousand_pages_are_refused_before_any_is_read(tmp_path: Path) -> None:
    with pytest.raises(DocumentTooLarge, match="the PDF has 10,000 pages; the limit is 2,000"):
        await run(pdf([["x"]] * 10_000), tmp_path, limits=DocumentSettings(cpu_s=1, wall_s=20))


async def test_the_longest_text_is_inclusive(tmp_path: Path) -> None:
    for whole in (pdf([["12345"], ["678"]]), papers.docx("12345", "", "678")):
        assert (await run(whole, tmp_path, max_chars=10)).chars == 10
        with pytest.raises(TextTooLong, match="has at least 10 characters; the limit is 9"):
            await run(whole, tmp_path, max_chars=9)


async def test_paragraphs_and_tables_of_a_docx_are_read_in_order(tmp_path: Path) -> None:
    body = paragraph("Bo", "ld &amp; plain") + table(["a", "b", ""], ["", "d", "e"]) + paragraph("after")
    assert await text_of(package(document(body)), tmp_path) == "Bold & plain\na\tb\n\td\te\nafter"


async def test_a_docx_that_a_word_processor_would_write_is_read(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_heading("Title")
    made.add_paragraph("First\tparagraph\nin two lines")
    grid = made.add_table(rows=1, cols=2)
    grid.cell(0, 0).text, grid.cell(0, 1).text = "left", "rïght"
    made.add_paragraph("Last")
    file = io.BytesIO()
    made.save(file)
    assert await text_of(file.getvalue(), tmp_path) == "Title\nFirst\tparagraph\nin two lines\nleft\trïght\nLast"


def equation(inside: str) -> str:
    """Paragraph `x`, equation, `y`; `[...]` is a run of the equation."""
    runs = inside.replace("[", "<m:r><m:t>").replace("]", "</m:t></m:r>")
    return f"<w:p><w:r><w:t>x </w:t></w:r><m:oMath>{runs}</m:oMath><w:r><w:t> y</w:t></w:r></w:p>"


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("[E=mc2]", "E=mc2"),
        ("<m:f><m:num>[1]</m:num><m:den>[2]</m:den></m:f>", "1/2"),
        ("<m:sSup><m:e>[10]</m:e><m:sup>[3]</m:sup></m:sSup>[+1]", "10^3+1"),
        ("<m:sSubSup><m:e>[a]</m:e><m:sub>[1]</m:sub><m:sup>[2]</m:sup></m:sSubSup>", "a_1^2"),
        ("[2]<m:d><m:e>[3+4]</m:e></m:d>", "2 3+4"),
        ("[a=b]<m:r><w:br/></m:r>[c=d]", "a=b\nc=d"),
        ("<m:nary><m:sub/><m:sup/><m:e>[f]</m:e></m:nary>[dx]", "fdx"),
    ],
)
@pytest.mark.parametrize("math", [papers.MATH, papers.STRICT_MATH])
async def test_an_equation_of_a_docx_is_read_in_its_place(inside: str, text: str, math: str, tmp_path: Path) -> None:
    found = await text_of(package(document(equation(inside), math=math)), tmp_path)
    assert found.replace("x  ", "x ") == f"x {text} y"


async def test_what_word_does_not_show_is_not_read(tmp_path: Path) -> None:
    run_of = "<w:r><w:t>{}</w:t></w:r>".format
    body = (
        "<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr>"
        + run_of("kept")
        + "<w:del><w:r><w:delText>deleted</w:delText></w:r><m:r><m:t>deleted=1</m:t></m:r></w:del>"
        + f"<w:moveFrom>{run_of('moved')}</w:moveFrom>"
        + "<w:r><w:instrText>HYPERLINK</w:instrText></w:r>"
        + f"<mc:AlternateContent><mc:Choice>{run_of(' new')}</mc:Choice>"
        + f"<mc:Fallback>{run_of(' old')}</mc:Fallback></mc:AlternateContent></w:p>"
    )
    assert await text_of(package(document(body)), tmp_path) == "kept new"


@pytest.mark.parametrize(
    "whole",
    [
        package(document(paragraph("text"), words=papers.STRICT_WORDS)),
        package(document(paragraph("text")), target="/word/document2.xml"),
        package(document(paragraph("text")), target="WORD/Document.xml"),
        package(document(paragraph("text")).encode("utf-16")),
        package(document(paragraph("text")), more=[("../../etc/passwd", b"x"), ("word/media/a.zip", papers.docx("y"))]),
    ],
    ids=["strict", "another name", "another case", "UTF-16", "strange names, and an archive inside"],
)
async def test_unusual_packages_are_read(whole: bytes, tmp_path: Path) -> None:
    assert await text_of(whole, tmp_path) == "text"


def _renamed(old: str, new: str) -> bytes:
    return papers.docx("text").replace(old.encode(), new.encode())


def _zipped(method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(papers.docx("text"))) as old, zipfile.ZipFile(made, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return made.getvalue()


NO_DOCX = {
    "an empty archive": b"PK\3\4",
    "an archive of something else": _renamed("_rels/.rels", "notes/a.txt"),
    "a main part that is not there": _renamed("word/document.xml", "word/documents.xm"),
    "two main parts": package(document(paragraph("a")), more=[("Word/document.xml", b"<a/>")]),
    "another kind of main part": package("<workbook/>"),
    "no XML": package(b"text"),
    "XML that breaks off": package(document(paragraph("text"))[:-9]),
    "an encoding nobody knows": package('<?xml version="1.0" encoding="EBCDIC-XX"?><a/>'),
    "half of it": papers.docx("text" * 1000)[:200],
    "a method without a bound": _zipped(zipfile.ZIP_BZIP2),
    "elements a thousand deep": package(document("<w:p>" * 1000 + "</w:p>" * 1000)),
    "a directory larger than any document's": package(
        document(""), more=[(f"{number}{'n' * 240}", b"") for number in range(4000)]
    ),
    "without text": papers.docx("", " "),
}


@pytest.mark.parametrize("kind", NO_DOCX)
async def test_what_is_no_docx_is_refused_for_good(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable):
        await run(NO_DOCX[kind], tmp_path)


async def test_a_docx_with_a_password_is_told_apart(tmp_path: Path) -> None:
    flagged = bytearray(papers.docx("text"))
    at = flagged.rfind(papers.MAIN.encode()) - 46
    flagged[at + 8] |= 1
    with pytest.raises(DocumentUnreadable, match="encrypted"):
        await run(bytes(flagged), tmp_path)
    with pytest.raises(DocumentUnreadable, match="password"):
        await run(bytes.fromhex("D0CF11E0A1B11AE1") + bytes(1000), tmp_path)


async def test_the_most_unpacked_bytes_are_inclusive(tmp_path: Path) -> None:
    whole = papers.docx("text")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    assert (await run(whole, tmp_path, limits=DocumentSettings(max_unpacked_bytes=size))).chars == 4
    with pytest.raises(DocumentTooLarge, match=f"the DOCX is {size:,} bytes once it is unpacked; the limit is"):
        await run(whole, tmp_path, limits=DocumentSettings(max_unpacked_bytes=size - 1))


async def test_a_zip_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    bomb = papers.lying_about(papers.zip_bomb(1_000_000), papers.MAIN, 300_000_000)
    with pytest.raises(DocumentTooLarge, match=r"300,000,\d+ bytes once it is unpacked; the limit is 209,715,200"):
        await run(bomb, tmp_path, max_chars=10**9)


async def test_a_zip_bomb_that_declares_little_is_unpacked_no_further(tmp_path: Path) -> None:
    bomb = papers.lying_about(papers.zip_bomb(50_000_000), papers.MAIN, 1000)
    with pytest.raises(DocumentUnreadable):
        await run(bomb, tmp_path, limits=DocumentSettings(cpu_s=1), max_chars=10**9)


@pytest.mark.parametrize("begin", ["<!--", '<x y="'])
async def test_a_tag_or_comment_of_megabytes_is_refused_at_the_second(begin: str, tmp_path: Path) -> None:
    bomb = papers.package(papers.document("", before="").replace("<w:body>", f"<w:body>{begin}" + "a" * 20_000_000))
    with pytest.raises(DocumentTooLarge, match=r"has at least 1,\d+,\d+ bytes; the limit is 1,048,576"):
        await run(bomb, tmp_path, limits=DocumentSettings(cpu_s=1), max_chars=10**9)


async def test_a_billion_laughs_are_refused_at_the_first(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="declares a document type or entities"):
        await run(papers.laughing(), tmp_path, limits=DocumentSettings(cpu_s=1))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port where a request would arrive."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


async def test_an_entity_opens_neither_a_file_nor_an_address(listener: socket.socket, tmp_path: Path) -> None:
    for address in ("file:///etc/passwd", f"http://127.0.0.1:{listener.getsockname()[1]}/a"):
        with pytest.raises(DocumentUnreadable, match="declares a document type or entities"):
            await run(papers.external(address), tmp_path)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("claimed", [UNTYPED, "application/zip", "text/plain", PDF, DOCX])
async def test_a_document_is_what_its_content_says(claimed: str, tmp_path: Path) -> None:
    assert (await run(papers.docx("text"), tmp_path, media_type=claimed)).chars == 4
    assert (await run(pdf([["text"]]), tmp_path, media_type=claimed)).pages == 1


@pytest.mark.parametrize("claimed", [PDF, DOCX, f"{PDF}; version=1"])
async def test_a_text_that_claims_to_be_a_document_is_refused(claimed: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable):
        await run(b"just a text", tmp_path, media_type=claimed)


@pytest.mark.parametrize("media_type", [PDF, DOCX, UNTYPED])
async def test_the_largest_document_is_inclusive(media_type: str, tmp_path: Path) -> None:
    limits = DocumentSettings(max_document_bytes=4100)
    check_document_bytes(4100, media_type=media_type, limits=limits, max_chars=1000)
    with pytest.raises(DocumentTooLarge, match="the document is 4,101 bytes; the limit is 4,100"):
        check_document_bytes(4101, media_type=media_type, limits=limits, max_chars=1000)
    with pytest.raises(DocumentTooLarge, match=r"the limit is 10$"):
        await run(pdf([["x"]]), tmp_path, media_type=media_type, limits=DocumentSettings(max_document_bytes=10))


def test_the_largest_text_has_four_bytes_a_character() -> None:
    limits = DocumentSettings(max_document_bytes=1)
    for media_type in ("text/plain; charset=utf-8", "text/markdown", UNTYPED):
        check_document_bytes(4000, media_type=media_type, limits=limits, max_chars=1000)
    with pytest.raises(TextTooLong, match="the text is 5,000 bytes; the limit is 1,000 characters"):
        check_document_bytes(5000, media_type="text/plain", limits=limits, max_chars=1000)
