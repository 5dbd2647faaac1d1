"""Cut a long text into windows that a model can read at once, where it is least missed. Pure.

Everything counts bytes of UTF-8, since that is how the text is kept and read; no character is ever cut. A cut costs
time in proportion to the window and not to the text, also in a text that is one line, or one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PARAGRAPH: Final = re.compile(rb"(?:\n[ \t\r]*\n|\f)\s*")  # a form feed ends a page
# The full stops of Chinese, Japanese and Hindi are characters of three bytes, with no space after them.
SENTENCE: Final = re.compile(rb"[.!?][\"')\]]{0,3}\s+|\xe3\x80\x82|\xef\xbc\x81|\xef\xbc\x9f|\xef\xbd\xa1|\xe0\xa5\xa4")
LINE: Final = re.compile(rb"\n\s*")
WORD: Final = re.compile(rb"\s+|\xe3\x80\x81|\xef\xbc\x8c")
BREAKS: Final = (PARAGRAPH, SENTENCE, LINE, WORD)

CONTINUES: Final = 0b1000_0000  # the two upper bits of every byte of a character but its first
LONGEST_CHARACTER: Final = 4


@dataclass(frozen=True)
class Window:
    """Bytes `start` up to, not including, `end` of a text in UTF-8."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self.end - self.start


def windows(text: bytes, *, size_bytes: int) -> Iterator[Window]:
    """Windows of at most `size_bytes`, about equally long, in order, that hold all of the text but blank ones.

    `text` is valid UTF-8, `size_bytes` at least four.
    """
    start = 0
    while start < len(text):
        window = Window(start, _cut(text, start, size_bytes))
        if text[window.start : window.end].strip():
            yield window
        start = window.end


def halves(text: str) -> tuple[str, str]:
    """The text in two, cut about its middle: for one that was longer than estimated. At least eight bytes of it."""
    data = text.encode()
    cut = _break(data, len(data) * 3 // 8, len(data) * 5 // 8)
    return data[:cut].decode(), data[cut:].decode()


def clipped(text: str, *, size_bytes: int) -> str:
    """As much of the beginning as fits, up to the end of a sentence or word."""
    data = text.encode()
    if len(data) <= size_bytes:
        return text
    return data[: _break(data, size_bytes // 2, size_bytes)].decode()


def _cut(text: bytes, start: int, size_bytes: int) -> int:
    """Where the window that begins at `start` ends: all that is left is divided equally, so that no crumb remains."""
    left = len(text) - start
    if left <= size_bytes:
        return len(text)
    aim = max(LONGEST_CHARACTER, -(-left // -(-left // size_bytes)))
    return _break(text, start + aim // 2, start + aim)


def _break(text: bytes, earliest: int, latest: int) -> int:
    """The last end of a paragraph, else sentence, else line, else word, else character between the two."""
    piece = text[earliest:latest]
    for kind in BREAKS:
        ends = [found.end() for found in kind.finditer(piece)]
        if ends:
            return earliest + ends[-1]
    while text[latest] & 0b1100_0000 == CONTINUES:
        latest -= 1
    return latest
