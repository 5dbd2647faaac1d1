"""What the query of a list may say, and the page that comes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.errors import MalformedRequest, UnknownTask
from claimcheck.job import Status
from claimcheck.listing import (
    PARAMETERS,
    JobListView,
    ListQuery,
    Position,
    Wanted,
    described,
    listed,
    packed,
    read_query,
    unpacked,
)
from claimcheck.representation import Answer, Urls
from claimcheck.tasks import catalogue
from tests.unit.claimcheck.samples import JOB_ID, NOW, job

URLS = Urls(status="http://s")
HERE = Position(NOW, JOB_ID)
AFTER = packed(HERE)


def page(query: ListQuery, count: int) -> Answer:
    """What is answered when so many jobs are found."""
    found = [job(created_at=NOW - timedelta(milliseconds=n)) for n in range(count)]
    return listed(query, found, tasks=catalogue(), urls=URLS, now=NOW)


def test_query_without_parameters_asks_for_the_newest_20_jobs() -> None:
    assert read_query([]) == ListQuery(Wanted(None, None), 20, None)


def test_query_says_which_jobs_how_many_and_from_where() -> None:
    asked = [("status", "failed"), ("task", "transcribe"), ("limit", "7"), ("after", AFTER)]
    assert read_query(asked) == ListQuery(Wanted(Status.FAILED, "transcribe"), 7, HERE)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([("stauts", "failed")], ["'stauts'", "status, task, limit, after"]),
        ([("", "")], ["''"]),
        ([("limit", "7"), ("limit", "7")], ["limit", "more than once"]),
        ([("status", "done")], ["'done'", "queued, running, succeeded, failed, cancelled"]),
        ([("status", "")], ["''"]),
        ([("status", "FAILED")], ["'FAILED'"]),
        ([("limit", "0")], ["'0'", "1 to 100"]),
        ([("limit", "101")], ["'101'"]),
        ([("limit", "-1")], ["'-1'"]),
        ([("limit", "1.5")], ["'1.5'"]),
        ([("limit", "٣")], ["1 to 100"]),
        ([("limit", "9" * 5000)], ["1 to 100"]),
        ([("limit", "")], ["''"]),
    ],
)
def test_query_that_breaks_the_contract_is_refused_with_value_and_limit(
    asked: list[tuple[str, str]], said: list[str]
) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        read_query(asked)
    assert all(text in refusal.value.detail for text in said), refusal.value.detail
    assert len(refusal.value.detail) < 200


def test_unknown_task_is_refused_and_known_ones_are_named() -> None:
    with pytest.raises(UnknownTask, match=r"'transcirbe'.*transcribe"):
        read_query([("task", "transcirbe")])


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone follows
    st.uuids().map(str),
)
def test_position_survives_its_packing_to_the_millisecond(at: datetime, job_id: str) -> None:
    whole = at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert unpacked(packed(Position(at, job_id))) == Position(whole, job_id)


@pytest.mark.parametrize(
    "forged",
    [
        *("", "x", "0", AFTER[:-1], AFTER[1:], AFTER + "A", AFTER + "=", AFTER + "\n", " " + AFTER, "ü" * 35),
        *(AFTER.swapcase(), "A" * 35, "_" * 35, "A" * 5000, f"{NOW.isoformat()},{JOB_ID}"),
    ],
)
def test_forged_or_broken_position_is_refused(forged: str) -> None:
    with pytest.raises(MalformedRequest, match="next_url of an earlier page"):
        unpacked(forged)


@pytest.mark.parametrize("at", range(0, 34, 3))
def test_position_with_one_character_changed_is_refused(at: int) -> None:
    changed = "A" if AFTER[at] != "A" else "B"
    with pytest.raises(MalformedRequest):
        unpacked(AFTER[:at] + changed + AFTER[at + 1 :])


def test_page_shows_its_limit_of_jobs_and_where_the_next_one_is() -> None:
    query = ListQuery(Wanted(Status.QUEUED, "transcribe"), limit=2)
    answer = page(query, 3)
    shown = JobListView.model_validate(answer.body)
    assert len(shown.jobs) == 2
    assert shown.next_url is not None
    assert shown.next_url.startswith("http://s/v1/jobs?")
    assert answer.headers["Link"] == f'<{shown.next_url}>; rel="next"'
    following = read_query(parse_qsl(urlsplit(shown.next_url).query))
    last = Position(NOW - timedelta(milliseconds=1), JOB_ID)
    assert following == ListQuery(query.wanted, 2, last)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_last_page_names_no_next_one(count: int) -> None:
    answer = page(ListQuery(limit=2), count)
    assert len(answer.body["jobs"]) == count
    assert "next_url" not in answer.body
    assert "Link" not in answer.headers


def test_description_names_every_parameter() -> None:
    assert tuple(parameter["name"] for parameter in described()) == PARAMETERS
