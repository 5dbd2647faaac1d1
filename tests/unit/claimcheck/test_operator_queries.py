"""What operators ask for: ids, ages, positions and limits, read and refused."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from claimcheck.dead_letters import NOBODY
from claimcheck.errors import LetterNotFound, MalformedRequest
from claimcheck.operator_queries import (
    LETTER_ID,
    Filters,
    LetterId,
    Position,
    age,
    read_page_query,
    read_stuck_query,
    validated,
)
from tests.unit.claimcheck.samples import JOB_ID, NOW

ITEM = "dead-letter:speech:17:2026-03-14T09:26:53.589Z"
FIVE_LEASES = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("letter_id", "text"),
    [
        (LetterId("default", JOB_ID, ITEM), f"default:{JOB_ID}:speech:17:2026-03-14T09:26:53.589Z"),
        (LetterId(NOBODY, NOBODY, ITEM), "_:_:speech:17:2026-03-14T09:26:53.589Z"),
    ],
)
def test_id_is_read_as_it_is_written(letter_id: LetterId, text: str) -> None:
    assert str(letter_id) == text
    assert LetterId.parse(text) == letter_id
    assert re.fullmatch(LETTER_ID, text)


@given(some.text() | some.from_regex(LETTER_ID))
def test_any_other_text_is_no_letter(text: str) -> None:
    try:
        assert str(LetterId.parse(text)) == text
    except LetterNotFound:
        assert not re.fullmatch(LETTER_ID, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("9999d", timedelta(days=9999)),
    ],
)
def test_age_is_a_number_and_a_unit(text: str, expected: timedelta) -> None:
    assert age(text) == expected
    wanted = Filters(older_than=text, newer_than=text).wanted(NOW)
    assert wanted.stored_before == wanted.stored_after == NOW - expected


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2w", "1.5h", "10000d", "2h ", "2H"])
def test_anything_else_is_no_age(text: str) -> None:
    with pytest.raises(MalformedRequest, match="older_than: "):
        validated(Filters, {"older_than": text})


@given(some.integers(0, 2**40), some.integers(0, 2**63))
def test_position_is_read_as_it_is_written(milliseconds: int, number: int) -> None:
    item = f"dead-letter:speech:{number}:2026-03-14T09:26:53.589Z"
    position = Position(NOW + timedelta(milliseconds=milliseconds), item)
    assert Position.parse(str(position)) == position


@given(some.text() | some.binary().map(lambda raw: raw.hex()))
def test_any_other_text_is_no_position(text: str) -> None:
    with pytest.raises(MalformedRequest, match="after is "):
        Position.parse(text)


def test_position_with_anything_behind_it_is_none() -> None:
    with pytest.raises(MalformedRequest):
        Position.parse(f"{Position(NOW, ITEM)}=")


def test_query_without_anything_is_the_first_page_of_all() -> None:
    query = read_page_query([])
    assert (query.filters, query.limit, query.after) == (Filters(), 20, None)


@pytest.mark.parametrize(("limit", "is_one"), [("1", True), ("100", True), ("0", False), ("101", False), ("٣", False)])
def test_limit_is_1_to_100(limit: str, is_one: bool) -> None:
    if is_one:
        assert read_page_query([("limit", limit)]).limit == int(limit)
    else:
        with pytest.raises(MalformedRequest, match="limit is "):
            read_page_query([("limit", limit)])


def test_jobs_are_stuck_after_five_leases_or_as_asked() -> None:
    assert read_stuck_query([], patience=FIVE_LEASES) == (FIVE_LEASES, 20)
    asked = [("older_than", "2h"), ("limit", "3")]
    assert read_stuck_query(asked, patience=FIVE_LEASES) == (timedelta(hours=2), 3)
    with pytest.raises(MalformedRequest, match="'task'"):
        read_stuck_query([("task", "probe")], patience=FIVE_LEASES)
