"""Cut an answer into pages, and say where the next one starts.

Pure. A continuation names the last item that was sent, not a count of rows: what is written or deleted between two
pages neither repeats an item nor skips one. Where that item itself has gone, the count decides.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import bad_request
from .query import Row
from .values import InvalidJson, decode_json, encode_json

DEFAULT_PAGE_ITEMS = 100
MAX_PAGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer as JSON, and the continuation to ask for the next (None: this was the last)."""

    documents: list[bytes]
    continuation: str | None


def cut(rows: Sequence[Row], *, max_items: int, continuation: str | None) -> Page:
    """The page after `continuation`. Raises ServiceError for a continuation that this emulator did not make."""
    start = _resume(rows, continuation) if continuation else 0
    documents: list[bytes] = []
    size_bytes = 0
    for row in rows[start : start + max_items]:
        document = encode_json(row.value)
        size_bytes += len(document)
        if documents and size_bytes > MAX_PAGE_BYTES:
            break
        documents.append(document)
    end = start + len(documents)
    return Page(documents, _continuation(rows[end - 1], end) if end < len(rows) else None)


def _continuation(last: Row, count: int) -> str:
    return base64.urlsafe_b64encode(encode_json({"after": last.position, "count": count})).decode()


def _resume(rows: Sequence[Row], continuation: str) -> int:
    try:
        token = decode_json(base64.urlsafe_b64decode(continuation.encode()))
        after, count = str(token["after"]), int(token["count"])
    except (binascii.Error, InvalidJson, KeyError, TypeError, ValueError) as cause:
        raise bad_request(f"Invalid Continuation Token {continuation[:100]}") from cause
    # The rows before it may have changed in number; look for the item itself, from where it was.
    if 0 < count <= len(rows) and rows[count - 1].position == after:
        return count
    found = (index for index, row in enumerate(rows) if row.position == after)
    return next(found, max(min(count, len(rows)), 0) - 1) + 1 if count > 0 else 0
