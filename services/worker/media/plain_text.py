"""What a client's plain text is, for every task: UTF-8, or UTF-16 with a byte order mark, of which something is seen.

Runs in the worker: Python's own decoders are all that sees the bytes. A long text is copied in a thread, block by
block: memory is bounded by the block, however long the lines are.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from claimcheck.errors import TextTooLong, TextUnreadable

BLOCK_BYTES = 64 * 1024
MAX_CHAR_BYTES = 4  # of one character in UTF-8 and UTF-16
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
MARK_BYTES = 3


def check_text_bytes(size_bytes: int, max_chars: int) -> None:
    """Raises TextTooLong for a size that no text of so few characters has."""
    limit_bytes = max_chars * MAX_CHAR_BYTES + MARK_BYTES
    if size_bytes > limit_bytes:
        raise TextTooLong(
            f"the text is {size_bytes:,} bytes; the limit is {max_chars:,} characters, which are at most"
            f" {limit_bytes:,} bytes"
        )


def text_of(data: bytes) -> str:
    """A short text, with LF at the ends of lines. Raises TextUnreadable with the byte that is wrong."""
    return "".join(_blocks(io.BytesIO(data)))


def copy_text(source: Path, target: Path, max_chars: int) -> int:
    """Write the text as UTF-8 with LF at the ends of lines; how many characters there are. Blocks: call in a thread.

    Raises TextUnreadable with the byte that is wrong, TextTooLong.
    """
    chars = 0
    with source.open("rb") as file, target.open("w", encoding="utf-8", newline="") as output:
        for block in _blocks(file):
            chars += len(block)
            if chars > max_chars:
                raise TextTooLong(f"the text has at least {chars:,} characters; the limit is {max_chars:,}")
            output.write(block)
    return chars


def _blocks(file: BinaryIO) -> Iterator[str]:
    chars, is_blank = 0, True
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    for block in _decoded(file):
        text = newlines.decode(block)
        chars += len(text)
        is_blank = is_blank and not text.strip()
        yield text
    # A CR at the very end was kept back: an LF might have followed.
    yield (rest := newlines.decode("", final=True))
    if is_blank:
        raise TextUnreadable(f"the text has {chars + len(rest):,} characters, and none of them can be seen")


def _decoded(file: BinaryIO) -> Iterator[str]:
    encoding, at = _encoding(file)
    decoder = codecs.getincrementaldecoder(encoding)()
    while True:
        block = file.read(BLOCK_BYTES)
        kept_back = len(decoder.getstate()[0])  # the beginning of a character whose end is in this block
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise TextUnreadable(f"byte {at - kept_back + error.start:,} is no {encoding.upper()}") from error
        if "\0" in text:
            nul = at - kept_back + len(text[: text.index("\0")].encode(encoding))
            raise TextUnreadable(f"byte {nul:,} is a NUL character, which no text has")
        yield text
        at += len(block)
        if not block:
            return


def _encoding(file: BinaryIO) -> tuple[str, int]:
    """By the byte order mark, which is read over; UTF-8 without one. And where the text begins."""
    head = file.read(MARK_BYTES)
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            file.seek(len(mark))
            return encoding, len(mark)
    file.seek(0)
    return "utf-8", 0
