"""Cut an answer into pages, and say where the next one starts.

Pure. A continuation names the position of the last item that was sent, not a count of rows: what is written or deleted
between two pages neither repeats an item nor skips one. Only where rows are ordered by something else than their
position, and that item itself has gone, the count decides.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import bad_request
from .query import Row
from .values import InvalidJson, decode_json, encode_json

DEFAULT_PAGE_ITEMS = 100
MAX_PAGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Continuation:
    """The last row sent: its item's position, and how many rows went before and with it."""

    after: str
    count: int

    def encoded(self) -> str:
        """As a header."""
        return base64.urlsafe_b64encode(encode_json({"after": self.after, "count": self.count})).decode()


BEGINNING = Continuation("", 0)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer as JSON, and the continuation to ask for the next (None: this was the last)."""

    documents: list[bytes]
    continuation: str | None


def parse(header: str | None) -> Continuation:
    """Raises ServiceError for a continuation that this emulator did not make."""
    if not header:
        return BEGINNING
    try:
        token = decode_json(base64.urlsafe_b64decode(header.encode()))
        return Continuation(str(token["after"]), int(token["count"]))
    except (binascii.Error, InvalidJson, KeyError, TypeError, ValueError, OverflowError) as cause:
        raise bad_request(f"Invalid Continuation Token {header[:100]}") from cause


def cut(rows: Iterable[Row], *, max_items: int, sent: int = 0) -> Page:
    """The first page of `rows`; `sent` rows went before. Takes one row more than it needs, to see if there is one."""
    documents: list[bytes] = []
    size_bytes = 0
    last = ""
    for row in rows:
        document = encode_json(row.value)
        size_bytes += len(document)
        if len(documents) == max_items or (documents and size_bytes > MAX_PAGE_BYTES):
            return Page(documents, Continuation(last, sent + len(documents)).encoded())
        documents.append(document)
        last = row.position
    return Page(documents, None)


def remaining(rows: Sequence[Row], continuation: Continuation) -> Sequence[Row]:
    """The rows after a continuation, where rows have an order of their own."""
    count = continuation.count
    if count < 1:
        return rows
    # The rows before it may have changed in number; look for the item itself, from where it was.
    if count <= len(rows) and rows[count - 1].position == continuation.after:
        return rows[count:]
    found = (index + 1 for index, row in enumerate(rows) if row.position == continuation.after)
    return rows[next(found, count) :]
