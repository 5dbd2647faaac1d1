"""services/worker/engines/language/retry_after.py: seconds, milliseconds and dates, and nonsense."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.worker.engines.language.retry_after import retry_after_s

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LIMIT_S = 600.0


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Sunday, 01-Mar-26 12:00:10 GMT"}, 10.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:10 -0000"}, 10.0),
        ({"retry-after": "86400"}, LIMIT_S),
        ({"retry-after-ms": "86400000"}, LIMIT_S),
        ({"retry-after": "Mon, 02 Mar 2026 12:00:00 GMT"}, LIMIT_S),
        ({"retry-after": ""}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "in a minute"}, None),
        ({"retry-after": "99 Foo 2026"}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        (
            {"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": "Sun, 01 Mar 2026 99999999999999999999:00:00 GMT"},
            30.0,
        ),
    ],
)
def test_wait_is_what_the_service_says(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers, limit_s=LIMIT_S, now=NOW) == wait_s


def test_date_is_measured_by_the_clock_that_wrote_it() -> None:
    headers = {"retry-after": "Sun, 01 Mar 2026 15:00:30 GMT", "date": "Sun, 01 Mar 2026 15:00:10 GMT"}
    assert retry_after_s(headers, limit_s=LIMIT_S, now=NOW) == 20.0
