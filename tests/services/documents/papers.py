"""Documents made for tests, honest and otherwise: PDFs object by object, DOCX packages file by file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

NOWHERE = 99_999
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
NOTHING: Mapping[int, bytes] = {}

IMAGE = b"q 595 0 0 842 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \0 EI Q "
LINE = b"72 72 m 500 700 l S "
FORM = b"/Fm Do "

WORDS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT_WORDS = "http://purl.oclc.org/ooxml/wordprocessingml/main"
MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"
STRICT_MATH = "http://purl.oclc.org/ooxml/officeDocument/math"
COMPATIBILITY = "http://schemas.openxmlformats.org/markup-compatibility/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
MAIN = "word/document.xml"


def pdf(
    pages: Iterable[Sequence[str]],
    *,
    missing: Container[int] = (),
    drawn: Mapping[int, bytes] = NOTHING,
    form: bytes = b"",
) -> bytes:
    """A PDF with these lines on its pages; Latin 1, no parentheses. `missing` pages (from 1) are only named.

    `drawn` is what else stands on a page, as operators: `IMAGE`, for instance, or `FORM`, which shows `form`.
    """
    contents = []
    for number, lines in enumerate(pages, 1):
        shown = " ".join(f"({line}) Tj T*" for line in lines)
        contents.append(f"BT /F1 12 Tf 72 770 Td 14 TL {shown} ET ".encode("latin-1") + drawn.get(number, b""))
    pages_at = [NOWHERE if number + 1 in missing else 4 + 2 * number for number in range(len(contents))]
    kids = b" ".join(b"%d 0 R" % at for at in pages_at)
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(contents)), FONT]
    for number, content in enumerate(contents):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>/XObject<</Fm %d 0 R>>>>"
            b"/Contents %d 0 R>>" % (4 + 2 * len(contents), 5 + 2 * number)
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    objects.append(b"<</Subtype/Form/BBox[0 0 595 842]/Length %d>>stream\n%s\nendstream" % (len(form), form))
    return pdf_of(objects)


def pdf_of(objects: Sequence[bytes], *, trailer: bytes = b"") -> bytes:
    """These objects, numbered from 1, with the table that says where each begins."""
    out, begins = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        begins.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % begin for begin in begins)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(out))
    return bytes(out) + head + table + end


def locked_pdf() -> bytes:
    """A PDF that opens with a password alone: its check values fit no password that is tried."""
    values = b"<</Filter/Standard/V 1/R 2/P -44/O<%s>/U<%s>>>" % (b"41" * 32, b"42" * 32)
    plain = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>", values]
    return pdf_of(plain, trailer=b"/Encrypt 3 0 R/ID[<41><41>]")


def document(body: str, *, words: str = WORDS, math: str = MATH, before: str = "") -> str:
    """The XML of a main part."""
    root = f'<w:document xmlns:w="{words}" xmlns:m="{math}" xmlns:mc="{COMPATIBILITY}">'
    return f'<?xml version="1.0"?>{before}{root}<w:body>{body}</w:body></w:document>'


def paragraph(*texts: str) -> str:
    """A paragraph with a run for each text."""
    return "<w:p>" + "".join(f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>' for text in texts) + "</w:p>"


def table(*rows: Sequence[str]) -> str:
    """A table with a paragraph in each cell."""
    made = ("<w:tr>" + "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in rows)
    return "<w:tbl>" + "".join(made) + "</w:tbl>"


def package(main: str | bytes, *, target: str = MAIN, more: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """A DOCX with that main part, and more files."""
    relations = f'<Relationships><Relationship Id="r1" Type="{OFFICE}" Target="{target}"/></Relationships>'
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("_rels/.rels", relations)
        archive.writestr(target.removeprefix("/"), main)
        for name, data in more:
            archive.writestr(name, data)
    return made.getvalue()


def docx(*paragraphs: str) -> bytes:
    """A DOCX of plain paragraphs."""
    return package(document("".join(map(paragraph, paragraphs))))


def lying_about(whole: bytes, name: str, size_bytes: int) -> bytes:
    """The archive, whose directory says that this file is so long once it is unpacked."""
    at = whole.rfind(name.encode()) - 46
    assert whole[at : at + 4] == b"PK\1\2"
    return whole[: at + 24] + size_bytes.to_bytes(4, "little") + whole[at + 28 :]


def zip_bomb(size_bytes: int) -> bytes:
    """A DOCX whose main part is one run of that many characters."""
    half = document(paragraph("|")).split("|")
    return package(half[0] + "A" * size_bytes + half[1])


BILLION_LAUGHS = (
    "<!DOCTYPE w:document ["
    + '<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)


def laughing() -> bytes:
    """A DOCX with entities within entities, a billion in all."""
    return package(document(paragraph("&a9;"), before=BILLION_LAUGHS))


def external(address: str) -> bytes:
    """A DOCX with an entity that is to be read from elsewhere."""
    return package(document(paragraph("&e;"), before=f'<!DOCTYPE d [<!ENTITY e SYSTEM "{address}">]>'))


def one_line(path: Path, size_bytes: int) -> Path:
    """A text without any end of line."""
    with path.open("wb") as file:
        for _ in range(size_bytes // 1_000_000):
            file.write(b"a" * 1_000_000)
    return path
