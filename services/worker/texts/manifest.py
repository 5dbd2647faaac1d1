"""How a long text was cut: written once, read by every part. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from claimcheck.job import Stored
from claimcheck.language import ResultWarning
from services.worker.texts.cutting import Window

PAGE_ENDS = "\f"


class Piece(Stored):
    """What one part reads."""

    start: int
    end: int
    """Bytes of the kept text, from `start` up to, not including, `end`."""
    first_char: int
    last_char: int
    """The same in characters, from 1, as a person counts."""
    first_page: int | None = None
    last_page: int | None = None

    @property
    def where(self) -> str:
        """Where it is, for who reads a warning."""
        chars = f"characters {self.first_char:,} to {self.last_char:,}"
        if self.first_page is None:
            return chars
        if self.first_page == self.last_page:
            return f"{chars}, on page {self.first_page:,}"
        return f"{chars}, on pages {self.first_page:,} to {self.last_page:,}"


class Manifest(Stored):
    """The text and its pieces."""

    v: int = 1
    text: str
    """The name under which it is kept."""
    chars: int
    pages: int | None = None
    pieces: tuple[Piece, ...]
    warnings: tuple[ResultWarning, ...] = ()
    """What there was to say about reading it."""


def pieces(text: bytes, windows: Iterable[Window], *, pages: int | None) -> tuple[Piece, ...]:
    """The windows with their places. `text` is valid UTF-8; a form feed ends a page.

    Pages are named only if there are as many as the document has.
    """
    paged = pages is not None and text.count(PAGE_ENDS.encode()) in (pages - 1, pages)
    found: list[Piece] = []
    position, char, page = 0, 1, 1
    for window in windows:
        before = text[position : window.start].decode()
        inside = text[window.start : window.end].decode()
        char, page = char + len(before), page + before.count(PAGE_ENDS)
        # The form feed at the very end of a window begins no page in it.
        last_page = page + inside.rstrip().count(PAGE_ENDS)
        found.append(
            Piece(
                start=window.start,
                end=window.end,
                first_char=char,
                last_char=char + len(inside) - 1,
                first_page=page + _leading(inside) if paged else None,
                last_page=last_page if paged else None,
            )
        )
        position, char, page = window.end, char + len(inside), page + inside.count(PAGE_ENDS)
    return tuple(found)


def _leading(text: str) -> int:
    """How many pages end before the text's first word."""
    return text[: len(text) - len(text.lstrip())].count(PAGE_ENDS)
