"""When the client asks again, and how long it rests first."""

from __future__ import annotations

import httpx
import pytest

from claimcheck.client.exchange import NoReply, Outcome, Reply
from claimcheck.client.retrying import Retry, retry_after_s

LOST = NoReply(httpx.ReadError("connection reset"))
RETRY = Retry(attempts=4, first_s=1.0, longest_s=3.0, total_s=60.0)


def rest_s(outcome: Outcome, *, attempt: int = 1, failing_s: float = 0.0, share: float = 1.0) -> float | None:
    return RETRY.rest_s(outcome, attempt=attempt, failing_s=failing_s, share=share)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_busy_or_absent_server_is_asked_again(status: int) -> None:
    assert rest_s(Reply(status)) == 1.0


@pytest.mark.parametrize("status", [200, 202, 204, 301, 304, 400, 401, 403, 404, 409, 413, 415, 422, 500, 501])
def test_any_other_answer_stands(status: int) -> None:
    assert rest_s(Reply(status)) is None


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.RemoteProtocolError("cut"),
              httpx.ReadTimeout("late"), httpx.WriteTimeout("late"), httpx.ConnectTimeout("late")], ids=repr
)  # fmt: skip
def test_missing_answer_is_asked_for_again(error: httpx.TransportError) -> None:
    assert rest_s(NoReply(error)) == 1.0


@pytest.mark.parametrize(
    "error", [httpx.UnsupportedProtocol("ftp"), httpx.LocalProtocolError("header"), httpx.DecodingError("")], ids=repr
)  # fmt: skip
def test_request_that_cannot_be_sent_or_answer_that_cannot_be_read_is_not(error: httpx.RequestError) -> None:
    assert rest_s(NoReply(error)) is None


@pytest.mark.parametrize(("attempt", "expected"), [(1, 1.0), (2, 2.0), (3, 3.0), (4, None)])
def test_rest_doubles_up_to_the_longest_and_the_last_attempt_stands(attempt: int, expected: float | None) -> None:
    assert rest_s(LOST, attempt=attempt) == expected


def test_without_a_number_of_attempts_time_alone_ends_them() -> None:
    patient = Retry(longest_s=20.0, total_s=120.0)
    assert patient.rest_s(LOST, attempt=7, failing_s=50.0, share=1.0) == 20.0
    assert patient.rest_s(LOST, attempt=10_000, failing_s=100.0, share=1.0) == 20.0
    assert patient.rest_s(LOST, attempt=10_000, failing_s=100.1, share=1.0) is None


def test_outage_is_sat_out_by_time_whatever_the_number_of_attempts() -> None:
    patient = RETRY.in_outage()
    assert patient.rest_s(LOST, attempt=10_000, failing_s=297.0, share=1.0) == 3.0
    assert patient.rest_s(LOST, attempt=10_000, failing_s=297.1, share=1.0) is None


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (0.25, 0.5), (1.0, 2.0)])
def test_rest_is_random_from_nothing_on(share: float, expected: float) -> None:
    assert rest_s(LOST, attempt=2, share=share) == expected


def test_the_server_says_how_long_at_least() -> None:
    asked = Reply(503, {"retry-after": "7"})
    assert rest_s(asked) == 7.0
    assert rest_s(Reply(503, {"retry-after": "1"}), attempt=2) == 2.0


@pytest.mark.parametrize(("failing_s", "expected"), [(0.0, 1.0), (59.0, 1.0), (59.1, None)])
def test_no_attempt_is_begun_after_the_total(failing_s: float, expected: float | None) -> None:
    assert rest_s(LOST, failing_s=failing_s) == expected


def test_server_that_asks_for_more_than_the_total_is_not_asked_again() -> None:
    assert rest_s(Reply(503, {"retry-after": "3600"})) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 12 "}, 12.0),
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": "Sat, 21 Nov 2026 12:00:00 -0000"}, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected
