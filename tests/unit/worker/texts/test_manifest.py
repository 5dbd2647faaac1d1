"""Where the pieces of a text are, in characters and pages."""

from __future__ import annotations

import pytest

from services.worker.texts.cutting import windows
from services.worker.texts.manifest import pieces


def test_pieces_are_counted_in_characters_and_pages_from_one() -> None:
    text = ("ä" * 10 + "\f" + "b" * 10 + "\f" + "c" * 10).encode()
    found = pieces(text, windows(text, size_bytes=21), pages=3)
    assert [(piece.first_char, piece.last_char) for piece in found] == [(1, 11), (12, 32)]
    assert [piece.where for piece in found] == [
        "characters 1 to 11, on page 1",
        "characters 12 to 32, on pages 2 to 3",
    ]


def test_a_piece_that_begins_with_the_end_of_a_page_is_on_the_next() -> None:
    text = b"aaaaaaaa\f\fbbbbbbbb"
    (first, second) = pieces(text, windows(text, size_bytes=10), pages=3)
    assert (first.first_page, first.last_page) == (1, 1)
    assert (second.first_page, second.last_page) == (3, 3)


@pytest.mark.parametrize("pages", [None, 7])
def test_pages_are_not_named_where_the_text_does_not_tell_them(pages: int | None) -> None:
    text = b"aaaa\fbbbb"
    (piece,) = pieces(text, windows(text, size_bytes=100), pages=pages)
    assert piece.where == "characters 1 to 9"
