"""Read when a service wants to be asked again. Pure: its own clock is the one in the answer's `Date`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")  # OpenAI and Azure; finer than the header of HTTP.


def retry_after_s(headers: Mapping[str, str], *, limit_s: float, now: datetime) -> float | None:
    """Seconds to wait, 0 to `limit_s`; None if the answer does not say, or says what nobody understands.

    `headers`: names in lower case, or a mapping that does not tell cases apart. `now`: used for a date where the answer
    has no `Date`. Source: RFC 9110, 10.2.3.
    """
    for name in _MILLISECONDS:
        if (milliseconds := _number(headers.get(name))) is not None:
            return min(milliseconds / 1000, limit_s)
    given = headers.get("retry-after")
    if (seconds := _number(given)) is not None:
        return min(seconds, limit_s)
    if (at := _date(given)) is not None:
        wait_s = (at - (_date(headers.get("date")) or now)).total_seconds()
        return min(max(wait_s, 0.0), limit_s)
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _date(text: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):  # the second for a year or an hour beyond all numbers
        return None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
