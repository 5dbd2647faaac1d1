"""Read the jobs of a time window twice, submit nothing, and judge what can be judged so."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from claimcheck.client import AsyncClient, ServerUnreachable
from claimcheck.commands.verify.history import Reading
from claimcheck.commands.verify.reading import jobs_between, read
from claimcheck.commands.verify.verdict import Verdict, judge_window

UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d+)([smhd])")


def moment(text: str, now: datetime) -> datetime:
    """`90s`, `15m`, `1h`, `7d` ago, or a time in ISO 8601; UTC if it does not say. Raises ValueError. Pure."""
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        given = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f"the time is {text!r}; 15m, 1h, 7d or 2026-01-31T12:00 is expected") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


async def read_window(
    client: AsyncClient, *, since: datetime, until: datetime, patience: timedelta | None, concurrency: int
) -> Verdict:
    """The verdict on the jobs that were created in the window. Raises ClientError: a job that cannot be read."""
    job_ids = [job.id for job in await jobs_between(client, since, until)]
    first = await _read_all(client, job_ids, concurrency)
    again = await _read_all(client, job_ids, concurrency)
    return judge_window([*first, *again], now=datetime.now(UTC), patience=patience)


async def _read_all(client: AsyncClient, job_ids: Iterable[str], concurrency: int) -> list[Reading]:
    places = asyncio.Semaphore(concurrency)

    async def one(job_id: str) -> Reading:
        async with places:
            reading = await read(client, job_id)
        if reading is None:
            raise ServerUnreachable(f"job {job_id} is in the list, and cannot be read")
        return reading

    return list(await asyncio.gather(*(one(job_id) for job_id in job_ids)))
