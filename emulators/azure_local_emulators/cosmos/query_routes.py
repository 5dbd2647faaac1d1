"""Requests that read many items: queries and the feed of a container.

Owns which partitions a request reaches, and refuses what several partitions could only answer together: the gateway of
the service does not merge either, it sends the client away with sub-status 1004 to do it. This emulator makes no query
plans, so that such a query ends in a refusal here instead of in a client-side merge.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import charges, paging
from .account import Account
from .consistency import session_token
from .container import Container
from .definitions import check_order
from .errors import PARTITION_KEY_RANGE_GONE, QUERY_NEEDS_MERGING, ServiceError, bad_request, unsupported
from .exchange import (
    CONTINUATION,
    ENABLE_CROSS_PARTITION,
    END_EPK,
    IS_QUERY_PLAN,
    MAX_ITEMS,
    PARTITION_KEY,
    RANGE_ID,
    START_EPK,
    Answer,
    Call,
    feed_answer,
    json_answer,
)
from .item_routes import visible_lsn
from .partitioning import HIGHEST_EPK, PartitionKeyRange, parse_header
from .query import BoundQuery, Row, bind
from .values import Value

_NUMBER_DIGITS = 16  # what follows the hash in a position
_MERGE_REFUSAL = (
    "The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) "
    "exception that all newer clients will know how to handle gracefully. This exception is traced, but unless you see "
    "it bubble up as an exception (which only happens on older SDK clients), then you can safely ignore this message."
)


def query_items(account: Account, container: Container, call: Call) -> Answer:
    """POST .../docs with a query."""
    call.charge = charges.EMPTY_READ
    if call.flag(IS_QUERY_PLAN):
        raise unsupported("A query plan (a query that several partitions must answer together)")
    query = _bound(call.body)
    check_order(query.query, container.properties)
    return _page(account, container, call, query)


def read_feed(account: Account, container: Container, call: Call) -> Answer:
    """GET .../docs: all items. The change feed is not here."""
    if "A-IM" in call.headers:
        raise unsupported("The change feed")
    return _page(account, container, call, None)


def partition_key_ranges(_: Account, container: Container, call: Call) -> Answer:
    """GET .../pkranges: once, then 304 as long as the ranges stay (which is for ever)."""
    call.charge = charges.METADATA
    etag = '"1"'
    if call.headers.get("If-None-Match") == etag:
        return Answer(304, b"", {"etag": etag})
    ranges = [_described(range_, container) for range_ in container.ranges]
    body = {"_rid": container.rid, "PartitionKeyRanges": ranges, "_count": len(ranges)}
    return json_answer(200, body, {"etag": etag, "x-ms-item-count": str(len(ranges))})


def run_over(documents: list[Value], rid: str, name: str, call: Call) -> Answer:
    """A query over databases or containers."""
    rows = _bound(call.body).rows([(document["_rid"], document) for document in documents])
    continuation = paging.parse(call.headers.get(CONTINUATION))
    left = paging.remaining(rows, continuation)
    page = paging.cut(left, max_items=_max_items(call), sent=continuation.count)
    return feed_answer(rid, name, page.documents, _next(page))


def _bound(body: Value) -> BoundQuery:
    text = body.get("query") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise bad_request("The request body is no query.")
    parameters = body.get("parameters") or []
    try:
        named = {one["name"]: one.get("value") for one in parameters}
    except (AttributeError, KeyError, TypeError) as cause:
        raise bad_request("The parameters of the query are malformed.") from cause
    if not all(isinstance(name, str) and name.startswith("@") for name in named):
        raise bad_request("The name of a query parameter is a string that starts with '@'.")
    return bind(text, named)


def _page(account: Account, container: Container, call: Call, query: BoundQuery | None) -> Answer:
    low, high, ranges = _reached(container, call)
    if not ranges:
        raise bad_request("The hashes of the request lie in no partition.")
    if len(ranges) > 1:
        _check_cross_partition(query, call)
    seen = {range_.id: visible_lsn(account, container, range_, call) for range_ in ranges}
    call.range_id = ranges[0].id if len(ranges) == 1 else ""
    call.session_token = ",".join(session_token(range_id, lsn) for range_id, (lsn, _) in seen.items())
    continuation = paging.parse(call.headers.get(CONTINUATION))
    reach = _Reach(container, ranges, low, high, {range_id: lsn for range_id, (lsn, _) in seen.items()})
    rows = _rows(query, reach, continuation)
    page = paging.cut(rows, max_items=_max_items(call), sent=continuation.count)
    size_bytes = sum(map(len, page.documents))
    call.charge = charges.query(len(page.documents), size_bytes, strong=any(strong for _, strong in seen.values()))
    return feed_answer(container.rid, "Documents", page.documents, _next(page))


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a request reads: hashes in [low, high) of some partitions, each after one of its writes."""

    container: Container
    ranges: list[PartitionKeyRange]
    low: str
    high: str
    lsns: dict[str, int]

    def items(self, after: str = "") -> Iterator[tuple[str, Value]]:
        """Pairs of position and document, beginning after a position."""
        now = time.time()
        low = max(self.low, after[:-_NUMBER_DIGITS])
        for range_ in self.ranges:
            for item in self.container.scan(range_, low, self.high, self.lsns[range_.id], now):
                if (position := item.position) > after:
                    yield position, item.document


def _rows(query: BoundQuery | None, reach: _Reach, continuation: paging.Continuation) -> Iterable[Row]:
    if query is None:
        return (Row(document, at) for at, document in reach.items(continuation.after))
    if query.query.needs_merging:
        return paging.remaining(query.rows(reach.items()), continuation)
    return query.stream(reach.items(continuation.after))


def _reached(container: Container, call: Call) -> tuple[str, str, list[PartitionKeyRange]]:
    """The hashes and physical partitions that a request asks for."""
    header = call.headers.get(PARTITION_KEY)
    if header is not None:
        epk = parse_header(header, container.definition).epk
        return epk, epk + "\0", [container.range_of(epk)]
    low, high = call.headers.get(START_EPK, ""), call.headers.get(END_EPK, HIGHEST_EPK)
    range_id = call.headers.get(RANGE_ID)
    if range_id is None:
        return low, high, [range_ for range_ in container.ranges if range_.overlaps(low, high)]
    named = [range_ for range_ in container.ranges if range_.id == range_id]
    if not named:
        raise ServiceError(410, f"The partition key range {range_id[:50]} is gone.", substatus=PARTITION_KEY_RANGE_GONE)
    return low, high, named


def _check_cross_partition(query: BoundQuery | None, call: Call) -> None:
    if query is None:
        return
    if not call.flag(ENABLE_CROSS_PARTITION):
        raise bad_request(
            "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to "
            "true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
        )
    if query.query.needs_merging:
        raise ServiceError(400, _MERGE_REFUSAL, substatus=QUERY_NEEDS_MERGING)


def _max_items(call: Call) -> int:
    header = call.headers.get(MAX_ITEMS)
    try:
        wanted = int(header) if header else -1
    except ValueError as cause:
        raise bad_request(f"Invalid value {header!r} for header '{MAX_ITEMS}'.") from cause
    if wanted == 0 or wanted < -1:
        raise bad_request(f"Invalid value {header!r} for header '{MAX_ITEMS}'.")
    return paging.DEFAULT_PAGE_ITEMS if wanted == -1 else min(wanted, 1000)


def _next(page: paging.Page) -> dict[str, str]:
    return {CONTINUATION: page.continuation} if page.continuation else {}


def _described(range_: PartitionKeyRange, container: Container) -> dict[str, Value]:
    return {
        "id": range_.id,
        "_rid": container.rid,
        "_self": f"{container.properties['_self']}pkranges/{range_.id}/",
        "_etag": '"1"',
        "minInclusive": range_.min_epk,
        "maxExclusive": range_.max_epk,
        "ridPrefix": int(range_.id),
        "throughputFraction": 1 / len(container.ranges),
        "status": "online",
        "parents": [],
        "lsn": range_.lsn,
        "_ts": container.properties["_ts"],
    }
