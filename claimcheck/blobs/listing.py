"""Listings with the time of each blob, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from azure.storage.blob.aio import ContainerClient

from claimcheck.blobs.calls import call

PAGE_BLOBS = 1000  # A page is parsed on the event loop; the service's own 5,000 would hold it for a third of a second.


@dataclass(frozen=True)
class Listed:
    """A blob in a listing."""

    name: str
    last_modified: datetime
    """By the storage's clock, in whole seconds."""


@dataclass(frozen=True)
class Page:
    """A page of a listing, and when the storage answered with it, by its own clock."""

    at: datetime
    blobs: list[Listed]


async def list_pages(container: ContainerClient, prefix: str, timeout_s: float) -> AsyncIterator[Page]:
    """All blobs whose names begin so. `timeout_s`: time limit of one page. Raises BlobsUnavailable."""
    dates: list[str] = []
    listing = container.list_blobs(
        name_starts_with=prefix,
        results_per_page=PAGE_BLOBS,
        raw_response_hook=lambda answer: dates.append(answer.http_response.headers["Date"]),
    )
    pages = listing.by_page().__aiter__()
    while True:
        try:
            async with call(timeout_s):
                blobs = [Listed(blob.name, blob.last_modified) async for blob in await pages.__anext__()]
        except StopAsyncIteration:
            return
        yield Page(parsedate_to_datetime(dates.pop()), blobs)
